/** Fetches the logs that a box's evidence names: first the list of parts, then the parts that are not here yet. Specification §6.5. */
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { hex } from '#protocol/digest.ts';
import type { BoxTpmEvidence, LogReference } from '#protocol/measured-box/box-tpm.ts';
import { listBytes, partsIn } from '#protocol/measured-box/log-parts.ts';
import type { BoxLogs } from '#protocol/measured-box/measurement.ts';
import type { Clock } from '../ports.ts';
import { BlobCollector, type WantedFile } from '../store/blob-collector.ts';
import type { BlobStore } from '../store/blob-store.ts';

type Waiting = { readonly resolve: () => void; readonly reject: (error: Error) => void };

export class LogCollector {
  readonly #blobs: BlobStore;
  readonly #collector: BlobCollector;
  /** By box and digest. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(blobs: BlobStore, now: Clock, ask: (box: string, need: BlobNeed) => void) {
    this.#blobs = blobs;
    this.#collector = new BlobCollector(blobs, {
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

  /** @throws Error that says which log did not come */
  async collect(box: string, { bootLog, imaLog }: BoxTpmEvidence): Promise<BoxLogs> {
    return { boot: await this.#log(box, bootLog), ima: await this.#log(box, imaLog) };
  }

  async #log(box: string, reference: LogReference): Promise<Uint8Array> {
    if (reference.bytes === 0) return new Uint8Array();
    const list = await this.#blob(box, { digest: reference.digest, bytes: listBytes(reference) });
    const log = new Uint8Array(reference.bytes);
    let at = 0;
    for (const part of partsIn(list, reference)) {
      log.set(await this.#blob(box, part), at);
      at += part.bytes;
    }
    return log;
  }

  /** What is here already need not travel: unlike the input of a capsule, a log is no secret of somebody else's. */
  async #blob(box: string, file: WantedFile): Promise<Uint8Array> {
    const digest = hex(file.digest);
    if ((await this.#blobs.size(digest)) !== file.bytes) await this.#fetch(box, file, digest);
    const content = await this.#blobs.read(digest, 0, file.bytes);
    if (content.length !== file.bytes)
      throw new Error(`the log ${digest.slice(0, 16)} of box ${box} has ${content.length} bytes; ${file.bytes} were named`);
    return content;
  }

  #fetch(box: string, file: WantedFile, digest: string): Promise<void> {
    const key = `box.${box}/${digest}`;
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
}
