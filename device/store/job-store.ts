/** The jobs of a device's own boxes on its disk: the run, the manifest that the gateway gave, the receipt. Specification §7.6, §15.3. */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { isClosed, Job } from '../hpc/job.ts';
import type { Database } from './database.ts';

export interface StoredJob {
  readonly job: Job;
  /** Encoded; there once the gateway has given it. */
  readonly manifest?: Uint8Array;
  /** There from the end of the run on, in one transaction with it. */
  readonly receipt?: Uint8Array;
}

export interface JobStore {
  /** Adds a job, or replaces what it was; a receipt that is there stays. */
  save(stored: StoredJob): void;
  job(capsule: string, attempt: number): StoredJob | undefined;
  /** All jobs that still owe something to somebody, in the order in which they came. */
  unclosed(): StoredJob[];
  all(): IterableIterator<StoredJob>;
  /** Removes what ended before `atMs`. */
  forgetEndedBefore(atMs: number): void;
}

export const JOB_SCHEMA = `
CREATE TABLE IF NOT EXISTS job (
  capsule TEXT NOT NULL, attempt INTEGER NOT NULL, record BLOB NOT NULL, manifest BLOB, receipt BLOB,
  closed INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, PRIMARY KEY (capsule, attempt)
) STRICT;
CREATE INDEX IF NOT EXISTS job_open ON job (accepted_ms) WHERE closed = 0;
`;

interface JobRow {
  capsule: string;
  record: Uint8Array;
  manifest: Uint8Array | null;
  receipt: Uint8Array | null;
}

export class SqliteJobs implements JobStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** One statement, so one transaction. A run has one receipt: what came first stays (§7.6). */
  save({ job, manifest, receipt }: StoredJob): void {
    this.#database
      .prepare(
        `INSERT INTO job (capsule, attempt, record, manifest, receipt, closed, accepted_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (capsule, attempt) DO UPDATE SET record = excluded.record, manifest = excluded.manifest,
         receipt = COALESCE(job.receipt, excluded.receipt), closed = excluded.closed`,
      )
      .run(
        ...[job.capsule, job.attempt, encodeStrict(Job, job), manifest ?? null, receipt ?? null],
        ...[isClosed(job) ? 1 : 0, job.acceptedAtMs],
      );
  }

  job(capsule: string, attempt: number): StoredJob | undefined {
    const row = this.#database.prepare('SELECT * FROM job WHERE capsule = ? AND attempt = ?').get(capsule, attempt);
    return row && storedJob(row as unknown as JobRow);
  }

  unclosed(): StoredJob[] {
    return (this.#database.prepare('SELECT * FROM job WHERE closed = 0 ORDER BY accepted_ms').all() as unknown as JobRow[]).map(storedJob);
  }

  *all(): IterableIterator<StoredJob> {
    for (const row of this.#database.prepare('SELECT * FROM job ORDER BY accepted_ms').iterate()) yield storedJob(row as unknown as JobRow);
  }

  forgetEndedBefore(atMs: number): void {
    this.#database.prepare('DELETE FROM job WHERE closed = 1 AND accepted_ms < ?').run(atMs);
  }
}

function storedJob({ capsule, record, manifest, receipt }: JobRow): StoredJob {
  const job = decodeStrict(Job, record, record.length);
  if (job.status === 'malformed') throw new Error(`the stored job of capsule ${capsule} is damaged: ${job.detail}`);
  return { job: job.value, ...(manifest ? { manifest } : {}), ...(receipt ? { receipt } : {}) };
}
