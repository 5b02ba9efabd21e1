/** What shows the seats at checkpoints of which there are anchors, by their heights, on the disk. What is damaged is lost: others have it as well. */
import { CHAIN_LIMITS } from '../limits.ts';
import type { Log } from '../ports.ts';
import { openOrMoveAside } from './damaged-file.ts';
import type { Database } from './database.ts';

const TABLES = 'CREATE TABLE IF NOT EXISTS anchored (height INTEGER PRIMARY KEY, seats BLOB NOT NULL) STRICT;';

export class AnchoredStore {
  readonly #database: Database;

  constructor(file: string, log: Log) {
    this.#database = openOrMoveAside({ file, tables: TABLES, pragmas: '' }, log).database;
  }

  /** The oldest go. */
  keep(height: number, seats: Uint8Array): void {
    const add = this.#database.prepare('INSERT OR REPLACE INTO anchored (height, seats) VALUES (?, ?)');
    const prune = this.#database.prepare(
      'DELETE FROM anchored WHERE height NOT IN (SELECT height FROM anchored ORDER BY height DESC LIMIT ?)',
    );
    this.#database.transaction(() => {
      add.run(height, seats);
      prune.run(CHAIN_LIMITS.anchoredKept);
    }, 'eventual');
  }

  at(height: number): Uint8Array | undefined {
    return (this.#database.prepare('SELECT seats FROM anchored WHERE height = ?').get(height) as { seats: Uint8Array } | undefined)?.seats;
  }

  close(): void {
    this.#database.close();
  }
}
