/** Who watches which capsule: news from the topics of a capsule (specification §5.1) to their readers, without repetitions. */
import { hasEnded, type CapsuleState } from '#protocol/capsule.ts';
import { EnergyNews, LogNews, ProgressNews, ResultNews, StateNews } from '#protocol/client-messages.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import type { Incoming } from '#protocol/mqtt-port.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import type { Schema } from '#protocol/schema.ts';
import { peekSigned } from '#protocol/signed.ts';
import type { CapsuleNews } from '#protocol/topics.ts';
import { ClientFailure } from './failure.ts';
import { CLIENT_LIMITS, type ClientTimes } from './limits.ts';
import { NewsQueue, type News } from './news.ts';

/** Asks the device to publish a capsule's state, result and receipt again. @throws ClientFailure */
export type AskAgain = (capsule: string) => Promise<void>;

interface Watch {
  readonly capsule: string;
  readonly queue: NewsQueue;
  /** Absent while nobody reads: the news of a capsule is kept from its submission on. */
  poll: NodeJS.Timeout | undefined;
  /** Where the log of the newest attempt has got to. */
  log: { readonly attempt: number; readonly ends: Map<LogNews['stream'], number> };
  state: StateNews | undefined;
  querying: boolean;
  queriesSinceEnd: number;
}

export interface WatchPorts {
  readonly askAgain: AskAgain;
  /** Makes sure that the topics of a capsule are subscribed. */
  readonly subscribe: (capsule: string) => void;
  readonly onState: (capsule: string, state: CapsuleState) => void;
  /** `undefined`, and a warning, for what is not understood. */
  readonly read: <T>(schema: Schema<T>, message: Incoming) => T | undefined;
  readonly warn: (sentence: string) => void;
}

export class Watches {
  readonly #watches = new Set<Watch>();
  readonly #receipts = new Map<string, Set<(receipt: Uint8Array) => void>>();
  readonly #finalities = new Map<string, Set<(finality: FinalityNews) => void>>();
  readonly #times: ClientTimes;
  readonly #ports: WatchPorts;

  constructor(times: ClientTimes, ports: WatchPorts) {
    this.#times = times;
    this.#ports = ports;
  }

  /** Keeps the news of a capsule for whoever will watch it; the oldest of too many is forgotten. */
  expect(capsule: string): void {
    const unread = [...this.#watches].filter(({ poll }) => poll === undefined);
    if (unread.length >= CLIENT_LIMITS.watchesMax && unread[0]) this.#forget(unread[0]);
    if (!unread.some((watch) => watch.capsule === capsule)) this.#add(capsule);
    this.#ports.subscribe(capsule);
  }

  /** @throws ClientFailure `too-many` */
  watch(capsule: string): AsyncIterableIterator<News> {
    const read = [...this.#watches].filter(({ poll }) => poll !== undefined);
    if (read.length >= CLIENT_LIMITS.watchesMax)
      throw new ClientFailure('too-many', `at most ${CLIENT_LIMITS.watchesMax} capsules can be watched at one time`);
    const watch = [...this.#watches].find((known) => known.capsule === capsule && known.poll === undefined) ?? this.#add(capsule);
    watch.poll = setInterval(() => void this.#query(watch), this.#times.watchQueryMs);
    this.#ports.subscribe(capsule);
    void this.#query(watch);
    return watch.queue;
  }

  /** The receipt as it is next published, or `undefined` when `waitMs` have passed. */
  async nextReceipt(capsule: string, waitMs: number): Promise<Uint8Array | undefined> {
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
    await this.#listen(this.#receipts, capsule, { hear: resolve, promise, resolve, waitMs });
    return promise;
  }

  /** What is said about the finality of the receipt: `final` as soon as it comes, else the last word when `waitMs` have passed. */
  async finality(capsule: string, waitMs: number): Promise<FinalityNews | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    let last: FinalityNews | undefined;
    const hear = (news: FinalityNews): void => {
      last = news;
      if (news.finality === 'final') resolve(undefined);
    };
    await this.#listen(this.#finalities, capsule, { hear, promise, resolve, waitMs });
    return last;
  }

  /** A message on one of the topics of a capsule. */
  received(capsule: string, kind: CapsuleNews, message: Incoming): void {
    if (kind === 'receipt') return this.#receiptReceived(capsule, message);
    if (kind === 'finality') return this.#finalityReceived(capsule, message);
    const watches = [...this.#watches].filter((watch) => watch.capsule === capsule);
    if (watches.length === 0 && kind !== 'state') return;
    const news = this.#read(kind, message);
    if (news === undefined || news.capsule !== capsule) return;
    if (news.news === 'state') this.#ports.onState(capsule, news.state);
    for (const watch of watches) tell(watch, news);
  }

  /** After a reconnection: what was published meanwhile is gone. */
  askAll(): void {
    for (const watch of this.#watches) if (watch.poll) void this.#query(watch);
  }

  close(): void {
    for (const watch of this.#watches) {
      watch.queue.end(new ClientFailure('closed', 'the client was closed while a capsule was watched'));
      this.#forget(watch);
    }
  }

  #add(capsule: string): Watch {
    const watch: Watch = {
      capsule,
      queue: new NewsQueue(() => this.#forget(watch)),
      poll: undefined,
      log: { attempt: 1, ends: new Map() },
      state: undefined,
      querying: false,
      queriesSinceEnd: 0,
    };
    this.#watches.add(watch);
    return watch;
  }

  /** One at a time: while the device is away, it is asked by the repetitions of one request. */
  async #query(watch: Watch): Promise<void> {
    if (watch.querying) return;
    watch.querying = true;
    try {
      await this.#ports.askAgain(watch.capsule);
    } catch (error) {
      watch.queue.end(error instanceof Error ? error : new Error(String(error)));
    }
    watch.querying = false;
    if (watch.state !== undefined && hasEnded(watch.state.state)) watch.queriesSinceEnd += 1;
    // A capsule that ended before it ran may have no result; the query's answer comes after the result, so two are enough.
    if (watch.queriesSinceEnd >= 2) watch.queue.end();
  }

  #forget(watch: Watch): void {
    clearInterval(watch.poll);
    this.#watches.delete(watch);
  }

  /** Has `hear` called with what comes, until `promise` is settled or `waitMs` have passed, which settles it. */
  async #listen<T>(
    listeners: Map<string, Set<(value: T) => void>>,
    capsule: string,
    {
      hear,
      promise,
      resolve,
      waitMs,
    }: { hear: (value: T) => void; promise: Promise<unknown>; resolve: (none: undefined) => void; waitMs: number },
  ): Promise<void> {
    const waiting = listeners.get(capsule) ?? new Set();
    listeners.set(capsule, waiting.add(hear));
    this.#ports.subscribe(capsule);
    const limit = setTimeout(() => resolve(undefined), waitMs);
    await promise;
    clearTimeout(limit);
    waiting.delete(hear);
    if (waiting.size === 0) listeners.delete(capsule);
  }

  #finalityReceived(capsule: string, message: Incoming): void {
    const waiting = this.#finalities.get(capsule);
    const finality = waiting && this.#ports.read(FinalityNews, message);
    if (finality?.capsule === capsule) for (const resolve of waiting ?? []) resolve(finality);
  }

  #receiptReceived(capsule: string, message: Incoming): void {
    const waiting = this.#receipts.get(capsule);
    if (!waiting) return;
    const peeked = peekSigned(ReceiptMessage, message.payload);
    if (peeked.status === 'malformed') this.#ports.warn(`the receipt of capsule ${capsule} is not understood: ${peeked.detail}`);
    else if (peeked.value.capsule === capsule) for (const resolve of waiting) resolve(message.payload);
  }

