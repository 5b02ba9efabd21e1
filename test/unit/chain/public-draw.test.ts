/** Draws that everybody repeats. threats.md: quorum of a privately drawn committee, biased scheduler. Specification §13.1, §13.3, §15. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { boxOrder, checkpointInstance, proposerOf, votersOf } from '#protocol/chain/public-draw.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';

const digest = (value: number) => new Uint8Array(32).fill(value);
const [network, seed] = [digest(1), digest(2)];

/** Node ids in their order. */
function seatsOf(count: number): Uint8Array[] {
  const ids = Array.from({ length: count }, (_, index) => blobDigest(Uint8Array.of(index >> 8, index & 255)).toHex());
  return ids.toSorted().map((id) => Uint8Array.fromHex(id));
}

test('the instance is about one network, number and checkpoint before it (§13.1)', () => {
  const instances = [
    checkpointInstance(network, 1, digest(3)),
    checkpointInstance(network, 2, digest(3)),
    checkpointInstance(network, 1, digest(4)),
    checkpointInstance(digest(9), 1, digest(3)),
  ];
  assert.equal(new Set(instances.map((instance) => instance.toHex())).size, instances.length);
});

test('every voter proposes about as often as any other, and each round draws anew (§13.3)', () => {
  const voters = seatsOf(7);
  const drawn = Array.from({ length: 7_000 }, (_, round) => proposerOf(digest(5), round, voters).toHex());
  for (const voter of voters) {
    const times = drawn.filter((proposer) => proposer === voter.toHex()).length;
    assert.ok(Math.abs(times - 1_000) < 150, `${times} of 7,000`); // five standard deviations
  }
  assert.notDeepEqual(
    drawn.slice(0, 50),
    Array.from({ length: 50 }, (_, round) => proposerOf(digest(6), round, voters).toHex()),
  );
});

test('a lone voter proposes always; a round without voters is a mistake of the caller (§13.3)', () => {
  const [voter] = seatsOf(1);
  assert.equal(proposerOf(digest(5), 3, [voter!]), voter);
  assert.throws(() => proposerOf(digest(5), 3, []), RangeError);
});

test('up to votersMax seats all vote (§13.1)', () => {
  const seats = seatsOf(LIMITS.votersMax);
  assert.deepEqual(votersOf(network, seed, 1, seats), seats);
});

test('beyond that a committee is drawn without replacement, the same for everybody, in the order of ids (§13.1)', () => {
  const seats = seatsOf(1_000);
  const committee = votersOf(network, seed, 1, seats).map((voter) => voter.toHex());
  assert.equal(committee.length, LIMITS.committeeSize);
  assert.equal(new Set(committee).size, LIMITS.committeeSize);
  assert.deepEqual(committee, committee.toSorted());
  assert.ok(committee.every((voter) => seats.some((seat) => seat.toHex() === voter)));
  assert.deepEqual(
    committee,
    votersOf(network, seed, 1, seats.toReversed()).map((voter) => voter.toHex()),
  );
});

test('each checkpoint and seed draws another committee, of which a member is as likely as any other (§13.1)', () => {
  const seats = seatsOf(500);
  const draws = Array.from({ length: 60 }, (_, number) => votersOf(network, seed, number, seats).map((voter) => voter.toHex()));
  assert.equal(new Set(draws.map((draw) => draw.join())).size, draws.length);
  assert.notDeepEqual(
    draws[1],
    votersOf(network, digest(7), 1, seats).map((voter) => voter.toHex()),
  );
  const times = seats.map((seat) => draws.filter((draw) => draw.includes(seat.toHex())).length);
  assert.ok(Math.min(...times) >= 30 && Math.max(...times) <= 60); // 48 on average, sd 3.1
});

test('seats between votersMax and the committee’s size all vote (§13.1)', () => {
  const seats = seatsOf(LIMITS.votersMax + 50);
  assert.deepEqual(votersOf(network, seed, 1, seats), seats);
});

test('boxes come in an order of the block’s output, whatever the order in which they were offered (§15)', () => {
  const boxes = seatsOf(4).flatMap((node) => ['one', 'two'].map((box) => ({ node, box, trust: 'self-reported' })));
  const named = (order: typeof boxes) => order.map(({ node, box }) => `${node.toHex()}/${box}`).join();
  const order = boxOrder(digest(8), 'ab'.repeat(16), 1, boxes);
  assert.equal(named(order), named(boxOrder(digest(8), 'ab'.repeat(16), 1, boxes.toReversed())));
  assert.equal(named(order.toSorted(byName)), named(boxes.toSorted(byName)));
  const others = [
    boxOrder(digest(9), 'ab'.repeat(16), 1, boxes),
    boxOrder(digest(8), 'ac'.repeat(16), 1, boxes),
    boxOrder(digest(8), 'ab'.repeat(16), 2, boxes),
  ];
  assert.equal(new Set([order, ...others].map(named)).size, 4);
});

function byName(left: { node: Uint8Array; box: string }, right: { node: Uint8Array; box: string }): number {
  return `${left.node.toHex()}/${left.box}` < `${right.node.toHex()}/${right.box}` ? -1 : 1;
}
