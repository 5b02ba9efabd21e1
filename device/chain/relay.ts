/**
 * What a member says a little later than it decides to: what it passes on for others, as long as that is needed, and where it
 * stands, once for all that changes in a moment. Specification §14.1.
 */
import type { ChainKind, TrustKind } from '#protocol/topics.ts';
import { CHAIN_LIMITS } from '../limits.ts';

interface Waiting<Kind> {
  readonly kind: Kind;
  readonly payload: Uint8Array;
  /** Of the monotonic clock. */
  readonly dueMs: number;
}

/** Transactions and bytes that may still be passed on, as of a moment of the monotonic clock. */
interface Passed {
  readonly messages: number;
  readonly bytes: number;
  readonly atMs: number;
}

const { relayedTransactionsPerSecond: MESSAGES, relayedTransactionBytesPerSecond: BYTES } = CHAIN_LIMITS;

type Say<Kind> = (kind: Kind, payload: Uint8Array, retain: boolean) => void;

export class Relay<Kind extends ChainKind | TrustKind> {
  readonly #say: Say<Kind>;
  /** What came from peers, as the very bytes that came: by these it is known again. */
  readonly #heard = new WeakSet<Uint8Array>();
  readonly #soon = new Map<Kind, { readonly payload: Uint8Array; readonly waiting: NodeJS.Timeout }>();
  #waiting: Waiting<Kind>[] = [];
  #passed: Passed = { messages: MESSAGES, bytes: BYTES, atMs: performance.now() };
  #timer: NodeJS.Timeout | undefined;

  constructor(say: Say<Kind>) {
    this.#say = say;
  }

  heard(payload: Uint8Array): void {
    this.#heard.add(payload);
  }

  /** Whether this is another's word; if so it is said when its time comes. */
  takes(kind: Kind, payload: Uint8Array): boolean {
    if (!this.#heard.has(payload)) return false;
    if (this.#waiting.length < CHAIN_LIMITS.relaysMax && this.#mayPass(kind, payload.length))
      this.#waiting.push({ kind, payload, dueMs: performance.now() + CHAIN_LIMITS.relayAfterMs });
    this.#timer ??= setTimeout(() => this.#flush(), CHAIN_LIMITS.relayAfterMs);
    return true;
  }

  /** Says this when a moment has passed, unless something newer of its kind takes its place. */
  saySoon(kind: Kind, payload: Uint8Array): void {
    const timer = this.#soon.get(kind)?.waiting ?? setTimeout(() => this.#sayNow(kind), CHAIN_LIMITS.relayAfterMs);
    this.#soon.set(kind, { payload, waiting: timer });
  }

  /** A checkpoint is certified: more than two thirds had its block and ballots, and who lacks them asks for them. */
  decided(): void {
    this.#waiting = this.#waiting.filter(({ kind }) => kind !== 'ballot' && kind !== 'block');
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const { waiting } of this.#soon.values()) clearTimeout(waiting);
    this.#waiting = [];
  }

  /**
   * Transactions are as many and as large as a member likes to make, and different ones for each peer: passed on without a bound they would
   * use up what honest members may say to one another. Blocks and ballots are few.
   */
  #mayPass(kind: Kind, size: number): boolean {
    if (kind !== 'transaction') return true;
    const atMs = performance.now();
    const seconds = (atMs - this.#passed.atMs) / 1_000;
    const messages = Math.min(MESSAGES, this.#passed.messages + seconds * MESSAGES);
    const bytes = Math.min(BYTES, this.#passed.bytes + seconds * BYTES);
    const passes = messages >= 1 && bytes >= size;
    this.#passed = { messages: passes ? messages - 1 : messages, bytes: passes ? bytes - size : bytes, atMs };
    return passes;
  }

  #sayNow(kind: Kind): void {
    const soon = this.#soon.get(kind);
    this.#soon.delete(kind);
    if (soon) this.#say(kind, soon.payload, true);
  }

  #flush(): void {
    const nowMs = performance.now();
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    for (const { kind, payload } of due) this.#say(kind, payload, false);
    const next = this.#waiting[0];
    this.#timer = next && setTimeout(() => this.#flush(), Math.max(1, next.dueMs - nowMs));
  }
}
