/** Credit: gains and losses, weights, and what gates a judge (§19). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '#protocol/limits.ts';
import { changedCredit, weightOf, type CreditEvent } from '../../../device/ledger/credit.ts';

const all = Array.from({ length: LIMITS.creditMax + 1 }, (_, credit) => credit);
const events: CreditEvent[] = ['in-verdict', 'right', 'wrong', 'silent', 'own-evidence'];

test('credit stays between 0 and 1000, in whole numbers, whatever happens (§19)', () => {
  for (const credit of all) {
    for (const event of events) {
      const changed = changedCredit(credit, event);
      assert.ok(Number.isSafeInteger(changed) && changed >= 0 && changed <= LIMITS.creditMax, `${credit} ${event}`);
    }
  }
});

test('gains and losses have the sizes of the table (§19)', () => {
  const after = (credit: number) => events.map((event) => changedCredit(credit, event));
  assert.deepEqual(after(0), [8, 32, 0, 0, 2]);
  assert.deepEqual(after(256), [262, 280, 128, 224, 256]);
  assert.deepEqual(after(127), [134, 155, 63, 111, 128]);
  assert.deepEqual(after(1_000), [1_000, 1_000, 500, 875, 1_000]);
});

test('a judge weighs at most four times another, and who lacks credit nothing (§18.3)', () => {
  assert.deepEqual([0, 127, 128, 255, 256, 511, 512, 767, 768, 1_000].map(weightOf), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  assert.ok(all.every((credit) => weightOf(credit) <= LIMITS.weightMax));
});

test('a new chip buys nothing: a liar that has lost all judges again no later than a newcomer (§19)', () => {
  const slotsUntilJudge = (credit: number) => {
    let slots = 0;
    for (let now = credit; now < LIMITS.creditToJudge; now = changedCredit(now, 'own-evidence')) slots += 1;
    return slots;
  };
  assert.equal(slotsUntilJudge(0), 64);
  for (const credit of all) assert.ok(slotsUntilJudge(credit) <= slotsUntilJudge(0));
});
