/**
 * A few members in one process: the core of each, a pretended TPM, a disk that keeps what was persisted, and links with a delay. All
 * that happens follows from the order of events; the network of test/simulation has the faults.
 */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { encodeVoucher } from '#protocol/chain/voucher.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { hex } from '#protocol/digest.ts';
import { networkId, type ConsensusParameters, type Network } from '#protocol/network.ts';
import type {
  ChainArchive,
  ChainRecord,
  ConsensusEffect,
  ConsensusEvent,
  ConsensusReport,
  Instant,
  KeptChain,
  TpmTask,
} from '../../../device/consensus/events.ts';
import { createLedger } from '../../../device/ledger/ledger.ts';
import { finalisedOf, headOf, startConsensus, step, type ConsensusSetup, type ConsensusState } from '../../../device/consensus/machine.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember, stubNetwork, type StubMember } from '../../simulation/stub-tpm.ts';

type Untimed<E> = E extends ConsensusEvent ? Omit<E, 'at'> : never;
export type News = Untimed<ConsensusEvent>;

/** What a member's disk holds. */
export interface Disk {
  readonly blocks: Map<string, { readonly block: ReadBlock; readonly own: boolean }>;
  readonly certificates: Map<string, FinalityCertificate>;
  readonly states: Map<string, Extract<ChainRecord, { record: 'state' }>>;
  votes: KeptChain['votes'];
  ownHeight: number;
  persists: number;
}

export interface Actor {
  readonly member: StubMember;
  readonly name: string;
  readonly disk: Disk;
  state: ConsensusState;
  isUp: boolean;
  wakeAtMs: number | undefined;
  readonly reports: ConsensusReport[];
  /** Of all its steps, in their order. */
  readonly effects: ConsensusEffect[];
  boot: number;
}

export const parameters: ConsensusParameters = { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 16 };
export const unixStartMs = 1_700_000_000_000;

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class World {
  readonly network: Network;
  readonly members: readonly StubMember[];
  readonly actors: Actor[] = [];
  nowMs = 1_000_000;
  linkMs = 20;
  tpmMs = 30;
  /** Whether a message gets from one member to another. */
  passes: (from: Actor, to: Actor, effect: ConsensusEffect) => boolean = () => true;
  readonly ledger;
  readonly #planned: Planned[] = [];
  #order = 0;

  constructor(names: readonly string[], consensus: ConsensusParameters = parameters) {
    this.members = names.map((name) => createStubMember(name));
    this.network = stubNetwork(this.members, consensus);
    this.ledger = createLedger({ network: this.network, networkId: networkId(this.network), crypto: stubCrypto });
  }

  start(name: string, changes: Partial<ConsensusSetup> = {}): Actor {
    const member = this.members.find((one) => one.name === name);
    if (!member) throw new Error(`no member ${name}`);
    const disk: Disk = { blocks: new Map(), certificates: new Map(), states: new Map(), votes: undefined, ownHeight: 0, persists: 0 };
    const quiet = { isUp: false, wakeAtMs: undefined, reports: [], effects: [], boot: 1 };
    const actor = { member, name, disk, ...quiet } as unknown as Actor; // its state comes with its boot
    this.actors.push(actor);
    this.boot(actor, changes);
    return actor;
  }

  startAll(): Actor[] {
    return this.members.map(({ name }) => this.start(name));
  }

  boot(actor: Actor, changes: Partial<ConsensusSetup> = {}): void {
    actor.isUp = true;
    actor.wakeAtMs = undefined;
    const { state, effects } = startConsensus({ ...this.setupOf(actor), ...changes });
    actor.state = state;
    this.perform(actor, effects);
  }

  setupOf({ member, disk }: Actor): ConsensusSetup {
    const key = member.operationalKey('boot');
    const own = { node: member.node, operationalKey: key.publicKey, sign: (input: Uint8Array) => key.sign(input) };
    const kept = keptOf(disk);
    return { network: this.network, ...own, crypto: stubCrypto, ledger: this.ledger, archive: archiveOf(disk), kept, at: this.at() };
  }

  kill(actor: Actor): void {
    actor.isUp = false;
  }

  at(): Instant {
    return { monotonicMs: this.nowMs, unixMs: unixStartMs + this.nowMs };
  }

  tell(actor: Actor, news: News): ConsensusEffect[] {
    const effects = step(actor.state, { ...news, at: this.at() });
    this.perform(actor, effects);
    return effects;
  }

  /** Performs effects as a host would: the disk at once, the rest after it. */
  perform(actor: Actor, effects: readonly ConsensusEffect[]): void {
    actor.effects.push(...effects);
    for (const effect of effects) if (actor.isUp) this.performOne(actor, effect);
  }

  performOne(actor: Actor, effect: ConsensusEffect): void {
    switch (effect.effect) {
      case 'persist':
        actor.disk.persists += 1;
        for (const record of effect.records) store(actor.disk, record);
        return;
      case 'broadcast':
        for (const other of this.actors) if (other !== actor) this.deliver(actor, other, effect);
        return;
      case 'send':
        for (const other of this.actors) if (hex(other.member.node) === effect.to) this.deliver(actor, other, effect);
        return;
      case 'ask':
        this.ask(actor, effect.task);
        return;
      case 'report':
        actor.reports.push(effect.report);
        return;
      case 'wakeAt':
        this.wake(actor, effect.monotonicMs);
        return;
    }
  }

  deliver(from: Actor, to: Actor, effect: Extract<ConsensusEffect, { effect: 'broadcast' | 'send' }>): void {
    const { kind, payload } = effect;
    const { state } = to;
    this.plan(this.linkMs, () => {
      if (!to.isUp || to.state !== state || !this.passes(from, to, effect)) return;
      this.tell(to, { type: 'received', from: hex(from.member.node), kind, payload });
    });
  }

  ask(actor: Actor, task: TpmTask): void {
    const { state } = actor;
    this.plan(this.tpmMs, () => {
      if (actor.isUp && actor.state === state) this.tell(actor, this.answer(actor, task));
    });
  }

  answer({ member, boot }: Actor, task: TpmTask): News {
    const reading = { timeMs: this.nowMs, resetCount: boot, restartCount: 0 };
    switch (task.task) {
      case 'prove-draw':
        return { type: 'drawProved', alpha: task.alpha, proof: member.prove(task.alpha) };
      case 'certify-start':
        return { type: 'startCertified', parent: task.parent, certificate: member.getTime(task.qualifier, reading) };
      case 'certify-end':
        return { type: 'endCertified', header: task.header, certificate: member.getTime(task.qualifier, reading) };
      case 'make-voucher': {
        const voucher = member.voucher(networkId(this.network), reading, member.operationalKey('boot').publicKey);
        return { type: 'voucherMade', voucher: encodeVoucher(voucher) };
      }
    }
  }

  wake(actor: Actor, atMs: number): void {
    actor.wakeAtMs = atMs;
    const { state } = actor;
    this.plan(Math.max(0, atMs - this.nowMs), () => {
      if (!actor.isUp || actor.state !== state || actor.wakeAtMs !== atMs) return;
      actor.wakeAtMs = undefined;
      this.tell(actor, { type: 'ticked' });
    });
  }

  plan(inMs: number, run: () => void): void {
    this.#planned.push({ atMs: this.nowMs + inMs, order: (this.#order += 1), run });
  }

  /** Until something holds, or the time is over. @returns whether it came to hold */
  runUntil(holds: () => boolean, forMs: number): boolean {
    const endMs = this.nowMs + forMs;
    for (;;) {
      if (holds()) return true;
      const next = this.#next();
      if (!next || next.atMs > endMs) {
        this.nowMs = endMs;
        return false;
      }
      this.#planned.splice(this.#planned.indexOf(next), 1);
      this.nowMs = next.atMs;
      next.run();
    }
  }

  run(forMs: number): void {
    this.runUntil(() => false, forMs);
  }

  #next(): Planned | undefined {
    return this.#planned.reduce<Planned | undefined>(
      (first, next) => (!first || next.atMs < first.atMs || (next.atMs === first.atMs && next.order < first.order) ? next : first),
      undefined,
    );
  }
}

