/**
 * Ballots of this member on the evidence of others, until the slot is over. Specification §14.4, §18.5.
 *
 * Nobody else has them. Where some may be lost, the member votes from a slot on of which it knows that it has not voted there.
 */
import { existsSync } from 'node:fs';
import type { KeptVerdictVotes } from '../trust/events.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';
import type { Log } from '../ports.ts';
import { openOrMoveAside } from './damaged-file.ts';
import type { Database } from './database.ts';
import { digestOf } from './row-digest.ts';
import { judgeLog } from './write-ahead-log.ts';

const TABLES = `
CREATE TABLE IF NOT EXISTS verdict_vote (instance BLOB PRIMARY KEY, slot INTEGER NOT NULL, votes BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS floor (name TEXT PRIMARY KEY, slot INTEGER NOT NULL) STRICT;
`;

export interface VerdictStore {
  readonly kept: readonly KeptVerdictVotes[];
  /** The first slot of which all ballots are known; undefined where that is still to be said, because ballots may be lost. */
  readonly votesFromSlot: number | undefined;
  /** On the disk when it returns. @throws Error where the disk is full or gives errors: the ballot may not be said */
  keep(votes: KeptVerdictVotes): void;
  /** The first slot of which all ballots are known is this one: those of others go. */
  voteFrom(slot: number): void;
  close(): void;
}

/** @param file is made where it is missing; one that SQLite calls corrupt is moved aside */
export function openVerdictStore(file: string, log: Log): VerdictStore {
  const mark = `${file}.begun`;
  const wasBegun = existsSync(mark);
  const isTorn = judgeLog(`${file}-wal`) === 'damaged';
  const isMissing = wasBegun && !existsSync(file);
  const { database, movedTo } = openOrMoveAside({ file, tables: TABLES, pragmas: 'PRAGMA page_size = 1024;' }, log);
  const rows = readRows(database);
  const isLost = isTorn || isMissing || movedTo !== undefined || rows.damaged;
  if (isLost) log('verdictVotesMayBeLost', { consequence: 'this member judges nobody until two slots from now' });
  if (isLost) database.prepare(`INSERT OR REPLACE INTO floor (name, slot) VALUES ('unknown', 0)`).run();
  if (!wasBegun) writeWholeFile(mark, '', 0o600);
  return new SqliteVerdicts(database, rows.kept);
}

interface Row {
  instance: Uint8Array;
  slot: number;
  votes: Uint8Array;
  digest: Uint8Array;
}

class SqliteVerdicts implements VerdictStore {
  readonly kept: readonly KeptVerdictVotes[];
  readonly #database: Database;

  constructor(database: Database, kept: readonly KeptVerdictVotes[]) {
    this.#database = database;
    this.kept = kept;
  }

  get votesFromSlot(): number | undefined {
    const floors = this.#database.prepare('SELECT name, slot FROM floor').all() as unknown as { name: string; slot: number }[];
    if (floors.some(({ name }) => name === 'unknown')) return undefined;
    return floors[0]?.slot ?? 0;
  }

  keep({ instance, slot, votes }: KeptVerdictVotes): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO verdict_vote (instance, slot, votes, digest) VALUES (?, ?, ?, ?)')
      .run(instance, slot, votes, digestOf('verdict_vote', instance, slot, votes));
  }

  voteFrom(slot: number): void {
    this.#database.transaction(() => {
      this.#database.prepare('DELETE FROM verdict_vote WHERE slot < ?').run(slot);
      this.#database.prepare('DELETE FROM floor').run();
      this.#database.prepare(`INSERT INTO floor (name, slot) VALUES ('known', ?)`).run(slot);
    });
  }

  close(): void {
    this.#database.close();
  }
}

function readRows(database: Database): { readonly kept: readonly KeptVerdictVotes[]; readonly damaged: boolean } {
  const rows = database.prepare('SELECT instance, slot, votes, digest FROM verdict_vote').all() as unknown as Row[];
  const sound = rows.filter(({ instance, slot, votes, digest }) => sameDigest(digest, digestOf('verdict_vote', instance, slot, votes)));
  return { kept: sound.map(({ instance, slot, votes }) => ({ instance, slot, votes })), damaged: sound.length < rows.length };
}

function sameDigest(left: Uint8Array, right: Uint8Array): boolean {
  return left.toHex() === right.toHex();
}
