/** Fetches blobs from the device into the store: the host of the machine in `protocol/blob-fetch.ts`. Specification §8. */
import type { Hash } from 'node:crypto';
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { startFetch, stepFetch, type BlobFetch, type FetchEffect, type FetchEvent, type FetchFailure } from '#protocol/blob-fetch.ts';
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { errorCode, isDiskFull } from './atomic-file.ts';
import { hashFile, type BlobStore } from './blobs.ts';
import { blobsAtOnceMax, chunksWaitingMax } from './limits.ts';
import type { Log } from './log.ts';

export type FetchVerdict =
  /** The store has it and holds it for the caller, who releases it. */
  | { readonly status: 'fetched' }
  | { readonly status: 'failed'; readonly reason: 'blob-missing' | 'blob-wrong' | 'disk-full' | 'aborted'; readonly detail: string };

export interface FetcherParts {
  readonly store: BlobStore;
  readonly ask: (need: BlobNeed) => void;
  readonly nowMs: () => number;
  readonly log: Log;
}

export class BlobFetcher {
  readonly #parts: FetcherParts;
  readonly #downloads = new Map<string, Download>();
  readonly #line: (() => void)[] = [];
  #busy = 0;
  #connected = false;
  #state: 'open' | 'closed' = 'open';

  constructor(parts: FetcherParts) {
    this.#parts = parts;
  }

  /** Fetches a blob unless the store has it; two who want the same share one fetch. @param signal gives it up */
  async fetch(blob: { digest: Uint8Array; bytes: number }, signal: AbortSignal): Promise<FetchVerdict> {
    await this.#place();
    try {
      return await this.#fetchNow(blob, signal);
    } finally {
      this.#busy -= 1;
      this.#line.shift()?.();
    }
  }

  chunkReceived(chunk: BlobChunk): void {
    this.#downloads.get(hex(chunk.digest))?.chunkReceived(chunk);
  }