  #read(kind: Exclude<CapsuleNews, 'receipt' | 'finality'>, message: Incoming): Exclude<News, { news: 'missed' }> | undefined {
    switch (kind) {
      case 'state':
        return tagged('state', this.#ports.read(StateNews, message));
      case 'progress':
        return tagged('progress', this.#ports.read(ProgressNews, message));
      case 'log':
        return tagged('log', this.#ports.read(LogNews, message));
      case 'energy':
        return tagged('energy', this.#ports.read(EnergyNews, message));
      case 'result':
        return tagged('result', this.#ports.read(ResultNews, message));
    }
  }
}

/** What a reader has been told already is told once; the result ends it. */
function tell(watch: Watch, news: Exclude<News, { news: 'missed' }>): void {
  if (news.news === 'state' && !isNewState(watch, news)) return;
  if (news.news === 'log' && !isNewLog(watch, news)) return;
  watch.queue.push(news);
  if (news.news === 'result') watch.queue.end();
}

/** A query has the state published again with the time of the query, so the time tells only what is older. */
function isNewState(watch: Watch, { news: _, ...state }: { news: 'state' } & StateNews): boolean {
  const last = watch.state;
  if (
    last &&
    (state.atMs < last.atMs ||
      (state.state === last.state &&
        state.attempt === last.attempt &&
        state.box === last.box &&
        state.device === last.device &&
        state.detail === last.detail))
  )
    return false;
  watch.state = state;
  return true;
}

/**
 * A broker repeats what it wasn't told had arrived; each attempt has a log of its own (§7.4). Log text is for watching; its exact
 * bytes are blobs of the result.
 */
function isNewLog(watch: Watch, { attempt, stream, offset, text }: LogNews): boolean {
  if (attempt > watch.log.attempt) watch.log = { attempt, ends: new Map() };
  const { ends } = watch.log;
  if (attempt < watch.log.attempt || offset < (ends.get(stream) ?? 0)) return false;
  ends.set(stream, offset + Math.max(1, text.length));
  return true;
}

function tagged<W extends string, T extends object>(news: W, value: T | undefined): ({ readonly news: W } & T) | undefined {
  return value === undefined ? undefined : { news, ...value };
}