export function checkpointOf({ state }: Actor): number {
  return finalisedOf(state).number;
}

export function heightOf({ state }: Actor): number {
  return headOf(state).height;
}

function store(disk: Disk, record: ChainRecord): void {
  switch (record.record) {
    case 'block':
      disk.blocks.set(hex(record.block.id), { block: record.block, own: record.own });
      if (record.own) disk.ownHeight = Math.max(disk.ownHeight, record.block.header.height);
      return;
    case 'votes':
      disk.votes = { instance: record.instance, votes: record.votes };
      return;
    case 'certificate':
      disk.certificates.set(`${record.certificate.number} ${hex(record.certificate.block)}`, record.certificate);
      return;
    case 'state':
      disk.states.set(hex(record.block), record);
      return;
    case 'ownHeight':
      disk.ownHeight = record.height;
      return;
    case 'prune':
      return;
  }
}

function keptOf({ blocks, certificates, states, votes, ownHeight }: Disk): KeptChain {
  const state = [...states.values()].at(-1);
  const above = [...blocks.values()].filter(({ block }) => block.header.height > (state?.height ?? 0));
  return { ...(state && { state }), blocks: above, certificates: [...certificates.values()], ...(votes && { votes }), ownHeight };
}

function archiveOf(disk: Disk): ChainArchive {
  const finalised = (height: number): Uint8Array | undefined => {
    const above = [...disk.certificates.values()].filter((certificate) => certificate.height >= height);
    const lowest = above.reduce<FinalityCertificate | undefined>((low, next) => (low && low.height <= next.height ? low : next), undefined);
    let block = lowest && disk.blocks.get(hex(lowest.block))?.block;
    while (block && block.header.height > height) block = disk.blocks.get(hex(block.header.parent))?.block;
    return block?.encoded;
  };
  return {
    block: (id) => disk.blocks.get(hex(id))?.block.encoded,
    blockAt: finalised,
    certificate: (number) => [...disk.certificates.values()].find((certificate) => certificate.number === number),
    state: (block) => disk.states.get(hex(block))?.state,
    voucherFor: () => undefined,
    stateBlockUpTo: (height) => [...disk.states.values()].filter((state) => state.height <= height).at(-1)?.block,
  };
}

export function decoded(encoded: Uint8Array): ReadBlock {
  const read = readBlock(encoded);
  if (read.status === 'malformed') throw new Error(read.detail);
  return read.value;
}
