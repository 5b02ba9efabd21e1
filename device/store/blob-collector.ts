/** Fetches blobs from a client, a box or a peer into the store, piece by piece, by the machine of `protocol/blob-fetch.ts`. Specification §8. */
import { startFetch, stepFetch, type BlobFetch, type FetchEffect, type FetchEvent, type FetchFailure } from '#protocol/blob-fetch.ts';
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { hex } from '#protocol/digest.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Clock } from '../ports.ts';
import type { BlobStore } from './blob-store.ts';

/** Who is asked: the name of a client, a box, or a peer by what it is to the capsule, told apart. */
export type BlobSource = `client.${string}` | `box.${string}` | `gateway.${string}` | `executor.${string}`;

export type CollectFailure = FetchFailure | 'disk-full';

export interface CollectorOutside {
  ask(source: BlobSource, need: BlobNeed): void;
  stored(source: BlobSource, digest: string): void;
  failed(source: BlobSource, digest: string, reason: CollectFailure, detail: string): void;
  readonly now: Clock;
}

export interface WantedFile {
  readonly digest: Uint8Array;
  readonly bytes: number;
}

interface Collecting {
  readonly source: BlobSource;
  readonly digest: string;
  fetch: BlobFetch;
  /** Events are taken one after the other: each may write to the disk. */
  turn: Promise<void>;
}

export class BlobCollector {
  readonly #store: BlobStore;
  readonly #outside: CollectorOutside;
  readonly #running = new Map<string, Collecting>();
  readonly #waiting = new Map<string, { source: BlobSource; file: WantedFile }>();

  constructor(store: BlobStore, outside: CollectorOutside) {
    this.#store = store;
    this.#outside = outside;
  }

  /**
   * Sees to it that `file` comes from `source`, also when another has given the same content before: to know a digest is
   * not to have the content, and nobody shall get a blob by naming it. Saying it again changes nothing.
   */
  collect(source: BlobSource, file: WantedFile): void {
    const key = `${source}/${hex(file.digest)}`;
    if (this.#running.has(key) || this.#waiting.has(key)) return;
    this.#waiting.set(key, { source, file });
    this.#startWaiting();
  }

  chunkReceived(source: BlobSource, chunk: BlobChunk): void {
    const collecting = this.#running.get(`${source}/${hex(chunk.digest)}`);
    if (collecting) this.#take(collecting, { event: 'chunkReceived', chunk, atMs: this.#outside.now() });
  }

  timePassed(): void {
    for (const collecting of this.#running.values()) this.#take(collecting, { event: 'timePassed', atMs: this.#outside.now() });
  }

  #startWaiting(): void {
    for (const [key, { source, file }] of this.#waiting) {
      if (!this.#mayStart(source)) continue;
      this.#waiting.delete(key);
      const fetch = startFetch({ digest: file.digest, bytes: file.bytes, bytesMax: file.bytes }, 0);
      const collecting: Collecting = { source, digest: hex(file.digest), fetch, turn: Promise.resolve() };
      this.#running.set(key, collecting);
      collecting.turn = this.#begin(collecting, file);
    }
  }

  /** Whoever names blobs and never sends them takes its own places, and nobody else's. */
  #mayStart(source: BlobSource): boolean {
    const own = [...this.#running.values()].filter((collecting) => collecting.source === source).length;
    if (own === 0) return this.#running.size < DEVICE_LIMITS.blobsCollectedAtOnceMax + DEVICE_LIMITS.blobSourcesAtOnceMax;
    return own < DEVICE_LIMITS.blobsOfSourceAtOnceMax && this.#running.size < DEVICE_LIMITS.blobsCollectedAtOnceMax;
  }

  async #begin(collecting: Collecting, file: WantedFile): Promise<void> {
    const { source, digest } = collecting;
    try {
      if (file.bytes === 0) await this.#store.writePartial(digest, source, 0, new Uint8Array(0));
      collecting.fetch = startFetch(collecting.fetch.wanted, await this.#store.partialSize(digest, source));
    } catch (error) {
      return this.#failedOnDisk(collecting, error);
    }
    this.#take(collecting, { event: 'connected', atMs: this.#outside.now() });
  }

  #take(collecting: Collecting, event: FetchEvent): void {
    collecting.turn = collecting.turn.then(() => this.#step(collecting, event));
  }

  async #step(collecting: Collecting, event: FetchEvent): Promise<void> {
    const before = collecting.fetch.written;
    const { fetch, effects } = stepFetch(collecting.fetch, event);
    collecting.fetch = fetch;
    let offset = before;
    try {
      for (const effect of effects) {
        await this.#perform(collecting, effect, offset);
        if (effect.effect === 'write') offset += effect.content.length;
      }
    } catch (error) {
      this.#failedOnDisk(collecting, error);
    }
  }

  #failedOnDisk(collecting: Collecting, error: unknown): void {
    this.#end(collecting);
    const detail = error instanceof Error ? error.message : 'the disk refused a write';
    this.#outside.failed(collecting.source, collecting.digest, 'disk-full', detail);
  }

  async #perform(collecting: Collecting, effect: FetchEffect, offset: number): Promise<void> {
    const { source, digest } = collecting;
    switch (effect.effect) {
      case 'ask':
        return this.#outside.ask(source, effect.need);
      case 'write':
        return this.#store.writePartial(digest, source, offset, effect.content);
      case 'check':
        return this.#take(collecting, {
          event: 'checked',
          matches: await this.#store.partialMatches(digest, source),
          atMs: this.#outside.now(),
        });
      case 'discard':
        return this.#store.discardPartial(digest, source);
      case 'finish':
        await this.#store.completePartial(digest, source);
        this.#end(collecting);
        return this.#outside.stored(source, digest);
      case 'fail':
        this.#end(collecting);
        return this.#outside.failed(source, digest, effect.reason, effect.detail);
    }
  }

  #end(collecting: Collecting): void {
    this.#running.delete(`${collecting.source}/${collecting.digest}`);
    this.#startWaiting();
  }
}
