/**
 * Blobs of a device by their digest: input of capsules on its way to boxes, outputs on their way back. Specification §8.
 *
 * A blob is in the store as a whole and with the right digest, or not at all.
 */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync } from 'node:fs';
import { open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { hex } from '#protocol/digest.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';

export class BlobStore {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  /** @returns the size in bytes, or undefined when the blob is not here */
  async size(digest: string): Promise<number | undefined> {
    return sizeOf(this.#file(digest));
  }

  /** @param digest hexadecimal SHA-256, which the caller has checked against `content` */
  put(digest: string, content: Uint8Array): void {
    writeWholeFile(this.#file(digest), content, 0o600);
  }

  /** Up to `bytes` bytes from `offset`. @throws Error ENOENT when the blob is not here */
  async read(digest: string, offset: number, bytes: number): Promise<Uint8Array> {
    const handle = await open(this.#file(digest), 'r');
    try {
      const buffer = new Uint8Array(bytes);
      const { bytesRead } = await handle.read(buffer, 0, bytes, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** Bytes that an interrupted fetch from `source` has left. */
  async partialSize(digest: string, source: string): Promise<number> {
    return (await sizeOf(this.#partial(digest, source))) ?? 0;
  }

  /** Appends at `offset`, which drops whatever lay beyond it. @throws Error ENOSPC when the disk is full */
  async writePartial(digest: string, source: string, offset: number, content: Uint8Array): Promise<void> {
    const handle = await open(this.#partial(digest, source), offset === 0 ? 'w' : 'r+', 0o600);
    try {
      await handle.truncate(offset);
      await handle.write(content, 0, content.length, offset);
    } finally {
      await handle.close();
    }
  }

  /** Whether what was fetched has the digest that it should have. */
  async partialMatches(digest: string, source: string): Promise<boolean> {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(this.#partial(digest, source))) hash.update(piece as Uint8Array);
    return hex(hash.digest()) === digest;
  }

  /** Makes a checked partial the blob itself, durably. */
  async completePartial(digest: string, source: string): Promise<void> {
    const handle = await open(this.#partial(digest, source), 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(this.#partial(digest, source), this.#file(digest));
  }

  async discardPartial(digest: string, source: string): Promise<void> {
    await rm(this.#partial(digest, source), { force: true });
  }

  /** Bytes free on the disk under the store. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize;
  }

  /** Removes blobs and partial ones that `isNeeded` doesn't want and that nobody has written since `untouchedSinceMs`. */
  async sweep(isNeeded: (digest: string) => boolean, untouchedSinceMs: number): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (isNeeded(name.slice(0, 64))) continue;
      const file = join(this.#folder, name);
      const writtenMs = await stat(file).then(({ mtimeMs }) => mtimeMs, absentOr);
      if (writtenMs !== undefined && writtenMs < untouchedSinceMs) await rm(file, { force: true });
    }
  }

  #file(digest: string): string {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`"${digest}" is no digest`);
    return join(this.#folder, digest);
  }

  #partial(digest: string, source: string): string {
    return `${this.#file(digest)}.${source}.part`;
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  return stat(file).then(({ size }) => size, absentOr);
}

/** For a file that isn't there (any more). @throws whatever else went wrong */
function absentOr(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
