/**
 * Blobs that a client holds ready for its device, which asks for those it lacks (specification §8): files on the disk or
 * content in memory, given out by digest and never more than was asked for.
 */
import { open, type FileHandle } from 'node:fs/promises';

import { servedRange } from '#protocol/blob-fetch.ts';
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { hex } from '#protocol/digest.ts';
import { ClientFailure } from './failure.ts';
import { CLIENT_LIMITS } from './limits.ts';

/** Where the bytes of a blob are. `stamp` is the file's as it was hashed: what changed since has another digest. */
export type BlobSource = { readonly content: Uint8Array } | { readonly file: string; readonly stamp: string };

export interface OfferedBlob {
  readonly digest: Uint8Array;
  readonly bytes: number;
  readonly source: BlobSource;
}

/** Called when a piece was given out; `end` is the byte after it. */
export type Served = (blob: OfferedBlob, end: number) => void;

interface Offer {
  readonly blob: OfferedBlob;
  readonly served: Set<Served>;
}

export class Offers {
  readonly #offers = new Map<string, Offer>();
  readonly #needs: BlobNeed[] = [];
  readonly #send: (chunk: BlobChunk) => Promise<void>;
  readonly #warn: (sentence: string) => void;
  #serving = false;

  constructor(send: (chunk: BlobChunk) => Promise<void>, warn: (sentence: string) => void) {
    this.#send = send;
    this.#warn = warn;
  }

  /** @throws ClientFailure `too-many` */
  add(blobs: readonly OfferedBlob[], served: Served): void {
    if (this.#offers.size + blobs.length > CLIENT_LIMITS.offersMax) {
      throw new ClientFailure(
        'too-many',
        `at most ${CLIENT_LIMITS.offersMax} files can be offered at one time; close the client when its capsules have ended`,
      );
    }
    for (const blob of blobs) {
      const key = hex(blob.digest);
      const offer = this.#offers.get(key) ?? { blob, served: new Set() };
      offer.served.add(served);
      this.#offers.set(key, offer);
    }
  }

  withdraw(blobs: readonly OfferedBlob[], served: Served): void {
    for (const { digest } of blobs) {
      const offer = this.#offers.get(hex(digest));
      offer?.served.delete(served);
      if (offer?.served.size === 0) this.#offers.delete(hex(digest));
    }
  }

  /** The device asks; what doesn't fit the queue is dropped, since the device asks again. */
  needed(need: BlobNeed): void {
    if (this.#needs.length >= CLIENT_LIMITS.needsMax) return;
    this.#needs.push(need);
    if (!this.#serving) void this.#serveAll();
  }

  async #serveAll(): Promise<void> {
    this.#serving = true;
    for (let need = this.#needs.shift(); need !== undefined; need = this.#needs.shift()) {
      // Another program of this client may be the one that is asked; "missing" would end its capsule.
      const offer = this.#offers.get(hex(need.digest));
      if (offer)
        await this.#serve(need, offer).catch((error: unknown) => this.#warn(error instanceof Error ? error.message : String(error)));
    }
    this.#serving = false;
  }

  async #serve(need: BlobNeed, offer: Offer): Promise<void> {
    const { offset, bytes } = servedRange(need, offer.blob.bytes);
    const content = await readRange(offer.blob, offset, bytes).catch(async (error: unknown) => {
      await this.#send({ chunk: 'missing', digest: need.digest });
      throw error;
    });
    await this.#send({ chunk: 'content', digest: need.digest, offset, total: offer.blob.bytes, content });
    for (const served of offer.served) served(offer.blob, offset + bytes);
  }
}

/** What tells a file from a later version of itself. */
export async function fileStamp(file: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs } = await file.stat({ bigint: true });
  return [dev, ino, size, mtimeNs].join(':');
}

/** @throws ClientFailure `file-changed`; Error with `code` of the file system */
async function readRange({ source }: OfferedBlob, offset: number, bytes: number): Promise<Uint8Array> {
  if ('content' in source) return source.content.subarray(offset, offset + bytes);
  const file = await open(source.file, 'r');
  try {
    if ((await fileStamp(file)) !== source.stamp) throw changed(source.file);
    const content = new Uint8Array(bytes);
    const { bytesRead } = await file.read(content, 0, bytes, offset);
    if (bytesRead !== bytes) throw changed(source.file);
    return content;
  } finally {
    await file.close();
  }
}

function changed(file: string): ClientFailure {
  return new ClientFailure(
    'file-changed',
    `${file} was changed after it was submitted; leave the files of a capsule alone until they are uploaded, and submit it again`,
  );
}
