/**
 * Performs what consensus decides (machine.ts): the disk first, then what others hear; the TPM is asked beside it and answers
 * with an event. Specification §11-14.
 */
import { BallotMessage, ProposalMessage } from '#protocol/chain/ballot.ts';
import type { Action } from '#protocol/chain/transaction.ts';
import type { ReadBlock } from '#protocol/chain/block.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { networkId, nodeIdOf } from '#protocol/network.ts';
import { peekSigned } from '#protocol/signed.ts';
import type { ChainKind } from '#protocol/topics.ts';
import { needsRestart } from '../identity/identity-error.ts';
import { CHAIN_LIMITS } from '../limits.ts';
import { answerTo, type News } from './chip-tasks.ts';
import { Abstaining, hearFrom, newAbstention, stepAbstention, type Abstention } from './abstention.ts';
import { noteDue, NOTHING_DUE, type DueVotes } from './due-votes.ts';
import { ChainLog } from './chain-log.ts';
import type { CertifiedCheckpoint, Chain, ChainView, Checkpoints, Inclusion } from './chain-port.ts';
import type { ConsensusEffect, ConsensusReport, Instant, TpmTask } from '../consensus/events.ts';
import type { ConsensusRequest } from './consensus-request.ts';
import { FinalityArchive } from './finality-archive.ts';
import { sameMembers } from './followed-members.ts';
import { createLedger } from '../ledger/ledger.ts';
import { finalisedOf, headOf, makeAction, startConsensus, step, type ConsensusState } from '../consensus/machine.ts';
import { MemberAudit } from './member-audit.ts';
import { MemberNames } from './member-names.ts';
import { SEEN_BLOCKS_MAX, SeenBlocks } from './seen-blocks.ts';
import { Relay } from './relay.ts';
import { ancestorOf } from '../consensus/tree.ts';

/** A member that forgot votes gives the others this long to show it where they stand. */
const settleIntervals = 5;
const settleMinMs = 10_000;

export class Consensus implements Chain, Checkpoints {
  readonly node: Uint8Array;
  readonly audit = new MemberAudit();
  readonly #request: ConsensusRequest;
  readonly #networkId: Uint8Array;
  readonly #chainLog: ChainLog;
  readonly #changed: (() => void)[] = [];
  readonly #certified: ((checkpoint: CertifiedCheckpoint) => void)[] = [];
  readonly #waiting: News[] = [];
  readonly #asked = new Set<Promise<void>>();
  readonly #seen = new SeenBlocks();
  readonly #retained = new Map<ChainKind, Uint8Array>();
  readonly #relay: Relay<ChainKind>;
  readonly #names = new MemberNames();
  #members = '';
  #state: ConsensusState;
  #archive: FinalityArchive;
  #abstention: Abstention | undefined;
  #audited = 0;
  #finalisedMs = performance.now();
  #due: DueVotes = NOTHING_DUE;
  #lastFinality: { readonly afterMs: number | undefined; readonly round: number; readonly votes: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;
  #stopped = false;

