/** When a network does not finalise, and who is silent (§14.5): measured against what was due, not against time alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dueForMs, isOverdue, noteDue, NOTHING_DUE } from '../../device/chain/due-votes.ts';

const silenceMs = 8_000;
const at = (nowMs: number): { nowMs: number; silenceMs: number } => ({ nowMs, silenceMs });

test('nothing is due while the head is the last checkpoint, however long the next wait is (§14.5)', () => {
  const due = noteDue(NOTHING_DUE, 7, { number: 7, height: 7 }, at(0));
  assert.equal(dueForMs(due, 60_000), 0);
});

test('votes are due from the first head above a checkpoint, and anew from the next checkpoint (§14.5)', () => {
  const above = noteDue(noteDue(NOTHING_DUE, 7, { number: 7, height: 7 }, at(0)), 8, { number: 7, height: 7 }, at(9_000));
  assert.equal(dueForMs(above, 10_000), 1_000);
  const higher = noteDue(above, 9, { number: 7, height: 7 }, at(12_000));
  assert.equal(dueForMs(higher, 18_000), 9_000);
  assert.equal(dueForMs(noteDue(higher, 9, { number: 8, height: 8 }, at(18_000)), 18_500), 500);
  assert.equal(dueForMs(noteDue(higher, 9, { number: 8, height: 9 }, at(18_000)), 60_000), 0);
});

test('who has said the last head is not silent while no other comes; who let one pass for eight intervals is (§14.5)', () => {
  const checkpoint = { number: 1, height: 1 };
  const quiet = noteDue(NOTHING_DUE, 5, checkpoint, at(1_000));
  assert.equal(isOverdue(quiet, { atMs: 900, height: 5 }, at(60_000)), false);
  assert.equal(isOverdue(quiet, { atMs: 1_100, height: 5 }, at(60_000)), false);
  assert.equal(isOverdue(quiet, { atMs: 900, height: 4 }, at(8_900)), false);
  assert.equal(isOverdue(quiet, { atMs: 900, height: 4 }, at(9_100)), true);
  assert.equal(isOverdue(quiet, undefined, at(9_100)), true);
});

test('of ten thousand blocks at once a few dozen moves are kept, and the silence is still seen (§14.5)', () => {
  let due = NOTHING_DUE;
  for (let height = 1; height <= 10_000; height += 1) due = noteDue(due, height, { number: 0, height: 0 }, at(height * 10));
  assert.ok(due.moves.length < 80, `${due.moves.length} moves`);
  assert.equal(isOverdue(due, { atMs: 80_000, height: 8_000 }, at(100_000)), true);
  assert.equal(isOverdue(due, { atMs: 95_000, height: 9_500 }, at(100_000)), false);
});
