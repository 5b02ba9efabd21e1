/** Intentions on the disk: stored before anything is said of them. Specification §20.8. */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Database } from '../store/database.ts';
import { Sending } from './intention.ts';
import { LAYER1_LIMITS } from './limits.ts';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS sending (name TEXT PRIMARY KEY, record BLOB NOT NULL) STRICT, WITHOUT ROWID;';
/** Every attempt carries the data once more. */
const RECORD_BYTES_MAX = 2 * LAYER1_LIMITS.dataBytesMax * (LAYER1_LIMITS.attemptsMax + 1);

export class IntentionStore {
  readonly #database: Database;

  /** @param file of one key on one chain */
  constructor(file: string) {
    this.#database = new Database(file, SCHEMA);
  }

  /** In the order in which they were asked for. @throws Error where a record is not ours: what was sent must not be guessed */
  load(): Sending[] {
    return this.#database
      .prepare('SELECT name, record FROM sending')
      .all()
      .map(({ name, record }) => {
        const decoded = decodeStrict(Sending, record as Uint8Array, RECORD_BYTES_MAX);
        if (decoded.status === 'malformed') throw new Error(`The stored intention ${String(name)} can't be read: ${decoded.detail}`);
        return decoded.value;
      })
      .sort((left, right) => left.place - right.place);
  }

  /** On the disk when it returns. */
  store(sending: Sending): void {
    const statement = this.#database.prepare('INSERT OR REPLACE INTO sending (name, record) VALUES (?, ?)');
    statement.run(sending.intention.name, encodeStrict(Sending, sending));
  }

  forget(name: string): void {
    this.#database.prepare('DELETE FROM sending WHERE name = ?').run(name);
  }

  close(): void {
    this.#database.close();
  }
}