  constructor(request: ConsensusRequest) {
    this.#request = request;
    this.node = request.chip.node;
    this.#networkId = networkId(request.network);
    this.#relay = new Relay((kind, payload, retain) => request.gossip.broadcast(kind, payload, retain));
    this.#chainLog = new ChainLog(request.log, Date.now, {
      nameOf: (node) => this.nameOf(node),
      waitMsOf: (block) => this.#state.tree.blocks.get(hex(block))?.waitMs,
      votersOf: (checkpoint) => this.#state.finality.history.get(checkpoint)?.voters.length,
    });
    this.#names.know(request.network.members);
    if (request.store.memory() === 'lost') this.#abstain();
    const { state, effects } = this.#begin();
    this.#state = state;
    this.#archive = new FinalityArchive(request.store, request.network, this.finalised().state);
    this.#audited = this.finalised().height;
    this.#followMembers();
    request.gossip.onReach((name, reach) => reach === 'connected' && this.#reached(name));
    this.#perform(effects);
    request.gossip.onChain((name, kind, payload) => this.#heard(name, kind, payload));
    this.#reachAll();
  }

  act(action: Action): void {
    this.#dispatch({ type: 'transactionMade', transaction: makeAction(this.#state, action) });
  }

  /** Has an encoded transaction gossiped, such as the application of a newcomer; or holds it for the next block that this member leads. */
  submit(transaction: Uint8Array, gossip: 'said' | 'held' = 'said'): void {
    this.#dispatch({ type: 'transactionMade', transaction, gossip });
  }

  head(): ChainView {
    return headOf(this.#state);
  }

  finalised(): ReturnType<Chain['finalised']> {
    const { position, number, certificate } = finalisedOf(this.#state);
    return { ...position, number, ...(certificate && { certificate }) };
  }

  receiptInclusion(capsule: string, receipt: Uint8Array): Inclusion {
    const where = { finalised: this.finalised().state, head: this.head().state, blockOnHead: (height: number) => this.blockOnHead(height) };
    return this.#archive.inclusionOf(capsule, receipt, where);
  }

  onChange(handler: () => void): void {
    this.#changed.push(handler);
  }

  onCheckpoint(handler: (checkpoint: CertifiedCheckpoint) => void): void {
    this.#certified.push(handler);
    const last = this.finalised();
    const before = this.#state.finality.history.get(last.number - 1)?.certificate.height ?? (last.number === 1 ? 0 : undefined);
    handler({ ...last, aboveHeight: before });
  }

  /** The core as it is, to be read only. */
  get state(): ConsensusState {
    return this.#state;
  }

  /** When the last checkpoint became known here, on the monotonic clock, and how; the start where none was. */
  get lastFinality(): { readonly atMs: number; readonly afterMs?: number; readonly round?: number; readonly votes?: number } {
    const { afterMs, ...rest } = this.#lastFinality ?? { afterMs: undefined };
    return { atMs: this.#finalisedMs, ...(afterMs === undefined ? {} : { afterMs }), ...rest };
  }

  /** What members owe, on the monotonic clock. */
  get due(): DueVotes {
    return this.#due;
  }

  nameOf(node: string): string {
    return this.#names.nameOf(node);
  }

  /** A block of the branch that ends with the head. */
  blockOnHead(height: number): ReadBlock | undefined {
    if (height <= this.finalised().height) return this.#archive.blockAt(height);
    return ancestorOf(this.#state.tree, this.#state.head, height)?.block;
  }

  /** To be called whenever the device's own broker was started anew: it has lost what it retained. */
  republish(): void {
    for (const [kind, payload] of this.#retained) this.#request.gossip.broadcast(kind, payload, true);
  }

  /** An encoded `FinalityProof` of a transaction of a finalised block; undefined where something that it takes is not kept. */
  proofOf(height: number, index: number): { readonly checkpoint: number; readonly proof: Uint8Array } | undefined {
    return this.#archive.prove(height, index);
  }

  /** An encoded `CheckpointProof` of the last checkpoint with these members; undefined where there is none, or something is not kept. */
  proofOfState(nodes: readonly Uint8Array[]): Uint8Array | undefined {
    const { certificate, state } = this.finalised();
    return certificate && this.#archive.proveCheckpoint(certificate, state, nodes);
  }

  /** Returns when what was begun is done. */
  async stop(): Promise<void> {
    this.#halt();
    await Promise.all(this.#asked);
  }

  #begin(): ReturnType<typeof startConsensus> {
    const { network, crypto, chip, store, anchor } = this.#request;
    const ledger = createLedger({ network, networkId: this.#networkId, crypto });
    const { node, operationalKey } = chip;
    const sign = (input: Uint8Array): Uint8Array => chip.sign(input);
    const kept = store.load();
    return startConsensus({
      ...{ network, crypto: ledger.crypto, node, operationalKey, sign, ledger, kept, at: now() },
      archive: store,
      ...(anchor && { anchor }),
    });
  }

  #heard(name: string, kind: ChainKind | 'response', payload: Uint8Array): void {
    const from = this.#names.nodeOf(name);
    if (from === undefined) return;
    if (this.#abstention && kind === 'head') this.#abstention = hearFrom(this.#abstention, from);
    this.#relay.heard(payload);
    this.#dispatch({ type: 'received', from, kind, payload });
  }

  #reachAll(): void {
    for (const name of this.#names.names()) if (this.#request.gossip.isReached(name)) this.#reached(name);
  }

  #reached(name: string): void {
    const peer = this.#names.nodeOf(name);
    if (peer !== undefined) this.#dispatch({ type: 'peerReached', peer });
  }

  /** One event after the other: what a handler of a change does is another event. */
  #dispatch(news: News): void {
    if (this.#stopped) return;
    this.#waiting.push(news);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let next = this.#waiting.shift(); next && !this.#isEnded(); next = this.#waiting.shift()) this.#take(next);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isBusy = false;
    }
  }

  #noteDue(): void {
    const silenceMs = CHAIN_LIMITS.notFinalisingIntervals * this.#request.network.genesis.consensus.targetIntervalMs;
    const { position, number } = finalisedOf(this.#state);
    const at = { nowMs: performance.now(), silenceMs };
    this.#due = noteDue(this.#due, this.#state.head.position.height, { number, height: position.height }, at);
  }

  #isEnded(): boolean {
    return this.#stopped;
  }

  #take(news: News): void {
    this.#perform(step(this.#state, { ...news, at: now() }));
    this.#noteDue();
    if (this.#abstention) this.#maybeSpeakAgain();
  }

  /** In their order; nothing of a step is said when its records could not be stored. */
  #perform(effects: readonly ConsensusEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
    if (effects.some((effect) => effect.effect === 'report' && CHANGES.has(effect.report.report))) this.#tellChange();
  }

  #performOne(effect: ConsensusEffect): void {
    const { store, gossip } = this.#request;
    switch (effect.effect) {
      case 'persist':
        return store.persist(this.#abstention ? effect.records.filter(({ record }) => record !== 'votes') : effect.records);
      case 'broadcast':
        if (effect.kind === 'transaction') this.#request.onTransaction?.(effect.payload);
        if (this.#relay.takes(effect.kind, effect.payload)) return;
        if (effect.retain) this.#retained.set(effect.kind, effect.payload);
        if (effect.kind === 'head') return this.#relay.saySoon(effect.kind, effect.payload);
        return this.#mayBeSaid(effect) ? gossip.broadcast(effect.kind, effect.payload, effect.retain) : undefined;
      case 'send':
        return this.#names.isKnown(effect.to) ? gossip.tell(this.nameOf(effect.to), effect.kind, effect.payload) : undefined;
      case 'ask':
        return this.#ask(effect.task);
      case 'report':
        return this.#reported(effect.report);
      case 'wakeAt':
        return this.#wakeAt(effect.monotonicMs);
    }
  }

  #wakeAt(monotonicMs: number): void {
    clearTimeout(this.#timer);
    const waitMs = Math.min(Math.max(0, Math.ceil(monotonicMs - performance.now())), longestTimerMs);
    this.#timer = setTimeout(() => this.#dispatch({ type: 'ticked' }), waitMs);
  }

  /** Not waited for: a chip takes half a second. */
  #ask(task: TpmTask): void {
    const { chip } = this.#request;
    const asked = (
      this.#abstention && task.task === 'certify-start' ? Promise.reject(new Abstaining()) : answerTo(task, chip, this.#networkId)
    ).then(
      (news) => this.#dispatch(news),
      (error: unknown) => this.#failTask(task, error),
    );
    this.#asked.add(asked);
    void asked.finally(() => this.#asked.delete(asked));
  }

  #failTask(task: TpmTask, error: unknown): void {
    if (needsRestart(error)) return this.#fail(error);
    if (!(error instanceof Abstaining))
      this.#request.log('tpmTaskFailed', { task: task.task, error: error instanceof Error ? error.message : String(error) });
    setTimeout(() => this.#dispatch({ type: 'tpmFailed', task }), CHAIN_LIMITS.tpmRetryMs).unref();
  }

  #reported(report: ConsensusReport): void {
    if (report.report === 'headMoved') this.#seen.note(hex(report.block.id), now());
    if (report.report === 'checkpointFinalised') this.#checkpointed(report);
    if (report.report === 'startedFromCheckpoint') this.#startedFrom(report.height);
    this.#chainLog.take(report);
  }

  #checkpointed({ certificate, afterMs, position, aboveHeight }: Extract<ConsensusReport, { report: 'checkpointFinalised' }>): void {
    this.#relay.decided();
    this.#finalisedMs = performance.now();
    this.#lastFinality = { afterMs, round: certificate.round, votes: certificate.votes.length };
    const { state, number, height } = this.finalised();
    if (number === certificate.number) this.#archive.checkpointed(certificate, state);
    this.#auditUpTo(height);
    this.#followMembers();
    for (const handler of this.#certified) handler({ ...position, number: certificate.number, aboveHeight });
  }

  #startedFrom(height: number): void {
    const { store, network } = this.#request;
    this.#archive = new FinalityArchive(store, network, this.finalised().state);
    this.#audited = height;
    this.#followMembers();
  }

  #auditUpTo(height: number): void {
    const { state } = this.finalised();
    const newest = this.#state.finality.last.block.block;
    const pace = height - this.#audited > promptHeightsMax ? 'late' : 'prompt';
    for (let at = Math.max(this.#audited + 1, height - SEEN_BLOCKS_MAX); at <= height; at += 1) {
      const block = at === newest?.header.height ? newest : this.#archive.blockAt(at);
      if (block) this.audit.finalised(block, state, { pace, seen: this.#seen.at(hex(block.id)) });
    }
    this.#audited = height;
  }

  /** Members and applicants are heard and trusted as soon as they are final. */
  #followMembers(): void {
    const records = [...this.finalised().state.members.values()];
    const followed = records.filter(({ standing }) => standing === 'member' || standing === 'applicant').map(({ member }) => member);
    const words = followed.map(({ name, endorsementKey, peersUrl }) => `${name} ${hex(nodeIdOf(endorsementKey))} ${peersUrl}`).join();
    if (words === this.#members) return;
    const isFirst = this.#members === '';
    this.#members = words;
    this.#names.know(followed);
    if (!isFirst || !sameMembers(followed, this.#request.network.members)) this.#request.onMembers(followed);
  }

  #abstain(): void {
    this.#abstention = newAbstention;
    this.#request.log('votesMayBeLost', { consequence: 'this member neither votes nor leads until two more checkpoints are certified' });
  }

  #maybeSpeakAgain(): void {
    const { state, number } = this.finalised();
    const { targetIntervalMs } = this.#request.network.genesis.consensus;
    const seats = new Set(state.core.seats.map(hex));
    const settleMs = Math.max(settleMinMs, settleIntervals * targetIntervalMs);
    const view = { number, seats, self: hex(this.node), nowMs: performance.now(), settleMs };
    const { abstention, isOver } = stepAbstention(this.#abstention ?? newAbstention, view);
    this.#abstention = isOver ? undefined : abstention;
    if (!isOver) return;
    this.#request.store.forgetLoss();
    this.#request.log('votesResumed', { checkpoint: number });
    const { state: begun, effects } = this.#begin();
    this.#state = begun;
    this.#perform(effects);
    this.#reachAll();
  }

  #mayBeSaid({ kind, payload }: Extract<ConsensusEffect, { effect: 'broadcast' }>): boolean {
    if (!this.#abstention || kind !== 'ballot') return true;
    const ballot = peekSigned(BallotMessage, payload);
    const said = ballot.status === 'decoded' ? ballot : peekSigned(ProposalMessage, payload);
    return said.status === 'decoded' && !sameBytes(said.value.node, this.node);
  }

  #tellChange(): void {
    for (const handler of this.#changed) handler();
  }

  #halt(): void {
    this.#stopped = true;
    this.#relay.stop();
    this.#chainLog.stop();
    clearTimeout(this.#timer);
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.#halt();
    this.#request.onFailure(error);
  }
}

/** After which people are shown something else. */
const CHANGES: ReadonlySet<ConsensusReport['report']> = new Set([
  ...(['headMoved', 'checkpointFinalised', 'conflictingCertificates'] as const),
  ...(['startedFromCheckpoint', 'anchorContradicted', 'awayTooLong'] as const),
]);
/** Node's timers take 31 bits. */
const longestTimerMs = 2_147_483_647;
/** Heights that become final together while all is well; more tell of a halt. */
const promptHeightsMax = 4;

function now(): Instant {
  return { monotonicMs: performance.now(), unixMs: Date.now() };
}
