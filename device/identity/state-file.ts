/** A record of the device's state that is on the disk as a whole or not at all, readable by nobody else. rename(2), fsync(2). */
import { open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export class StateFile {
  readonly path: string;
  readonly #bytesMax: number;
  #saving: Promise<void> = Promise.resolve();

  /** @param bytesMax a longer file is not ours */
  constructor(path: string, bytesMax: number) {
    this.path = path;
    this.#bytesMax = bytesMax;
  }

  /** @returns undefined where there is none yet. @throws Error with code `ERR_STATE` where it is too long to be ours */
  async load(): Promise<Uint8Array | undefined> {
    try {
      const { size } = await stat(this.path);
      if (size > this.#bytesMax) throw new StateError(this.path, `it has ${size} bytes; at most ${this.#bytesMax} are expected`);
      return new Uint8Array(await readFile(this.path));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Returns when content and name are on the disk; saves are done one after the other. */
  async save(record: Uint8Array): Promise<void> {
    const saved = this.#saving.then(() => this.#replace(record));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  async #replace(record: Uint8Array): Promise<void> {
    const draft = `${this.path}.new`;
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(record);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.path);
    await syncFolder(dirname(this.path));
  }
}

/** The state folder holds something that this program did not write. */
export class StateError extends Error {
  readonly code = 'ERR_STATE';

  constructor(path: string, what: string) {
    super(`The file ${path} can't be used: ${what}`);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
