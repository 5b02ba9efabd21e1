/** What a judge keeps of its ballots, and what it no longer says when some may be lost. Specification §14.4, §18.5. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { openVerdictStore, type VerdictStore } from '../../../device/store/verdict-store.ts';

let folder: string;
let file: string;
let said: string[];
const open = (): VerdictStore => openVerdictStore(file, (event) => void said.push(event));
const voteOf = (slot: number, word = 1) => ({ instance: new Uint8Array(32).fill(slot), slot, votes: Uint8Array.of(word, slot) });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-verdicts-'));
  file = join(folder, 'verdicts.sqlite');
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

test('ballots are given back at the next start, of each judgement the latest (§14.4)', () => {
  const store = open();
  store.keep(voteOf(3));
  store.keep(voteOf(3, 2));
  store.keep(voteOf(4));
  store.close();
  const again = open();
  assert.deepEqual(again.kept, [voteOf(3, 2), voteOf(4)]);
  assert.equal(again.votesFromSlot, 0);
  assert.deepEqual(said, []);
  again.close();
});

test('what no branch judges any more goes, and its slots are not voted on again (§14.4)', () => {
  const store = open();
  for (const slot of [3, 4, 5]) store.keep(voteOf(slot));
  store.voteFrom(5);
  store.close();
  const again = open();
  assert.deepEqual(again.kept, [voteOf(5)]);
  assert.equal(again.votesFromSlot, 5);
  again.close();
});

test('with a ballot that the disk has changed, or without the file, the judge votes from a slot on that it has to be told (§14.4)', () => {
  const store = open();
  store.keep(voteOf(3));
  store.keep(voteOf(4));
  store.close();
  const raw = new DatabaseSync(file);
  raw.prepare('UPDATE verdict_vote SET votes = ? WHERE slot = 3').run(Uint8Array.of(9));
  raw.close();
  const damaged = open();
  assert.deepEqual(damaged.kept, [voteOf(4)]);
  assert.equal(damaged.votesFromSlot, undefined);
  damaged.close();
  assert.equal(open().votesFromSlot, undefined, 'a start later it is as unknown');
  for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true });
  const gone = open();
  assert.equal(gone.votesFromSlot, undefined);
  gone.voteFrom(9);
  gone.close();
  assert.equal(open().votesFromSlot, 9);
  assert.ok(said.every((event) => event === 'verdictVotesMayBeLost') && said.length >= 2);
});
