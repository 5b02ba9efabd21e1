/**
 * What the box remembers of a run through every end of the agent: one folder a run, with a small record that is
 * replaced as a whole, and the run's log. Specification §6.4.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { RunId } from '#protocol/box-messages.ts';
import { decodeStrict, encodeStrict, readPlain } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { bytes, integer, struct, variant, type Infer } from '#protocol/schema.ts';
import { readIfThere, syncFolder, writeAtomic } from './atomic-file.ts';
import { runRecordBytesMax } from './limits.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** `capsule`: digest of the manifest, for the report of a run that the agent did not survive. */
export const RunRecord = variant('stage', {
  assigned: struct({ capsule: Digest, assignedAtMs: UnixMs }),
  running: struct({ capsule: Digest, startedAtMs: UnixMs }),
  /** The report as it is said again and again. */
  reported: struct({ report: bytes({ max: LIMITS.reportBytesMax }) }),
  /** Acknowledged: remembered for a while, so that a late copy of the assignment starts nothing. */
  forgotten: struct({ forgottenAtMs: UnixMs }),
});
export type RunRecord = Infer<typeof RunRecord>;

export interface StoredRun {
  readonly run: string;
  /** Absent where the disk lost it: nobody knows what the device was told. */
  readonly record?: RunRecord;
}

export class RunFolders {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<RunFolders> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new RunFolders(folder);
  }

  folderOf(run: string): string {
    return path.join(this.#folder, run);
  }

  /** Returns when the record is on the disk. @throws Error with `code`, such as ENOSPC; the record before it is kept then */
  async save(run: string, record: RunRecord): Promise<void> {
    const made = await mkdir(this.folderOf(run), { recursive: true, mode: 0o700 });
    await writeAtomic(path.join(this.folderOf(run), recordName), encodeStrict(RunRecord, record));
    if (made !== undefined) await syncFolder(this.#folder);
  }

  /** Keeps the record alone. */
  async strip(run: string): Promise<void> {
    const names = await readdir(this.folderOf(run));
    for (const name of names.filter((one) => one !== recordName)) await rm(path.join(this.folderOf(run), name), { force: true });
  }

  async remove(run: string): Promise<void> {
    await rm(this.folderOf(run), { recursive: true, force: true });
  }

  /** All runs, in the order of their names. A folder without a record is removed: nothing was said of it. */
  async list(): Promise<StoredRun[]> {
    const stored: StoredRun[] = [];
    for (const run of (await readdir(this.#folder)).sort()) {
      if (readPlain(RunId, run).status === 'malformed') continue;
      const encoded = await readIfThere(path.join(this.folderOf(run), recordName));
      if (encoded === undefined) await this.remove(run);
      else stored.push({ run, ...recordFrom(encoded) });
    }
    return stored;
  }
}

const recordName = 'record';

function recordFrom(encoded: Uint8Array): Pick<StoredRun, 'record'> {
  const decoded = decodeStrict(RunRecord, encoded, runRecordBytesMax);
  return decoded.status === 'decoded' ? { record: decoded.value } : {};
}
