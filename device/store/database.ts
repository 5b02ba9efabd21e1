/**
 * A database of the device: SQLite in WAL mode with full synchronisation, so that a transaction that has returned survives a
 * power cut. Specification §7.6, §14.4. Owner of node:sqlite.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** How sure a transaction is of the disk when it returns: `eventual` may be lost with the power, but never alone or in part. */
export type Durability = 'durable' | 'eventual';

export class Database {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #durability: Durability = 'durable';

  /** @param pragmas more of them, such as `page_size`, before anything is made */
  constructor(file: string, schema: string, pragmas = '') {
    this.#database = new DatabaseSync(file);
    try {
      this.#database.exec(
        `${pragmas} PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000;`,
      );
      this.#database.exec(schema);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Prepared once. */
  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const prepared = this.#database.prepare(sql);
    this.#statements.set(sql, prepared);
    return prepared;
  }

  /** All of it or nothing; an `eventual` one is on the disk with the next durable one at the latest. */
  transaction(work: () => void, durability: Durability = 'durable'): void {
    this.#setDurability(durability);
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #setDurability(durability: Durability): void {
    if (durability === this.#durability) return;
    this.#database.exec(`PRAGMA synchronous = ${durability === 'durable' ? 'FULL' : 'NORMAL'}`);
    this.#durability = durability;
  }

  /** SQLite rolls back by itself where the disk is full or gives errors; what matters is the first error. */
  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      return;
    }
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB: what SQLite itself finds damaged. */
export function isCorrupt(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return code === 11 || code === 26;
}
