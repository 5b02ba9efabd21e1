/** When a member that may have forgotten votes speaks again. Specification §14.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hearFrom, newAbstention, stepAbstention, type Abstention } from '../../../device/chain/abstention.ts';

const seats = new Set(['a', 'b', 'c', 'd']);
const at = (number: number, nowMs: number) => ({ number, seats, self: 'a', nowMs, settleMs: 10_000 });
const heard = (...peers: string[]): Abstention => peers.reduce(hearFrom, newAbstention);

test('nothing is said before others that are more than two thirds of the seats have announced where they stand (§14.4)', () => {
  const few = stepAbstention(heard('b', 'c', 'stranger', 'a'), at(7, 1_000_000));
  assert.deepEqual([few.isOver, few.abstention.heardMs], [false, undefined]);
  assert.equal(stepAbstention(heard('b', 'c', 'd'), at(7, 5)).abstention.heardMs, 5);
});

test('it speaks again two checkpoints after the one that it has when it has caught up (§14.4)', () => {
  let { abstention } = stepAbstention(heard('b', 'c', 'd'), at(0, 0));
  abstention = stepAbstention(abstention, at(40, 9_999)).abstention;
  assert.equal(abstention.until, undefined);
  abstention = stepAbstention(abstention, at(41, 10_000)).abstention;
  assert.equal(abstention.until, 43);
  assert.equal(stepAbstention(abstention, at(42, 20_000)).isOver, false);
  assert.equal(stepAbstention(abstention, at(43, 20_001)).isOver, true);
});

test('where no member may fail it speaks when it has caught up with all others, or nothing would ever be certified (§14.4)', () => {
  const three = (number: number, nowMs: number) => ({ ...at(number, nowMs), seats: new Set(['a', 'b', 'c']) });
  assert.equal(stepAbstention(heard('b'), three(3, 0)).abstention.heardMs, undefined);
  let { abstention } = stepAbstention(heard('b', 'c'), three(3, 0));
  abstention = stepAbstention(abstention, three(5, 10_000)).abstention;
  assert.equal(stepAbstention(abstention, three(5, 10_001)).isOver, true);
});
