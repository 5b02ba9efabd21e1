/**
 * One end of a stream that travels through a broker of somebody else: what it may say, what it makes of what comes, and when it is over.
 * Specification §5.7.
 *
 * Whoever holds it publishes what {@link StreamEnd.frames} gives after each call, and hands on what came in order. Times are of a clock that only goes
 * forward, in ms.
 */
import { LIMITS } from '../limits.ts';
import type { RelayFrame, RelayReason } from './frames.ts';

/** Why a stream is over, and at whose end that began. */
export interface StreamOver {
  readonly by: 'here' | 'there';
  readonly reason: RelayReason;
}

export class StreamEnd {
  /** What to say next, credit and close; data is made of what waits. */
  readonly #toSay: RelayFrame[] = [];
  /** Bytes that wait for credit, in order. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #sent = 0;
  /** Given by the other end: its numbers below may be sent. */
  #maySendBelow = 0;
  #next = 0;
  #handedOn = 0;
  #granted = 0;
  /** By number, what came before its turn. */
  readonly #early = new Map<number, Uint8Array>();
  /** What the other end has sent, once it has closed. */
  #closedThere: { readonly after: number; readonly reason: RelayReason } | undefined;
  #over: StreamOver | undefined;
  #isFinishing = false;
  #useless = 0;
  #heardAtMs: number;
  #gapSinceMs: number | undefined;
  #stalledSinceMs: number | undefined;

  constructor(atMs: number) {
    this.#heardAtMs = atMs;
  }

  /** Set when nothing more comes or goes. */
  get over(): StreamOver | undefined {
    return this.#over;
  }

  /** Bytes that were written and not yet said, for want of credit. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Says for the first time how much may be sent to here: at the device, its yes to the session. */
  admit(): void {
    this.#grant();
  }

  write(bytes: Uint8Array): void {
    if (this.#over || bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** What is to be said now, in this order. */
  frames(atMs: number): RelayFrame[] {
    const said = this.#toSay.splice(0);
    if (this.#over) return said;
    while (this.#waitingBytes > 0 && this.#sent < this.#maySendBelow) {
      said.push({ frame: 'data', number: this.#sent, bytes: this.#takeWaiting() });
      this.#sent += 1;
    }
    this.#stalledSinceMs = this.#waitingBytes === 0 ? undefined : (this.#stalledSinceMs ?? atMs);
    if (this.#isFinishing && this.#waitingBytes === 0) this.close('done');
    return [...said, ...this.#toSay.splice(0)];
  }

  /** @returns bytes to be handed on, frame by frame, in the order in which they were written */
  hear(frame: RelayFrame, atMs: number): Uint8Array[] {
    if (this.#over) return [];
    switch (frame.frame) {
      case 'data':
        return this.#hearData(frame.number, frame.bytes, atMs);
      case 'credit':
        this.#hearCredit(frame.below, atMs);
        return [];
      case 'close':
        this.#hearClose(frame.after, frame.reason, atMs);
        return [];
    }
  }

  /** So many frames of those that `hear` has given are no longer in anybody's memory here. */
  handedOn(frames: number): void {
    this.#handedOn += frames;
    if (this.#granted - this.#handedOn <= LIMITS.relayFramesInFlightMax / 2) this.#grant();
  }

  /** Looks at the clock, at least once a second. */
  timePassed(atMs: number): void {
    if (this.#gapSinceMs !== undefined && atMs - this.#gapSinceMs >= LIMITS.relayGapMs) this.close('lost');
    else if (this.#stalledSinceMs !== undefined && atMs - this.#stalledSinceMs >= LIMITS.relayStallMs) this.close('stalled');
    else if (atMs - this.#heardAtMs >= LIMITS.relaySilenceMs) this.close('silent');
  }

  /** Nothing more will be written: closes when all that waits has been said. */
  finish(): void {
    this.#isFinishing = true;
  }

  /** Ends it from here and now; what waits for credit is lost. */
  close(reason: RelayReason): void {
    if (this.#over) return;
    this.#toSay.push({ frame: 'close', after: this.#sent, reason });
    this.#end({ by: 'here', reason });
  }

  #hearData(number: number, bytes: Uint8Array, atMs: number): Uint8Array[] {
    if (number >= this.#granted || (this.#closedThere && number >= this.#closedThere.after)) {
      this.close('beyond-credit');
      return [];
    }
    if (number < this.#next || this.#early.has(number)) {
      this.#countUseless();
      return [];
    }
    this.#heardAtMs = atMs;
    this.#early.set(number, bytes);
    const inTurn = this.#takeEarly();
    this.#noteGap(inTurn.length > 0, atMs);
    return inTurn;
  }

  #hearCredit(below: number, atMs: number): void {
    if (below > this.#sent + LIMITS.relayFramesInFlightMax) return this.close('malformed');
    if (below <= this.#maySendBelow) return this.#countUseless();
    this.#heardAtMs = atMs;
    this.#maySendBelow = below;
    this.#stalledSinceMs = undefined;
  }

  #hearClose(after: number, reason: RelayReason, atMs: number): void {
    if (after < this.#next || after > this.#granted || [...this.#early.keys()].some((number) => number >= after))
      return this.close('malformed');
    if (this.#closedThere) return this.#countUseless();
    this.#closedThere = { after, reason };
    this.#heardAtMs = atMs;
    this.#noteGap(false, atMs);
  }

  #takeEarly(): Uint8Array[] {
    const inTurn: Uint8Array[] = [];
    for (let bytes = this.#early.get(this.#next); bytes; bytes = this.#early.get(this.#next)) {
      inTurn.push(bytes);
      this.#early.delete(this.#next);
      this.#next += 1;
    }
    return inTurn;
  }

  /** A gap is as old as the last frame that came in its turn after it was there. */
  #noteGap(cameOn: boolean, atMs: number): void {
    if (this.#closedThere?.after === this.#next) return this.#end({ by: 'there', reason: this.#closedThere.reason });
    const isThere = this.#early.size > 0 || this.#closedThere !== undefined;
    if (!isThere) this.#gapSinceMs = undefined;
    else if (cameOn || this.#gapSinceMs === undefined) this.#gapSinceMs = atMs;
  }

  #takeWaiting(): Uint8Array {
    const bytes = new Uint8Array(Math.min(this.#waitingBytes, LIMITS.relayDataBytesMax));
    for (let filled = 0; filled < bytes.length;) {
      const [first = new Uint8Array()] = this.#waiting;
      const piece = first.subarray(0, bytes.length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      if (piece.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(piece.length);
    }
    this.#waitingBytes -= bytes.length;
    return bytes;
  }

  #grant(): void {
    if (this.#over) return;
    this.#granted = this.#handedOn + LIMITS.relayFramesInFlightMax;
    this.#toSay.push({ frame: 'credit', below: this.#granted });
  }

  #countUseless(): void {
    this.#useless += 1;
    if (this.#useless >= LIMITS.relayUselessFramesMax) this.close('too-many');
  }

  #end(over: StreamOver): void {
    this.#over = over;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#early.clear();
  }
}