  connected(): void {
    this.#connected = true;
    for (const download of this.#downloads.values()) download.tell({ event: 'connected', atMs: this.#parts.nowMs() });
  }

  disconnected(): void {
    this.#connected = false;
    for (const download of this.#downloads.values()) download.tell({ event: 'disconnected' });
  }

  /** Gives every fetch up; what has come stays for another time. */
  close(): void {
    this.#state = 'closed';
    for (const download of this.#downloads.values()) download.giveUp();
  }

  async #place(): Promise<void> {
    if (this.#busy >= blobsAtOnceMax) await new Promise<void>((resolve) => this.#line.push(resolve));
    this.#busy += 1;
  }

  async #fetchNow(blob: { digest: Uint8Array; bytes: number }, signal: AbortSignal): Promise<FetchVerdict> {
    if (signal.aborted) return aborted;
    const storedBytes = this.#parts.store.sizeOf(blob.digest);
    if (storedBytes !== undefined && storedBytes !== blob.bytes) return otherSize(blob, storedBytes);
    if (this.#parts.store.hold(blob.digest)) return { status: 'fetched' };
    const running = this.#downloads.get(hex(blob.digest));
    const verdict = await (running ?? this.#begin(blob)).wait(signal);
    if (verdict.status === 'failed') return this.#wasGivenUpByOthers(verdict, signal) ? this.#fetchNow(blob, signal) : verdict;
    return this.#parts.store.hold(blob.digest) ? verdict : { status: 'failed', reason: 'blob-missing', detail: 'it was removed again' };
  }

  /** The last who wanted it gave up just before this one came. */
  #wasGivenUpByOthers(verdict: FetchVerdict & { status: 'failed' }, signal: AbortSignal): boolean {
    return verdict.reason === 'aborted' && !signal.aborted && this.#state === 'open';
  }

  #begin(blob: { digest: Uint8Array; bytes: number }): Download {
    const download = new Download(blob, this.#parts);
    this.#downloads.set(hex(blob.digest), download);
    void download.finished.then(() => this.#downloads.delete(hex(blob.digest)));
    download.begin(this.#connected);
    return download;
  }
}

const aborted: FetchVerdict = { status: 'failed', reason: 'aborted', detail: 'nobody wants it any more' };

function otherSize({ digest, bytes }: { digest: Uint8Array; bytes: number }, storedBytes: number): FetchVerdict {
  return { status: 'failed', reason: 'blob-wrong', detail: `blob ${hex(digest)} has ${storedBytes} bytes, not ${bytes}` };
}

const tickMs = 1_000;

const reasons: Readonly<Record<FetchFailure, 'blob-missing' | 'blob-wrong'>> = {
  missing: 'blob-missing',
  unanswered: 'blob-missing',
  wrong: 'blob-wrong',
  'too-large': 'blob-wrong',
};

/** One blob on its way into a file. Events are worked off one by one, so that content is written in order. */
class Download {
  readonly finished: Promise<FetchVerdict>;
  readonly #blob: { digest: Uint8Array; bytes: number };
  readonly #parts: FetcherParts;
  readonly #file: string;
  readonly #finish: (verdict: FetchVerdict) => void;
  #ticks: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  #chunksWaiting = 0;
  #wanting = 0;
  #fetch: BlobFetch | undefined;
  #handle: FileHandle | undefined;
  #hash: Hash | undefined;

  constructor(blob: { digest: Uint8Array; bytes: number }, parts: FetcherParts) {
    this.#blob = blob;
    this.#parts = parts;
    this.#file = parts.store.partialPathOf(blob.digest);
    const { promise, resolve } = Promise.withResolvers<FetchVerdict>();
    this.finished = promise;
    this.#finish = resolve;
  }

  begin(connected: boolean): void {
    this.#ticks = setInterval(() => {
      this.tell({ event: 'timePassed', atMs: this.#parts.nowMs() });
    }, tickMs);
    this.#queue(() => this.#resume());
    if (connected) this.tell({ event: 'connected', atMs: this.#parts.nowMs() });
  }

  /** The last one who gives up ends the fetch; what has come stays for another time. */
  async wait(signal: AbortSignal): Promise<FetchVerdict> {
    this.#wanting += 1;
    const { promise, resolve } = Promise.withResolvers<FetchVerdict>();
    const giveUp = () => {
      this.#wanting -= 1;
      if (this.#wanting === 0) this.giveUp();
      resolve(aborted);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const verdict = await Promise.race([this.finished, promise]);
    signal.removeEventListener('abort', giveUp);
    return verdict;
  }

  giveUp(): void {
    this.#queue(() => this.#end(aborted));
  }

  chunkReceived(chunk: BlobChunk): void {
    if (this.#chunksWaiting >= chunksWaitingMax) return;
    this.#chunksWaiting += 1;
    this.tell({ event: 'chunkReceived', chunk, atMs: this.#parts.nowMs() });
    this.#queue(() => {
      this.#chunksWaiting -= 1;
    });
  }

  tell(event: FetchEvent): void {
    this.#queue(() => this.#step(event));
  }

  #queue(job: () => Promise<void> | void): void {
    this.#work = this.#work.then(job).catch((error: unknown) => this.#end(this.#failure(error)));
  }

  async #resume(): Promise<void> {
    const found = await stat(this.#file).catch(() => undefined);
    this.#fetch = startFetch({ digest: this.#blob.digest, bytes: this.#blob.bytes, bytesMax: LIMITS.blobBytesMax }, found?.size ?? 0);
    this.#handle = await open(this.#file, 'a', 0o600);
    await this.#handle.truncate(this.#fetch.written);
    this.#hash = await hashFile(this.#file, this.#fetch.written);
  }

  async #step(event: FetchEvent): Promise<void> {
    if (this.#fetch === undefined || this.#handle === undefined) return;
    const { fetch, effects } = stepFetch(this.#fetch, event);
    this.#fetch = fetch;
    for (const effect of effects) await this.#perform(effect, this.#handle);
  }

  async #perform(effect: FetchEffect, handle: FileHandle): Promise<void> {
    switch (effect.effect) {
      case 'ask':
        this.#parts.ask(effect.need);
        return;
      case 'write':
        await handle.appendFile(effect.content);
        this.#hash?.update(effect.content);
        return;
      case 'check':
        return this.#check();
      case 'discard':
        await handle.truncate(0);
        this.#hash = await hashFile(this.#file, 0);
        return;
      case 'finish':
        return this.#adopt(effect.bytes);
      case 'fail':
        this.#parts.log('blob-failed', { blob: hex(this.#blob.digest), reason: effect.reason });
        return this.#end({ status: 'failed', reason: reasons[effect.reason], detail: `blob ${hex(this.#blob.digest)}: ${effect.detail}` });
    }
  }

  async #check(): Promise<void> {
    const matches = sameBytes(this.#hash?.copy().digest() ?? new Uint8Array(), this.#blob.digest);
    if (!matches) this.#parts.log('blob-wrong', { blob: hex(this.#blob.digest) });
    await this.#step({ event: 'checked', matches, atMs: this.#parts.nowMs() });
  }

  async #adopt(bytes: number): Promise<void> {
    await this.#parts.store.adopt(this.#file, this.#blob.digest, bytes);
    await this.#end({ status: 'fetched' });
    await this.finished;
    // Whoever waited holds it by now.
    setImmediate(() => {
      this.#parts.store.release(this.#blob.digest);
    });
  }

  /** Half a blob stays, unless it has no byte or no room. */
  async #end(verdict: FetchVerdict): Promise<void> {
    clearInterval(this.#ticks);
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
    const isWorthless = (this.#fetch?.written ?? 0) === 0 || (verdict.status === 'failed' && verdict.reason === 'disk-full');
    if (isWorthless) await rm(this.#file, { force: true });
    this.#finish(verdict);
  }

  #failure(error: unknown): FetchVerdict {
    if (!isDiskFull(error)) this.#parts.log('blob-failed', { blob: hex(this.#blob.digest), reason: errorCode(error) ?? String(error) });
    const detail = `the box's disk is full: blob ${hex(this.#blob.digest)} has ${this.#blob.bytes} bytes`;
    if (isDiskFull(error)) return { status: 'failed', reason: 'disk-full', detail };
    return {
      status: 'failed',
      reason: 'disk-full',
      detail: `the box can't store blob ${hex(this.#blob.digest)}: ${errorCode(error) ?? 'unknown failure'}`,
    };
  }
}
