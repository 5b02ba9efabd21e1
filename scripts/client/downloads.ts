/** Blobs that a client fetches from its device into files: the host of `protocol/blob-fetch.ts` (specification §8). Resumes and checks the digest. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';

import { startFetch, stepFetch, type BlobFetch, type FetchEffect, type FetchEvent } from '#protocol/blob-fetch.ts';
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ClientFailure } from './failure.ts';
import { CLIENT_LIMITS, type ClientTimes } from './limits.ts';

export interface WantedFile {
  readonly digest: Uint8Array;
  readonly bytes: number;
  /** Appears whole or not at all; until then its bytes stand in `<into>.part`. */
  readonly into: string;
  readonly onProgress?: (bytes: number) => void;
}

export class Downloads {
  readonly #running = new Set<Download>();
  readonly #ask: (need: BlobNeed) => void;
  readonly #times: ClientTimes;
  readonly #device: string;
  #connected = false;

  constructor(device: string, times: ClientTimes, ask: (need: BlobNeed) => void) {
    this.#device = device;
    this.#times = times;
    this.#ask = ask;
  }

  /** @throws ClientFailure `blob-missing`, `blob-wrong`, `no-answer`, `too-many`; Error with `code` of the file system */
  async fetch(wanted: WantedFile): Promise<void> {
    if (this.#running.size >= CLIENT_LIMITS.requestsMax)
      throw new ClientFailure('too-many', `${CLIENT_LIMITS.requestsMax} downloads run already; await some of them first`);
    const part = `${wanted.into}.part`;
    const file = await open(part, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
    const download = new Download(wanted, file, this.#device, this.#times, this.#ask);
    this.#running.add(download);
    try {
      await download.run(this.#connected);
    } catch (error) {
      if (error instanceof ClientFailure && error.code === 'blob-wrong') await rm(part, { force: true });
      throw error;
    } finally {
      this.#running.delete(download);
      await file.close();
    }
    await rename(part, wanted.into);
  }

  received(chunk: BlobChunk): void {
    for (const download of this.#running) download.happened({ event: 'chunkReceived', chunk, atMs: Date.now() });
  }

  connected(connected: boolean): void {
    this.#connected = connected;
    for (const download of this.#running)
      download.happened(connected ? { event: 'connected', atMs: Date.now() } : { event: 'disconnected' });
  }

  close(): void {
    for (const download of this.#running) download.abandon(new ClientFailure('closed', 'the client was closed during a download'));
  }
}

/** One fetch: events in, one after the other, each with its effects performed before the next. */
class Download {
  readonly #wanted: WantedFile;
  readonly #file: FileHandle;
  readonly #device: string;
  readonly #times: ClientTimes;
  readonly #ask: (need: BlobNeed) => void;
  readonly #events: FetchEvent[] = [];
  readonly #end = Promise.withResolvers<undefined>();
  #fetch: BlobFetch;
  #stepping = false;
  #broughtAtMs = Date.now();

  constructor(wanted: WantedFile, file: FileHandle, device: string, times: ClientTimes, ask: (need: BlobNeed) => void) {
    this.#wanted = wanted;
    this.#file = file;
    this.#device = device;
    this.#times = times;
    this.#ask = ask;
    this.#fetch = startFetch({ digest: wanted.digest, bytes: wanted.bytes, bytesMax: wanted.bytes }, 0);
    this.#end.promise.catch(() => undefined); // it may fail before `run` awaits it, which is no unhandled rejection
  }

  async run(connected: boolean): Promise<void> {
    await this.#resume();
    const tick = setInterval(
      () => this.happened({ event: 'timePassed', atMs: Date.now() }),
      Math.min(LIMITS.chunkWaitMs, this.#times.downloadSilenceMs) / 2,
    );
    if (connected) this.happened({ event: 'connected', atMs: Date.now() });
    try {
      await this.#end.promise;
    } finally {
      clearInterval(tick);
    }
  }

  happened(event: FetchEvent): void {
    if (event.event === 'chunkReceived' && !sameBytes(event.chunk.digest, this.#wanted.digest)) return;
    if (event.event === 'timePassed' && Date.now() - this.#broughtAtMs > this.#times.downloadSilenceMs) this.abandon(this.#silent());
    const repeats = event.event === 'chunkReceived' || event.event === 'timePassed';
    if (repeats && this.#events.length >= 4 * LIMITS.chunksInFlightMax) return;
    this.#events.push(event);
    if (!this.#stepping) void this.#stepAll();
  }

  abandon(failure: Error): void {
    this.#end.reject(failure);
  }

  async #stepAll(): Promise<void> {
    this.#stepping = true;
    try {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
        const { fetch, effects } = stepFetch(this.#fetch, event);
        this.#fetch = fetch;
        for (const effect of effects) await this.#perform(effect);
      }
    } catch (error) {
      this.#end.reject(error);
    }
    this.#stepping = false;
  }

  async #perform(effect: FetchEffect): Promise<void> {
    switch (effect.effect) {
      case 'ask':
        return this.#ask(effect.need);
      case 'write':
        this.#broughtAtMs = Date.now();
        await this.#file.appendFile(effect.content);
        return this.#wanted.onProgress?.(this.#fetch.written);
      case 'check':
        this.#events.unshift({ event: 'checked', matches: sameBytes(await digestOf(this.#file), this.#wanted.digest), atMs: Date.now() });
        return undefined;
      case 'discard':
        return this.#file.truncate(0);
      case 'finish':
        return this.#end.resolve(undefined);
      case 'fail':
        return this.#failed(effect.reason, effect.detail);
    }
  }

  /** An unanswered fetch begins anew where it stands, until nothing has come for too long: the device may be restarting. */
  async #failed(reason: 'missing' | 'wrong' | 'too-large' | 'unanswered', detail: string): Promise<void> {
    if (reason === 'unanswered') {
      await this.#resume();
      this.#events.unshift({ event: 'connected', atMs: Date.now() });
      return;
    }
    const code = reason === 'missing' ? 'blob-missing' : 'blob-wrong';
    this.#end.reject(
      new ClientFailure(code, `the file ${hex(this.#wanted.digest).slice(0, 16)} can't be fetched from device ${this.#device}: ${detail}`),
    );
  }

  async #resume(): Promise<void> {
    const { digest, bytes } = this.#wanted;
    const { size } = await this.#file.stat();
    this.#fetch = startFetch({ digest, bytes, bytesMax: bytes }, size);
    await this.#file.truncate(this.#fetch.written);
  }

  #silent(): ClientFailure {
    const seconds = Math.round(this.#times.downloadSilenceMs / 1_000);
    return new ClientFailure(
      'no-answer',
      `device ${this.#device} sent nothing of the file ${hex(this.#wanted.digest).slice(0, 16)} for ${seconds} s; what has come is kept, ask again to go on from there`,
    );
  }
}

/** SHA-256 of a file from its start. */
export async function digestOf(file: FileHandle): Promise<Uint8Array> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(CLIENT_LIMITS.readBytes);
  let position = 0;
  for (let read = -1; read !== 0; position += read) {
    read = (await file.read(buffer, 0, buffer.length, position)).bytesRead;
    hash.update(buffer.subarray(0, read));
  }
  return Uint8Array.from(hash.digest());
}
