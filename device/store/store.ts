/**
 * What a device must not lose: capsules, their jobs and their receipts. Specification §7.6. Owner of node:sqlite.
 *
 * SQLite in WAL mode with full synchronisation: a transaction that has returned survives a power cut.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Job } from '../hpc/job.ts';
import { DEVICE_LIMITS } from '../limits.ts';

/** How a client asked, and so is answered. */
export type ClientNotation = 'cbor' | 'json';

/** A capsule as it was accepted. */
export interface AcceptedCapsule {
  readonly capsule: string;
  readonly client: string;
  readonly name: string;
  readonly notation: ClientNotation;
  readonly request: Uint8Array;
  readonly manifest: Uint8Array;
  readonly acceptedAtMs: number;
}

export interface StoredCapsule extends AcceptedCapsule {
  readonly job: Job;
  readonly endedAtMs?: number;
}

export interface Store {
  /** Adds a capsule and its job in one transaction. */
  addCapsule(accepted: AcceptedCapsule, job: Job): void;
  /** Stores what a job became; `endedAtMs` when that is its end. */
  saveJob(job: Job, endedAtMs?: number): void;
  /**
   * Stores a run's only receipt together with the end of its job, and from then on its outputs (hexadecimal digests) are
   * the client's to fetch. Throws when the run has a receipt already.
   */
  saveReceipt(job: Job, receipt: Uint8Array, outputs: readonly string[], endedAtMs: number): void;
  /** Whether a run of this client, with a receipt, has left this blob. */
  hasOutput(client: string, digest: string): boolean;
  /** Forgets the oldest ended capsules of a client beyond `keptMax`. */
  trimClient(client: string, keptMax: number): void;
  /** Forgets everything of a client: its name may belong to somebody else from now on. */
  forgetClient(client: string): void;
  capsule(id: string): StoredCapsule | undefined;
  /** The capsule that a client's request has become. */
  capsuleOfRequest(client: string, request: Uint8Array): StoredCapsule | undefined;
  receipt(id: string): Uint8Array | undefined;
  /** The newest capsules of a client, newest first. */
  capsulesOf(client: string): StoredCapsule[];
  /** All capsules whose job has not ended, oldest first. */
  unended(): StoredCapsule[];
  /** Notes that a client has given this blob (hexadecimal digest) itself, and so may use it without giving it again. */
  addHolding(client: string, digest: string): void;
  holds(client: string, digest: string): boolean;
  /** Every capsule that is kept, oldest first. */
  all(): IterableIterator<StoredCapsule>;
  /** Forgets who gave blobs that are no longer here. */
  keepHoldings(isHere: (digest: string) => boolean): void;
  /** Small named values of other rooms, such as what is remembered of peers. */
  setMemory(name: string, value: Uint8Array): void;
  memory(name: string): Uint8Array | undefined;
  /** Removes what ended before `atMs`; returns the ids. */
  forgetEndedBefore(atMs: number): string[];
  close(): void;
}

