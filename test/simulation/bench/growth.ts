/** What one member keeps in memory and sends and receives for each block, as the network grows: the others only talk. */
import { HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { decodeVoucher } from '#protocol/chain/voucher.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import type { ConsensusEffect } from '../../../device/consensus/events.ts';
import type { Benchmark, Row } from '../../../scripts/bench/benchmark.ts';
import { ballotOf, byWait, forge, genesisOf, say, voucherOf, type Made } from '../../unit/consensus/forge.ts';
import { checkpointOf, World, type Actor } from '../../unit/consensus/world.ts';
import { heapBytes } from './heap.ts';

export const growth: Benchmark = {
  name: 'growth',
  summary:
    'memory of one member, and its bytes on the wire for each block, among 10, 32 and 128 simulated members, as many as can found a network',
  metric: 'memory and bytes as networks grow',
  run: ({ quick }) => {
    // What the first run leaves behind for good is nobody's.
    measure(4);
    return Promise.resolve((quick ? [10, 32] : [10, 32, 128]).flatMap((members) => measure(members)));
  },
};

/** Blocks without vouchers over which bytes are counted. */
const countedBlocks = 4;

interface Wire {
  received: number;
  sent: number;
}

function measure(members: number): Row[] {
  const names = Array.from({ length: members }, (_, index) => `member-${index}`);
  const world = new World(names);
  world.tpmMs = Infinity;
  const before = heapBytes();
  const own = world.start('member-0');
  let [tip, due]: [Made, Uint8Array[]] = [genesisOf(world), vouchersHeard(world, own, names)];
  while (due.length > 0) [tip, due] = advance(world, own, tip, due, { received: 0, sent: 0 });
  const wire = { received: 0, sent: 0 };
  const startedAt = process.cpuUsage();
  for (let block = 0; block < countedBlocks; block += 1) [tip] = advance(world, own, tip, [], wire);
  const { user } = process.cpuUsage(startedAt);
  if (checkpointOf(own) === 0) throw new Error(`nothing was finalised among ${members}`);
  forget(own);
  const heap = heapBytes() - before;
  const per = (bytes: number): number => bytes / countedBlocks / 1_000;
  const note = `${members} members, ${own.state.finality.voters.length} of them vote; pretended signatures of true length`;
  return [
    row(`memory of a member, N = ${members}`, ' MB', heap / 1e6, `${note}; heap of the core with its stored blocks, without the process`),
    row(`received per member and block, N = ${members}`, ' kB', per(wire.received), `${note}; payloads: block, ballots, heads`),
    row(
      `sent per member and block, N = ${members}`,
      ' kB',
      per(wire.sent),
      `${note}; by its broker to every peer; ${user / 1_000} ms in all`,
    ),
  ];
}

/** @returns what must stand on the chain before anybody's signature counts */
function vouchersHeard(world: World, own: Actor, names: readonly string[]): Uint8Array[] {
  return names.map((name) => {
    const voucher = voucherOf(world, name);
    say(world, own, name, 'voucher', voucher);
    const decoded = decodeVoucher(voucher);
    if (decoded.status === 'malformed') throw new Error(decoded.detail);
    return encodeTransaction({ kind: 'voucher', voucher: decoded.value });
  });
}

/** One more block, certified, and said where everybody stands. @returns it, and the vouchers that did not fit */
function advance(world: World, own: Actor, below: Made, due: readonly Uint8Array[], wire: Wire): [Made, Uint8Array[]] {
  const number = checkpointOf(own);
  const leader = byWait(world, below).find((name) => name !== own.name) ?? '';
  const made = forge(world, below, leader, { candidates: [...certificateBelow(own), ...due] });
  world.nowMs += made.waitMs + 1_000;
  hear(world, own, leader, 'block', made.block.encoded, wire);
  const about = { number: number + 1, previous: own.state.finality.last.block.position.id };
  const voters = new Set(own.state.finality.voters.map(hex));
  const speakers = world.members.filter(({ node, name }) => voters.has(hex(node)) && name !== own.name);
  for (const step of ['prevote', 'precommit'] as const)
    for (const { name } of speakers)
      hear(world, own, name, 'ballot', ballotOf(world, name, about, { round: 0, step, value: made.position.id }), wire);
  if (checkpointOf(own) !== number + 1) throw new Error(`block ${made.position.height} is not final after all have voted`);
  const where = { id: made.position.id, height: made.position.height };
  const head = encodeStrict(HeadAnnouncement, {
    checkpoint: { number: number + 1, block: where.id, height: where.height },
    head: where,
  });
  for (const { name } of world.members) if (name !== own.name) hear(world, own, name, 'head', head, wire);
  wire.sent += (made.block.encoded.length * (world.members.length - 1)) / world.members.length;
  forget(own);
  const stands = new Set(made.block.transactions.map(hex));
  return [made, due.filter((voucher) => !stands.has(hex(voucher)))];
}

/** What the peer sent, and what this member says of its own upon it, to every peer. */
function hear(world: World, own: Actor, from: string, kind: 'block' | 'ballot' | 'head', payload: Uint8Array, wire: Wire): void {
  wire.received += payload.length;
  for (const effect of say(world, own, from, kind, payload)) wire.sent += ownBytes(effect, payload) * (world.members.length - 1);
}

/** What is passed on for others is not said when it is decided meanwhile (§14.1). */
function ownBytes(effect: ConsensusEffect, heard: Uint8Array): number {
  return effect.effect === 'broadcast' && effect.payload !== heard ? effect.payload.length : 0;
}

/** Of the last checkpoint, by all who voted on it. */
function certificateBelow(own: Actor): Uint8Array[] {
  const { number, certificate } = own.state.finality.last;
  return number === 0 || !certificate ? [] : [encodeTransaction({ kind: 'finality', certificate })];
}

/** What the small world notes of each step for tests. */
function forget(own: Actor): void {
  own.effects.length = 0;
  own.reports.length = 0;
}

function row(metric: string, unit: string, value: number, note: string): Row {
  return { status: 'measured', metric, unit, better: 'lower', ours: [value], note };
}
