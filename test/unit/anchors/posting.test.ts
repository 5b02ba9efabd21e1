/** When a device challenges, and when it fetches what it is owed (§20.9). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { challengeTurnMs, isToFetch } from '../../../device/anchors/posting.ts';

test('all turns of a challenge are within a quarter of the window, of as many seats as there are and any length of it (§20.9)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 10 ** 9 }), (seats, windowMs) => {
      const turnMs = challengeTurnMs(60_000, windowMs, seats);
      assert.ok(turnMs <= 60_000 && (seats - 1) * turnMs <= windowMs / 4);
    }),
  );
});

test('a turn of a challenge is no shorter than it must be; where the window is not known nobody waits (§20.9)', () => {
  assert.equal(challengeTurnMs(60_000, 21_600_000, 10), 60_000);
  assert.equal(challengeTurnMs(60_000, 60_000, 4), 3_750);
  assert.equal(challengeTurnMs(60_000, undefined, 4), 0);
});

test('what is owed is fetched when it comes to four bonds, or when the next post lacks funds (§20.9)', () => {
  const view = { tip: { epoch: 7, anchor: new Uint8Array(32) }, lastFinal: 6, bond: 10n };
  assert.deepEqual(
    [0n, 1n, 39n, 40n].map((owed) => isToFetch({ ...view, owed }, undefined)),
    [false, false, false, true],
  );
  const waiting = (why: 'funds' | 'budget') => ({ state: 'waiting', why }) as const;
  assert.deepEqual(
    [0n, 1n].map((owed) => isToFetch({ ...view, owed }, waiting('funds'))),
    [false, true],
  );
  assert.equal(isToFetch({ ...view, owed: 39n }, waiting('budget')), false);
});