export function openStore(file: string): Store {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000;');
  database.exec(SCHEMA);
  return new SqliteStore(database);
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS capsule (
  id TEXT PRIMARY KEY, client TEXT NOT NULL, name TEXT NOT NULL, notation TEXT NOT NULL, request BLOB NOT NULL,
  manifest BLOB NOT NULL, accepted_ms INTEGER NOT NULL, job BLOB NOT NULL, ended_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS capsule_request ON capsule (client, request);
CREATE INDEX IF NOT EXISTS capsule_client ON capsule (client, accepted_ms);
CREATE INDEX IF NOT EXISTS capsule_open ON capsule (accepted_ms) WHERE ended_ms IS NULL;
CREATE TABLE IF NOT EXISTS receipt (
  capsule TEXT NOT NULL REFERENCES capsule (id) ON DELETE CASCADE, attempt INTEGER NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY (capsule, attempt)
) STRICT;
CREATE TABLE IF NOT EXISTS output (
  client TEXT NOT NULL, digest TEXT NOT NULL, capsule TEXT NOT NULL REFERENCES capsule (id) ON DELETE CASCADE,
  PRIMARY KEY (client, digest, capsule)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS output_capsule ON output (capsule);
CREATE TABLE IF NOT EXISTS holding (client TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (client, digest)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
`;

interface CapsuleRow {
  id: string;
  client: string;
  name: string;
  notation: string;
  request: Uint8Array;
  manifest: Uint8Array;
  accepted_ms: number;
  job: Uint8Array;
  ended_ms: number | null;
}

class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  addCapsule(accepted: AcceptedCapsule, job: Job): void {
    const { capsule, client, name, notation, request, manifest, acceptedAtMs } = accepted;
    this.#prepare(
      'INSERT INTO capsule (id, client, name, notation, request, manifest, accepted_ms, job) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ).run(capsule, client, name, notation, request, manifest, acceptedAtMs, encodeStrict(Job, job));
  }

  saveJob(job: Job, endedAtMs?: number): void {
    this.#prepare('UPDATE capsule SET job = ?, ended_ms = ? WHERE id = ?').run(encodeStrict(Job, job), endedAtMs ?? null, job.capsule);
  }

  saveReceipt(job: Job, receipt: Uint8Array, outputs: readonly string[], endedAtMs: number): void {
    this.#transaction(() => {
      this.#prepare('INSERT INTO receipt (capsule, attempt, content) VALUES (?, ?, ?)').run(job.capsule, job.attempt, receipt);
      const add = this.#prepare('INSERT OR IGNORE INTO output (client, digest, capsule) VALUES (?, ?, ?)');
      for (const digest of outputs) add.run(job.client, digest, job.capsule);
      this.saveJob(job, endedAtMs);
    });
  }

  hasOutput(client: string, digest: string): boolean {
    return this.#prepare('SELECT 1 FROM output WHERE client = ? AND digest = ?').get(client, digest) !== undefined;
  }

  trimClient(client: string, keptMax: number): void {
    this.#prepare(
      'DELETE FROM capsule WHERE ended_ms IS NOT NULL AND id IN (SELECT id FROM capsule WHERE client = ? ORDER BY accepted_ms DESC LIMIT -1 OFFSET ?)',
    ).run(client, keptMax);
  }

  forgetClient(client: string): void {
    this.#transaction(() => {
      this.#prepare('DELETE FROM capsule WHERE client = ?').run(client);
      this.#prepare('DELETE FROM holding WHERE client = ?').run(client);
    });
  }

  capsule(id: string): StoredCapsule | undefined {
    return this.#rows('SELECT * FROM capsule WHERE id = ?', id)[0];
  }

  capsuleOfRequest(client: string, request: Uint8Array): StoredCapsule | undefined {
    return this.#rows('SELECT * FROM capsule WHERE client = ? AND request = ?', client, request)[0];
  }

  receipt(id: string): Uint8Array | undefined {
    const row = this.#prepare('SELECT content FROM receipt WHERE capsule = ? ORDER BY attempt DESC LIMIT 1').get(id) as
      { content: Uint8Array } | undefined;
    return row?.content;
  }

  capsulesOf(client: string): StoredCapsule[] {
    return this.#rows('SELECT * FROM capsule WHERE client = ? ORDER BY accepted_ms DESC LIMIT ?', client, DEVICE_LIMITS.capsulesListedMax);
  }

  unended(): StoredCapsule[] {
    return this.#rows('SELECT * FROM capsule WHERE ended_ms IS NULL ORDER BY accepted_ms');
  }

  addHolding(client: string, digest: string): void {
    this.#prepare('INSERT OR IGNORE INTO holding (client, digest) VALUES (?, ?)').run(client, digest);
  }

  holds(client: string, digest: string): boolean {
    return this.#prepare('SELECT 1 FROM holding WHERE client = ? AND digest = ?').get(client, digest) !== undefined;
  }

  *all(): IterableIterator<StoredCapsule> {
    for (const row of this.#prepare('SELECT * FROM capsule ORDER BY accepted_ms').iterate())
      yield storedCapsule(row as unknown as CapsuleRow);
  }

  keepHoldings(isHere: (digest: string) => boolean): void {
    const digests = this.#prepare('SELECT DISTINCT digest FROM holding').all() as unknown as { digest: string }[];
    const remove = this.#prepare('DELETE FROM holding WHERE digest = ?');
    for (const { digest } of digests.filter((held) => !isHere(held.digest))) remove.run(digest);
  }

  setMemory(name: string, value: Uint8Array): void {
    this.#prepare('INSERT INTO memory (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value').run(
      name,
      value,
    );
  }

  memory(name: string): Uint8Array | undefined {
    const row = this.#prepare('SELECT value FROM memory WHERE name = ?').get(name) as { value: Uint8Array } | undefined;
    return row?.value;
  }

  forgetEndedBefore(atMs: number): string[] {
    const rows = this.#prepare('DELETE FROM capsule WHERE ended_ms < ? RETURNING id').all(atMs) as unknown as { id: string }[];
    return rows.map((row) => row.id);
  }

  close(): void {
    this.#database.close();
  }

  #rows(sql: string, ...parameters: (string | number | Uint8Array)[]): StoredCapsule[] {
    return (this.#prepare(sql).all(...parameters) as unknown as CapsuleRow[]).map(storedCapsule);
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const prepared = this.#database.prepare(sql);
    this.#statements.set(sql, prepared);
    return prepared;
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function storedCapsule(row: CapsuleRow): StoredCapsule {
  const job = decodeStrict(Job, row.job, row.job.length);
  if (job.status === 'malformed') throw new Error(`the stored job of capsule ${row.id} is damaged: ${job.detail}`);
  return {
    capsule: row.id,
    client: row.client,
    name: row.name,
    notation: row.notation === 'json' ? 'json' : 'cbor',
    request: row.request,
    manifest: row.manifest,
    acceptedAtMs: row.accepted_ms,
    job: job.value,
    ...(row.ended_ms === null ? {} : { endedAtMs: row.ended_ms }),
  };
}
