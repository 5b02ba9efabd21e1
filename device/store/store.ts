/**
 * What a device must not lose: the capsules that clients have ordered here with their receipts, and the jobs of its own
 * boxes. Specification §7.6.
 */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { isSettled, Order } from '../gateway/order.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import { Database } from './database.ts';
import { JOB_SCHEMA, SqliteJobs, type JobStore } from './job-store.ts';

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
  readonly order: Order;
  readonly endedAtMs?: number;
}

/** What becomes of an order beside its record; each is kept in the same transaction. */
export interface OrderChange {
  readonly endedAtMs?: number | undefined;
  /** The executor's; replaces an earlier one, which the chain has undone. */
  readonly receipt?: Uint8Array;
  /** Encoded `FinalityNews` that says `final`. */
  readonly finality?: Uint8Array;
  /** Hexadecimal digests, from now on the client's to fetch. */
  readonly outputs?: readonly string[];
}

export interface Store {
  /** Of this device's own boxes. */
  readonly jobs: JobStore;
  /** Adds a capsule and its order in one transaction. */
  addCapsule(accepted: AcceptedCapsule, order: Order): void;
  saveOrder(order: Order, change?: OrderChange): void;
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
  finality(id: string): Uint8Array | undefined;
  /** The newest capsules of a client, newest first. */
  capsulesOf(client: string): StoredCapsule[];
  /** All capsules whose order can still change, oldest first. */
  unsettled(): StoredCapsule[];
  /** Ids of capsules that are open or ended at `atMs` or later, the newest first. */
  currentSince(atMs: number, max: number): string[];
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
  return new SqliteStore(new Database(file, SCHEMA + JOB_SCHEMA));
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS capsule (
  id TEXT PRIMARY KEY, client TEXT NOT NULL, name TEXT NOT NULL, notation TEXT NOT NULL, request BLOB NOT NULL,
  manifest BLOB NOT NULL, accepted_ms INTEGER NOT NULL, record BLOB NOT NULL, ended_ms INTEGER, settled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS capsule_request ON capsule (client, request);
CREATE INDEX IF NOT EXISTS capsule_client ON capsule (client, accepted_ms);
CREATE INDEX IF NOT EXISTS capsule_open ON capsule (accepted_ms) WHERE settled = 0;
CREATE TABLE IF NOT EXISTS receipt (
  capsule TEXT PRIMARY KEY REFERENCES capsule (id) ON DELETE CASCADE, content BLOB NOT NULL, finality BLOB
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
  record: Uint8Array;
  ended_ms: number | null;
}

class SqliteStore implements Store {
  readonly jobs: JobStore;
  readonly #database: Database;

  constructor(database: Database) {
    this.jobs = new SqliteJobs(database);
    this.#database = database;
  }

  addCapsule(accepted: AcceptedCapsule, order: Order): void {
    const { capsule, client, name, notation, request, manifest, acceptedAtMs } = accepted;
    this.#database
      .prepare('INSERT INTO capsule (id, client, name, notation, request, manifest, accepted_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(capsule, client, name, notation, request, manifest, acceptedAtMs, encodeStrict(Order, order));
  }

  saveOrder(order: Order, { endedAtMs, receipt, finality, outputs = [] }: OrderChange = {}): void {
    const { capsule, client } = order;
    this.#database.transaction(() => {
      this.#database
        .prepare('UPDATE capsule SET record = ?, ended_ms = ?, settled = ? WHERE id = ?')
        .run(...[encodeStrict(Order, order), endedAtMs ?? null, isSettled(order) ? 1 : 0, capsule]);
      if (receipt)
        this.#database
          .prepare('INSERT OR REPLACE INTO receipt (capsule, content) SELECT id, ? FROM capsule WHERE id = ?')
          .run(receipt, capsule);
      if (finality) this.#database.prepare('UPDATE receipt SET finality = ? WHERE capsule = ?').run(finality, capsule);
      const add = this.#database.prepare('INSERT OR IGNORE INTO output (client, digest, capsule) VALUES (?, ?, ?)');
      for (const digest of outputs) add.run(client, digest, capsule);
    });
  }

  hasOutput(client: string, digest: string): boolean {
    return this.#database.prepare('SELECT 1 FROM output WHERE client = ? AND digest = ?').get(client, digest) !== undefined;
  }

  trimClient(client: string, keptMax: number): void {
    this.#database
      .prepare(
        'DELETE FROM capsule WHERE ended_ms IS NOT NULL AND id IN (SELECT id FROM capsule WHERE client = ? ORDER BY accepted_ms DESC LIMIT -1 OFFSET ?)',
      )
      .run(client, keptMax);
  }

  forgetClient(client: string): void {
    this.#database.transaction(() => {
      this.#database.prepare('DELETE FROM capsule WHERE client = ?').run(client);
      this.#database.prepare('DELETE FROM holding WHERE client = ?').run(client);
    });
  }

  capsule(id: string): StoredCapsule | undefined {
    return this.#rows('SELECT * FROM capsule WHERE id = ?', id)[0];
  }

  capsuleOfRequest(client: string, request: Uint8Array): StoredCapsule | undefined {
    return this.#rows('SELECT * FROM capsule WHERE client = ? AND request = ?', client, request)[0];
  }

  receipt(id: string): Uint8Array | undefined {
    const row = this.#database.prepare('SELECT content FROM receipt WHERE capsule = ?').get(id) as { content: Uint8Array } | undefined;
    return row?.content;
  }

  finality(id: string): Uint8Array | undefined {
    const row = this.#database.prepare('SELECT finality FROM receipt WHERE capsule = ?').get(id) as
      { finality: Uint8Array | null } | undefined;
    return row?.finality ?? undefined;
  }

  capsulesOf(client: string): StoredCapsule[] {
    return this.#rows('SELECT * FROM capsule WHERE client = ? ORDER BY accepted_ms DESC LIMIT ?', client, DEVICE_LIMITS.capsulesListedMax);
  }

  unsettled(): StoredCapsule[] {
    return this.#rows('SELECT * FROM capsule WHERE settled = 0 ORDER BY accepted_ms');
  }

  currentSince(atMs: number, max: number): string[] {
    const rows = this.#database
      .prepare('SELECT id FROM capsule WHERE ended_ms IS NULL OR ended_ms >= ? ORDER BY accepted_ms DESC LIMIT ?')
      .all(atMs, max) as unknown as { id: string }[];
    return rows.map(({ id }) => id);
  }

  addHolding(client: string, digest: string): void {
    this.#database.prepare('INSERT OR IGNORE INTO holding (client, digest) VALUES (?, ?)').run(client, digest);
  }

  holds(client: string, digest: string): boolean {
    return this.#database.prepare('SELECT 1 FROM holding WHERE client = ? AND digest = ?').get(client, digest) !== undefined;
  }

  *all(): IterableIterator<StoredCapsule> {
    for (const row of this.#database.prepare('SELECT * FROM capsule ORDER BY accepted_ms').iterate())
      yield storedCapsule(row as unknown as CapsuleRow);
  }

  keepHoldings(isHere: (digest: string) => boolean): void {
    const digests = this.#database.prepare('SELECT DISTINCT digest FROM holding').all() as unknown as { digest: string }[];
    const remove = this.#database.prepare('DELETE FROM holding WHERE digest = ?');
    for (const { digest } of digests.filter((held) => !isHere(held.digest))) remove.run(digest);
  }

  setMemory(name: string, value: Uint8Array): void {
    this.#database
      .prepare('INSERT INTO memory (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value')
      .run(name, value);
  }

  memory(name: string): Uint8Array | undefined {
    const row = this.#database.prepare('SELECT value FROM memory WHERE name = ?').get(name) as { value: Uint8Array } | undefined;
    return row?.value;
  }

  forgetEndedBefore(atMs: number): string[] {
    const rows = this.#database.prepare('DELETE FROM capsule WHERE ended_ms < ? RETURNING id').all(atMs) as unknown as { id: string }[];
    return rows.map((row) => row.id);
  }

  close(): void {
    this.#database.close();
  }

  #rows(sql: string, ...parameters: (string | number | Uint8Array)[]): StoredCapsule[] {
    return (this.#database.prepare(sql).all(...parameters) as unknown as CapsuleRow[]).map(storedCapsule);
  }
}

function storedCapsule(row: CapsuleRow): StoredCapsule {
  const order = decodeStrict(Order, row.record, row.record.length);
  if (order.status === 'malformed') throw new Error(`the stored order of capsule ${row.id} is damaged: ${order.detail}`);
  return {
    capsule: row.id,
    client: row.client,
    name: row.name,
    notation: row.notation === 'json' ? 'json' : 'cbor',
    request: row.request,
    manifest: row.manifest,
    acceptedAtMs: row.accepted_ms,
    order: order.value,
    ...(row.ended_ms === null ? {} : { endedAtMs: row.ended_ms }),
  };
}
