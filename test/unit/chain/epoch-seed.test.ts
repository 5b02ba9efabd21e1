/** Seeds of the draws. threats.md: last-revealer bias, and seeds renewed by every block. Specification §12.1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { emptyGathering, epochOf, gather, genesisSeed, nextSeed } from '#protocol/chain/epoch-seed.ts';
import { blobDigest, domainDigest } from '#protocol/digest.ts';

const digest = (value: number) => new Uint8Array(32).fill(value);

test('heights 0 to epochHeights − 1 are epoch 0 (§12.1)', () => {
  assert.deepEqual(
    [0, 1, 999, 1_000, 1_999, 2_000].map((height) => epochOf(height, 1_000)),
    [0, 0, 0, 1, 1, 2],
  );
});

test('the first seed is about the network and every founder’s VRF key, in their order (§12.1)', () => {
  const [first, second] = [new Uint8Array(280).fill(1), new Uint8Array(280).fill(2)];
  const seeds = [
    genesisSeed(digest(1), [first, second]),
    genesisSeed(digest(1), [second, first]),
    genesisSeed(digest(2), [first, second]),
    genesisSeed(digest(1), [first]),
  ];
  assert.equal(new Set(seeds.map((seed) => seed.toHex())).size, seeds.length);
  assert.deepEqual(seeds[0], domainDigest('epoch-seed', digest(1), first, second));
});

test('a seed follows from the one before it and from all outputs gathered, in their order (§12.1)', () => {
  const outputs = [1, 2, 3].map((value) => blobDigest(Uint8Array.of(value)));
  const gathered = outputs.reduce(gather, emptyGathering);
  const others = [outputs.toReversed(), outputs.slice(1), outputs.slice(0, -1), []].map((some) => some.reduce(gather, emptyGathering));
  assert.equal(new Set([gathered, ...others].map((value) => nextSeed(digest(1), value).toHex())).size, 5);
  assert.notDeepEqual(nextSeed(digest(2), gathered), nextSeed(digest(1), gathered));
  assert.deepEqual(emptyGathering, digest(0));
});
