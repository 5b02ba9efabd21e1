/** What a member passes on for others: a little later than it speaks itself, and ballots only as long as they are needed. Specification §14.1. */
import type { ChainKind } from '#protocol/topics.ts';
import { CHAIN_LIMITS } from '../limits.ts';

interface Waiting {
  readonly kind: ChainKind;
  readonly payload: Uint8Array;
  /** Of the monotonic clock. */
  readonly dueMs: number;
}

export class Relay {
  readonly #say: (kind: ChainKind, payload: Uint8Array) => void;
  /** What came from peers, as the very bytes that came: by these it is known again. */
  readonly #heard = new WeakSet<Uint8Array>();
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(say: (kind: ChainKind, payload: Uint8Array) => void) {
    this.#say = say;
  }

  heard(payload: Uint8Array): void {
    this.#heard.add(payload);
  }

  /** Whether this is another's word; if so it is said when its time comes. */
  takes(kind: ChainKind, payload: Uint8Array): boolean {
    if (!this.#heard.has(payload)) return false;
    if (this.#waiting.length < CHAIN_LIMITS.relaysMax)
      this.#waiting.push({ kind, payload, dueMs: performance.now() + CHAIN_LIMITS.relayAfterMs });
    this.#timer ??= setTimeout(() => this.#flush(), CHAIN_LIMITS.relayAfterMs);
    return true;
  }

  /** A checkpoint is certified: who lacks the ballots asks for the certificate. */
  decided(): void {
    this.#waiting = this.#waiting.filter(({ kind }) => kind !== 'ballot');
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #flush(): void {
    const nowMs = performance.now();
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    for (const { kind, payload } of due) this.#say(kind, payload);
    const next = this.#waiting[0];
    this.#timer = next && setTimeout(() => this.#flush(), Math.max(1, next.dueMs - nowMs));
  }
}
