/**
 * The logs that boxes' evidence names: fetched part by part and kept, so that of a log that grows only the last part travels again.
 * Specification §6.5. A store of their own: what a box names is never a capsule's blob.
 */
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { hex } from '#protocol/digest.ts';
import type { BoxTpmEvidence, LogReference } from '#protocol/measured-box/box-tpm.ts';
import { listBytes, partsIn } from '#protocol/measured-box/log-parts.ts';
import type { BoxLogs } from '#protocol/measured-box/measurement.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Clock } from '../ports.ts';
import { BlobCollector, type WantedFile } from '../store/blob-collector.ts';
import type { BlobStore } from '../store/blob-store.ts';

type Waiting = { readonly resolve: () => void; readonly reject: (error: Error) => void };

/** Logs whose parts are all here. */
export interface CollectedLogs {
  readonly boot: readonly WantedFile[];
  readonly ima: readonly WantedFile[];
}

export class LogCollector {
  readonly #store: BlobStore;
  readonly #collector: BlobCollector;
  /** By box and digest. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** What each box has here or is to have, in hexadecimal; whatever else lies in the store goes. */
  readonly #kept = new Map<string, ReadonlySet<string>>();

  constructor(store: BlobStore, now: Clock, ask: (box: string, need: BlobNeed) => void) {
    this.#store = store;
    this.#collector = new BlobCollector(store, {
      ask: (source, need) => ask(source.slice('box.'.length), need),
      stored: (source, digest) => this.#settle(`${source}/${digest}`, ({ resolve }) => resolve()),
      failed: (source, digest, reason, detail) =>
        this.#settle(`${source}/${digest}`, ({ reject }) =>
          reject(new Error(`the box's log ${digest.slice(0, 16)} is ${reason}: ${detail}`)),
        ),
      now,
    });
  }

  chunkReceived(box: string, chunk: BlobChunk): void {
    this.#collector.chunkReceived(`box.${box}`, chunk);
  }

  timePassed(): void {
    this.#collector.timePassed();
  }

  /**
   * In place of those that were kept of the box. One call for a box at a time.
   * @throws Error that says which log did not come, or that there is no room for it
   */
  async collect(box: string, { bootLog, imaLog }: BoxTpmEvidence): Promise<CollectedLogs> {
    const lists = [bootLog, imaLog].filter(({ bytes }) => bytes > 0).map((log) => ({ digest: log.digest, bytes: listBytes(log) }));
    const earlier = this.#kept.get(box) ?? new Set();
    await this.#fetch(box, lists, earlier);
    const logs = { boot: await this.#partsOf(bootLog), ima: await this.#partsOf(imaLog) };
    await this.#fetch(box, [...lists, ...logs.boot, ...logs.ima], new Set());
    return logs;
  }

  /** @throws Error where a part is not here any more */
  async read({ boot, ima }: CollectedLogs): Promise<BoxLogs> {
    return { boot: await this.#joined(boot), ima: await this.#joined(ima) };
  }

  /** What the box had named is not kept; what can't be removed now goes with the next log. */
  async drop(box: string): Promise<void> {
    this.#kept.delete(box);
    await this.#sweep().catch(() => undefined);
  }

  /** Sees to it that all of them are here. What is here already need not travel: a log is no secret of somebody else's. */
  async #fetch(box: string, files: readonly WantedFile[], besides: ReadonlySet<string>): Promise<void> {
    this.#kept.set(box, new Set([...besides, ...files.map(({ digest }) => hex(digest))]));
    await this.#sweep();
    const sizes = await Promise.all(files.map(({ digest }) => this.#store.size(hex(digest))));
    const lacking = files.filter(({ bytes }, index) => sizes[index] !== bytes);
    await this.#requireRoom(lacking.reduce((sum, { bytes }) => sum + bytes, 0));
    for (const file of lacking) await this.#fetched(box, file);
  }

  async #requireRoom(bytes: number): Promise<void> {
    if (bytes === 0) return;
    const freeBytes = await this.#store.freeBytes();
    if (freeBytes - bytes < DEVICE_LIMITS.freeBytesMin)
      throw new Error(`its logs take ${bytes} bytes; the device has ${freeBytes} free and keeps ${DEVICE_LIMITS.freeBytesMin}`);
  }

  async #partsOf(log: LogReference): Promise<WantedFile[]> {
    return log.bytes === 0 ? [] : partsIn(await this.#content({ digest: log.digest, bytes: listBytes(log) }), log);
  }

  async #joined(parts: readonly WantedFile[]): Promise<Uint8Array> {
    const log = new Uint8Array(parts.reduce((sum, { bytes }) => sum + bytes, 0));
    let at = 0;
    for (const part of parts) {
      log.set(await this.#content(part), at);
      at += part.bytes;
    }
    return log;
  }

  async #content({ digest, bytes }: WantedFile): Promise<Uint8Array> {
    const content = await this.#store.read(hex(digest), 0, bytes);
    if (content.length === bytes) return content;
    throw new Error(`the log ${hex(digest).slice(0, 16)} has ${content.length} bytes; ${bytes} were named`);
  }

  #fetched(box: string, file: WantedFile): Promise<void> {
    const key = `box.${box}/${hex(file.digest)}`;
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), { resolve, reject }]);
      this.#collector.collect(`box.${box}`, file);
    });
  }

  #settle(key: string, act: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    waiting.forEach(act);
  }

  /** Whole parts and parts of them that no box is to have here: earlier logs, interrupted fetches, those of before the device's start. */
  #sweep(): Promise<void> {
    return this.#store.sweep((digest) => [...this.#kept.values()].some((digests) => digests.has(digest)), Number.POSITIVE_INFINITY);
  }
}
