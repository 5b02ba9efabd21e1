/** A database that is of no more use, kept for whoever wants to know why. Specification §14.4. */
import { existsSync, renameSync } from 'node:fs';
import { basename } from 'node:path';
import type { Log } from '../ports.ts';
import { Database, isCorrupt } from './database.ts';

/** Renames a database and what belongs to it to `<file>.damaged-<n>`. Returns the path. */
export function moveAside(file: string, log: Log, error: unknown): string {
  let number = 1;
  while (existsSync(`${file}.damaged-${number}`)) number += 1;
  const target = `${file}.damaged-${number}`;
  for (const part of ['', '-wal', '-shm']) if (existsSync(`${file}${part}`)) renameSync(`${file}${part}`, `${target}${part}`);
  log('chainStoreDamaged', { part: basename(file), detail: error instanceof Error ? error.message : 'unknown', movedTo: basename(target) });
  return target;
}

/** One that SQLite calls corrupt is moved aside, and an empty one takes its place. */
export function openOrMoveAside(
  { file, tables, pragmas }: { readonly file: string; readonly tables: string; readonly pragmas: string },
  log: Log,
): { readonly database: Database; readonly movedTo?: string } {
  try {
    return { database: new Database(file, tables, pragmas) };
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    return { movedTo: moveAside(file, log, error), database: new Database(file, tables, pragmas) };
  }
}
