/**
 * The box's blobs: files named by the SHA-256 of their content, in one folder. Specification §8.
 * What a run needs or has left is held; the rest is a cache, of which the longest unused goes first.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { hex } from '#protocol/digest.ts';
import { syncFolder } from './atomic-file.ts';
import { partialBlobMs } from './limits.ts';

export interface BlobStoreSettings {
  readonly folder: string;
  /** How much of what nobody holds is kept. */
  readonly cacheBytesMax: number;
  readonly nowMs: () => number;
}

interface Entry {
  readonly bytes: number;
  usedAtMs: number;
  holders: number;
}

export class BlobStore {
  readonly #settings: BlobStoreSettings;
  readonly #entries: Map<string, Entry>;

  private constructor(settings: BlobStoreSettings, entries: Map<string, Entry>) {
    this.#settings = settings;
    this.#entries = entries;
  }

  static async open(settings: BlobStoreSettings): Promise<BlobStore> {
    await mkdir(settings.folder, { recursive: true, mode: 0o700 });
    const store = new BlobStore(settings, await readEntries(settings));
    await store.tidy();
    return store;
  }

  has(digest: Uint8Array): boolean {
    return this.#entries.has(hex(digest));
  }

  /** Size in bytes, where the store has it. */
  sizeOf(digest: Uint8Array): number | undefined {
    return this.#entries.get(hex(digest))?.bytes;
  }

  pathOf(digest: Uint8Array): string {
    return path.join(this.#settings.folder, hex(digest));
  }

  /** Where half a blob lies until it is whole. */
  partialPathOf(digest: Uint8Array): string {
    return `${this.pathOf(digest)}${partialSuffix}`;
  }

  /** Keeps a blob from removal until it is released as often. False where the store lacks it. */
  hold(digest: Uint8Array): boolean {
    const entry = this.#entries.get(hex(digest));
    if (entry === undefined) return false;
    entry.holders += 1;
    entry.usedAtMs = this.#settings.nowMs();
    void touch(this.pathOf(digest), entry.usedAtMs);
    return true;
  }

  release(digest: Uint8Array): void {
    const entry = this.#entries.get(hex(digest));
    if (entry !== undefined && entry.holders > 0) entry.holders -= 1;
  }

  /** Makes a whole file, whose content has been checked against `digest`, a blob of this store, and holds it. */
  async adopt(file: string, digest: Uint8Array, bytes: number): Promise<void> {
    await chmod(file, 0o444);
    await rename(file, this.pathOf(digest));
    const holders = this.#entries.get(hex(digest))?.holders ?? 0;
    this.#entries.set(hex(digest), { bytes, usedAtMs: this.#settings.nowMs(), holders: holders + 1 });
  }

  /**
   * Copies a file into the store, so that it outlives a power cut, and holds it.
   * @returns what was copied, which is what the digest covers, whatever the file was before
   * @throws Error with `code`, such as ENOSPC
   */
  async keep(source: string): Promise<{ digest: Uint8Array; bytes: number }> {
    const fresh = path.join(this.#settings.folder, `${path.basename(source).slice(0, 8).replace(/\W/g, '_')}-${++copies}${partialSuffix}`);
    try {
      const copied = await copyHashed(source, fresh);
      if (!this.hold(copied.digest)) await this.adopt(fresh, copied.digest, copied.bytes);
      return copied;
    } finally {
      await rm(fresh, { force: true });
    }
  }

  /** Makes the names of what was kept last. */
  async sync(): Promise<void> {
    await syncFolder(this.#settings.folder);
  }

  /** A piece of a blob; shorter where the blob ends. @throws Error with `code` */
  async read(digest: Uint8Array, offset: number, bytes: number): Promise<Uint8Array> {
    const handle = await open(this.pathOf(digest), 'r');
    try {
      const content = new Uint8Array(bytes);
      const { bytesRead } = await handle.read(content, 0, bytes, offset);
      return content.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** Removes a blob that nobody holds: its content is not what its name says, or room is needed. */
  async remove(digest: Uint8Array): Promise<void> {
    if ((this.#entries.get(hex(digest))?.holders ?? 0) === 0) await this.#drop(hex(digest));
  }

  /** Removes the longest unused until the cache fits. */
  async tidy(): Promise<void> {
    await this.#shrinkTo(this.#settings.cacheBytesMax);
  }

  /** Removes everything that nobody holds: the disk is full. */
  async clear(): Promise<void> {
    await this.#shrinkTo(0);
  }

  async #shrinkTo(bytesMax: number): Promise<void> {
    const idle = [...this.#entries]
      .filter(([, entry]) => entry.holders === 0)
      .sort(([, left], [, right]) => left.usedAtMs - right.usedAtMs);
    let bytes = idle.reduce((sum, [, entry]) => sum + entry.bytes, 0);
    for (const [name, entry] of idle) {
      if (bytes <= bytesMax) return;
      await this.#drop(name);
      bytes -= entry.bytes;
    }
  }

  async #drop(name: string): Promise<void> {
    this.#entries.delete(name);
    await rm(path.join(this.#settings.folder, name), { force: true });
  }
}

/** SHA-256 of a file's first `bytes` bytes, still open for more. */
export async function hashFile(file: string, bytes: number): Promise<Hash> {
  const hash = createHash('sha256');
  if (bytes === 0) return hash;
  for await (const piece of createReadStream(file, { end: bytes - 1, highWaterMark: copyBytes })) hash.update(piece as Uint8Array);
  return hash;
}

const partialSuffix = '.part';
const copyBytes = 1 << 18;
let copies = 0;

async function readEntries({ folder, nowMs }: BlobStoreSettings): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await stat(file);
    if (/^[0-9a-f]{64}$/.test(name)) entries.set(name, { bytes: found.size, usedAtMs: found.mtimeMs, holders: 0 });
    else if (!isResumable(name) || nowMs() - found.mtimeMs > partialBlobMs) await rm(file, { force: true });
  }
  return entries;
}

function isResumable(name: string): boolean {
  return /^[0-9a-f]{64}\.part$/.test(name);
}

async function touch(file: string, atMs: number): Promise<void> {
  try {
    await utimes(file, atMs / 1_000, atMs / 1_000);
  } catch {
    // the order of removal is a matter of speed only
  }
}

async function copyHashed(source: string, target: string): Promise<{ digest: Uint8Array; bytes: number }> {
  const hash = createHash('sha256');
  const handle = await open(target, 'wx', 0o600);
  let bytes = 0;
  try {
    for await (const piece of createReadStream(source, { highWaterMark: copyBytes })) {
      const content = piece as Uint8Array;
      hash.update(content);
      await handle.writeFile(content);
      bytes += content.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { digest: Uint8Array.from(hash.digest()), bytes };
}
