/** What a cheating member says besides what the core says: floods, replays, lies, and transactions that must not stand. */
import { encodeStrict } from '#protocol/codec.ts';
import { readBlock } from '#protocol/chain/block.ts';
import { ChainRequest, ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import { decodeTransaction, encodeTransaction, type Action, type Transaction } from '#protocol/chain/transaction.ts';
import { MESSAGE_KINDS } from '../../device/consensus/events.ts';
import type { Chance } from './chance.ts';
import type { Host, Outgoing } from './host.ts';
import type { Memory } from './mutation.ts';

/** @param others honest members, whom it harms */
export function nuisances(host: Host, memory: Memory, chance: Chance, network: Uint8Array, others: readonly Uint8Array[]): Outgoing[] {
  const { behaviours } = host;
  return [
    ...(behaviours.includes('flooding') ? flood(memory, chance, others) : []),
    ...(behaviours.includes('replaying') ? replays(memory, chance, 20) : []),
    ...(behaviours.includes('lying') ? [lyingHead(memory, chance)] : []),
    ...(behaviours.includes('invalid-transactions') ? [badTransaction(host, memory, chance, network, others)] : []),
  ];
}

/** A lie in the place of an answer. */
export function lie(payload: Uint8Array, memory: Memory, chance: Chance): Uint8Array {
  switch (chance.pick(['nothing', 'other', 'damaged', 'old'] as const)) {
    case 'nothing':
      return encodeStrict(ChainResponse, { response: 'nothing', what: chance.pick(['block', 'range', 'certificates', 'state'] as const) });
    case 'other': {
      const blocks = memory.payloads.filter(({ kind }) => kind === 'block').map((one) => one.payload);
      return encodeStrict(ChainResponse, { response: 'blocks', blocks: chance.some(blocks, 0.3).slice(0, 16) });
    }
    case 'damaged':
      return payload.with(chance.below(payload.length), chance.below(256));
    case 'old': {
      const answers = memory.payloads.filter(({ kind }) => kind === 'response');
      return answers.length === 0 ? payload : chance.pick(answers).payload;
    }
  }
}

function flood(memory: Memory, chance: Chance, others: readonly Uint8Array[]): Outgoing[] {
  const garbage = Array.from({ length: 20 }, (): Outgoing => {
    const kind = chance.pick(MESSAGE_KINDS);
    return { to: 'everyone', kind, payload: chance.bytes(1 + chance.below(300)) };
  });
  const requests = others.flatMap((to) => Array.from({ length: 10 }, () => request(to, memory, chance)));
  return [...garbage, ...requests, ...orphans(memory, chance), ...replays(memory, chance, 20)];
}

function request(to: Uint8Array, memory: Memory, chance: Chance): Outgoing {
  const id = memory.values.length === 0 ? chance.bytes(32) : chance.pick(memory.values);
  const want = chance.pick<ChainRequest['want']>([
    { want: 'block', id, ancestors: 64, above: 0 },
    { want: 'range', fromHeight: chance.below(50) },
    { want: 'certificates', fromNumber: chance.below(20) },
    { want: 'state', block: id, offset: chance.below(2) * 1_000 },
  ]);
  return { to: 'everyone', kind: 'request', payload: encodeStrict(ChainRequest, { to, want }) };
}

/** Blocks whose parent nobody has. */
function orphans(memory: Memory, chance: Chance): Outgoing[] {
  const blocks = memory.payloads.filter(({ kind }) => kind === 'block').slice(-4);
  return blocks.flatMap(({ payload }) => {
    const read = readBlock(payload);
    if (read.status === 'malformed') return [];
    return Array.from({ length: 10 }, (): Outgoing => {
      const at = payload.length - 1 - chance.below(Math.min(64, payload.length));
      return { to: 'everyone', kind: 'block', payload: payload.with(at, chance.below(256)) };
    });
  });
}

function replays(memory: Memory, chance: Chance, most: number): Outgoing[] {
  return Array.from({ length: Math.min(most, memory.payloads.length) }, () => chance.pick(memory.payloads));
}

/** A checkpoint and a head that do not exist. */
function lyingHead(memory: Memory, chance: Chance): Outgoing {
  const id = (): Uint8Array => (memory.values.length === 0 || chance.happens(0.5) ? chance.bytes(32) : chance.pick(memory.values));
  const height = chance.below(1_000_000);
  const announcement = { checkpoint: { number: chance.below(1_000), block: id(), height }, head: { id: id(), height: height + 10 } };
  return { to: 'everyone', kind: 'head', payload: encodeStrict(HeadAnnouncement, announcement) };
}

function badTransaction(host: Host, memory: Memory, chance: Chance, network: Uint8Array, others: readonly Uint8Array[]): Outgoing {
  return { to: 'everyone', kind: 'transaction', payload: encodeTransaction(drawnBad(host, memory, chance, network, others)) };
}

function drawnBad(host: Host, memory: Memory, chance: Chance, network: Uint8Array, others: readonly Uint8Array[]): Transaction {
  const victim = chance.pick(others);
  switch (chance.pick(['foreign-leave', 'vouch-for-nobody', 'foreign-key', 'false-proof', 'false-certificate'] as const)) {
    case 'foreign-leave':
      return signedBy(host, network, victim, { action: 'leave' });
    case 'vouch-for-nobody':
      return signedBy(host, network, host.identity.node, { action: 'vouch', applicant: chance.bytes(32) });
    case 'foreign-key': {
      const made = signedBy(host, network, host.identity.node, { action: 'cancellation', capsule: chance.bytes(16).toHex() });
      return made.kind === 'signed' ? { ...made, by: victim } : made;
    }
    case 'false-proof':
      return falseProof(memory, chance);
    case 'false-certificate':
      return { kind: 'finality', certificate: falseCertificate(host, chance) };
  }
}

function signedBy(host: Host, network: Uint8Array, by: Uint8Array, action: Action): Transaction {
  const { publicKey, sign } = host.chip.operationalKey();
  const made = decodeTransaction(signAction(network, { by, key: publicKey }, action, (input) => sign(input)));
  if (made.status === 'malformed') throw new Error(made.detail);
  return made.value;
}

/** One block of an honest member twice, or with another's end. */
function falseProof(memory: Memory, chance: Chance): Transaction {
  const blocks = memory.payloads.filter(({ kind, payload }) => kind === 'block' && payload.length < 1_800).map(({ payload }) => payload);
  const some = (): Uint8Array => (blocks.length === 0 ? chance.bytes(100) : chance.pick(blocks));
  const first = some();
  return { kind: 'equivocation', of: 'block', first, second: chance.happens(0.5) ? first : some() };
}

function falseCertificate(host: Host, chance: Chance): Extract<Transaction, { kind: 'finality' }>['certificate'] {
  const { publicKey, sign } = host.chip.operationalKey();
  const block = chance.bytes(32);
  return {
    number: 1 + chance.below(10),
    previous: chance.bytes(32),
    block,
    height: 1 + chance.below(100),
    round: 0,
    votes: [{ node: host.identity.node, key: publicKey, signature: sign(block) }],
  };
}
