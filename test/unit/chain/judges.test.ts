/** Who judges where few may. Specification §18.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { judgesOf } from '#protocol/chain/judges.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';

const seats = Array.from({ length: 12 }, (_, index) => new Uint8Array(32).fill(index + 1));
const subject = seats[11]!;

/** Of twelve seats so many qualify, the first with the greatest weight. */
function judgesWhere(qualifying: number, judges = 7) {
  const weights = Uint8Array.from(seats, (_, index) => (index >= qualifying ? 0 : index === 0 ? LIMITS.weightMax : 1));
  const draw = { slot: 1, seed: new Uint8Array(32), seats, weights };
  return judgesOf(new Uint8Array(32), draw, { subject, slot: 1, level: 0 }, judges);
}

test('where fewer than four seats qualify all judge, the subject included, with one vote each (§18.3)', () => {
  for (const qualifying of [0, 1, 2, 3]) {
    const { weights, total, drawn } = judgesWhere(qualifying);
    assert.deepEqual([drawn, weights.size, total, weights.get(hex(subject))], [false, 12, 12, 1], `${qualifying} qualify`);
  }
  assert.deepEqual([judgesWhere(4).drawn, judgesWhere(4).weights.size, judgesWhere(4).total], [true, 4, 7]);
  assert.deepEqual([judgesWhere(2, 2).drawn, judgesWhere(1, 2).drawn], [true, false], 'a network may draw fewer');
});

test('no seat decides alone, however few qualify and whatever it weighs (§18.3)', () => {
  for (let qualifying = 0; qualifying <= seats.length; qualifying += 1) {
    const { weights, total } = judgesWhere(qualifying);
    assert.ok(Math.max(...weights.values()) < quorumOf(total), `${qualifying} qualify`);
  }
});
