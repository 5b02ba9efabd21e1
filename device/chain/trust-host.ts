/**
 * Performs what the machine of trust decides (device/trust/machine.ts): ballots on the disk first, then what others hear; the chip is asked
 * when the wait of a block does not need it. Specification §18.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { slotOf } from '#protocol/chain/trust-slots.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { networkId, type Network, type TrustParameters } from '#protocol/network.ts';
import type { TrustKind } from '#protocol/topics.ts';
import { needsRestart } from '../identity/identity-error.ts';
import { CHAIN_LIMITS, CONSENSUS_LIMITS } from '../limits.ts';
import { LineLimit } from '../line-limit.ts';
import type { Log } from '../ports.ts';
import type { VerdictStore } from '../store/verdict-store.ts';
import type { TrustEffect, TrustEvent, TrustReport, TrustTask } from '../trust/events.ts';
import { startTrust, stepTrust, type TrustState } from '../trust/machine.ts';
import type { ConsensusChip } from './chip-tasks.ts';
import type { Consensus } from './host.ts';
import { Relay } from './relay.ts';

/** What the device's chip does for its evidence: `Identity` of device/identity. May take seconds and may fail. */
export interface TrustChip extends ConsensusChip {
  makeMemberEvidence(network: Uint8Array, checkpoint: { readonly number: number; readonly block: Uint8Array }): Promise<Uint8Array>;
}

/** The way to the other members: `GossipNetwork`. */
export interface TrustGossip {
  broadcast(kind: TrustKind, payload: Uint8Array, retain: boolean): void;
  onVerdict(handler: (peerName: string, payload: Uint8Array) => void): void;
}

export interface TrustRequest {
  readonly network: Network;
  readonly trust: TrustParameters;
  readonly crypto: Crypto;
  readonly chip: TrustChip;
  readonly consensus: Consensus;
  readonly store: VerdictStore;
  readonly gossip: TrustGossip;
  readonly log: Log;
  /** Whether this member knows where the chain stands: its own has lost nothing, or others have shown it. */
  readonly isCaughtUp: () => boolean;
  readonly onFailure: (error: unknown) => void;
}

/** An event without its moment. */
type News = TrustEvent extends infer Event ? (Event extends TrustEvent ? Omit<Event, 'nowMs'> : never) : never;

export class TrustHost {
  readonly #request: TrustRequest;
  readonly #networkId: Uint8Array;
  readonly #state: TrustState;
  readonly #relay: Relay<TrustKind>;
  readonly #lines = new LineLimit(CHAIN_LIMITS.refusalLinesPerMinute);
  readonly #waiting: News[] = [];
  readonly #asked = new Set<Promise<void>>();
  #head = '';
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;
  #stopped = false;

