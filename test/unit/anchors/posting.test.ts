/** When a device challenges (§20.9). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { challengeTurnMs } from '../../../device/anchors/posting.ts';

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