  constructor(request: TrustRequest) {
    const { network, trust, crypto, chip, consensus, store, gossip } = request;
    this.#request = request;
    this.#networkId = networkId(network);
    this.#relay = new Relay((kind, payload, retain) => gossip.broadcast(kind, payload, retain));
    const { node, operationalKey } = chip;
    this.#state = startTrust({
      ...{ network, trust, node, operationalKey, crypto },
      sign: (input) => chip.sign(input),
      blockAt: (height) => consensus.blockOnHead(height),
      kept: store.kept,
      votesFromSlot: store.votesFromSlot ?? Infinity,
    });
    gossip.onVerdict((from, payload) => {
      this.#relay.heard(payload);
      this.#dispatch({ type: 'received', from, payload });
    });
    consensus.onChange(() => this.#look());
    this.#look();
  }

  /** That the pool of this member has taken. */
  heard(transaction: Uint8Array): void {
    this.#dispatch({ type: 'transactionHeard', transaction });
  }

  /** Returns when what was begun is done. */
  async stop(): Promise<void> {
    this.#halt();
    await Promise.all(this.#asked);
  }

  #look(): void {
    const head = this.#request.consensus.head();
    if (hex(head.id) === this.#head) return;
    this.#head = hex(head.id);
    this.#speakAgain(head.height);
    this.#dispatch({ type: 'headMoved', head });
  }

  /** A slot that nobody had reached when the ballots were lost is the first of which all are known. */
  #speakAgain(height: number): void {
    const { store, trust, isCaughtUp, log } = this.#request;
    if (store.votesFromSlot !== undefined || !isCaughtUp()) return;
    const fromSlot = slotOf(height, trust.slotHeights) + 2;
    store.voteFrom(fromSlot);
    log('verdictVotesResumed', { fromSlot });
    this.#dispatch({ type: 'mayVote', fromSlot });
  }

  /** One event after the other: what an effect leads to is another event. */
  #dispatch(news: News): void {
    if (this.#stopped) return;
    this.#waiting.push(news);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let next = this.#waiting.shift(); next && !this.#isEnded(); next = this.#waiting.shift())
        for (const effect of stepTrust(this.#state, { ...next, nowMs: performance.now() })) this.#perform(effect);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isBusy = false;
    }
  }

  #isEnded(): boolean {
    return this.#stopped;
  }

  #perform(effect: TrustEffect): void {
    const { store, gossip, consensus } = this.#request;
    switch (effect.effect) {
      case 'keepVotes':
        return store.keep(effect);
      case 'forgetVotes':
        return store.voteFrom(effect.belowSlot);
      case 'broadcast':
        return this.#relay.takes('verdict', effect.payload) ? undefined : gossip.broadcast('verdict', effect.payload, false);
      case 'submit':
        return consensus.submit(effect.transaction, effect.gossip);
      case 'ask':
        return this.#ask(effect.task);
      case 'report':
        return this.#tell(effect.report);
      case 'wakeAt':
        return this.#wakeAt(effect.atMs);
    }
  }

  #wakeAt(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dispatch({ type: 'ticked' }), Math.max(0, Math.ceil(atMs - performance.now())));
  }

  #ask(task: TrustTask): void {
    const asked = this.#answerTo(task).then(
      (news) => this.#dispatch(news),
      (error: unknown) => this.#failTask(task, error),
    );
    this.#asked.add(asked);
    void asked.finally(() => this.#asked.delete(asked));
  }

  /** A quote takes a chip up to half a second: the certificate of a wait comes first. */
  async #answerTo(task: TrustTask): Promise<News> {
    const { chip, consensus } = this.#request;
    const untilMs = performance.now() + CONSENSUS_LIMITS.requestMs;
    while (consensus.state.tpm.asked && performance.now() < untilMs && !this.#stopped) await sleep(CHAIN_LIMITS.chipIdleEveryMs);
    if (task.task === 'prove') return { type: 'proved', alpha: task.alpha, proof: await chip.proveVrf(task.alpha) };
    const { slot, checkpoint } = task;
    return { type: 'evidenceMade', slot, evidence: await chip.makeMemberEvidence(this.#networkId, checkpoint) };
  }

  #failTask(task: TrustTask, error: unknown): void {
    if (this.#stopped) return;
    if (needsRestart(error)) return this.#fail(error);
    this.#request.log('tpmTaskFailed', { task: task.task, error: error instanceof Error ? error.message : String(error) });
    this.#dispatch({ type: 'chipFailed', task });
  }

  #tell({ report, ...fields }: TrustReport): void {
    const { log, consensus } = this.#request;
    const about = 'subject' in fields ? fields.subject : '';
    if (report === 'evidenceJudged' && !this.#lines.takes(about, Date.now())) return;
    const given: Readonly<Record<string, string | number | boolean>> = fields;
    const named = Object.entries(given).map(
      ([name, value]) => [name, MEMBERS.has(name) ? consensus.nameOf(String(value)) : wordOf(value)] as const,
    );
    log(report, Object.fromEntries(named));
  }

  #halt(): void {
    this.#stopped = true;
    this.#relay.stop();
    clearTimeout(this.#timer);
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.#halt();
    this.#request.onFailure(error);
  }
}

/** Fields that hold a node id, which people know by its name. */
const MEMBERS: ReadonlySet<string> = new Set(['subject', 'node']);

function wordOf(value: string | number | boolean): string | number {
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : value;
}
