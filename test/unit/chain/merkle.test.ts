/** Merkle trees against the definition of RFC 9162 §2.1.1, read as it stands. Specification §11.3. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { inclusionPath, judgeInclusion, merkleRoot } from '#protocol/chain/merkle.ts';
import { blobDigest, domainDigest } from '#protocol/digest.ts';

const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100];

function idsOf(size: number): Uint8Array[] {
  return Array.from({ length: size }, (_, index) => blobDigest(Uint8Array.of(index)));
}

/** MTH of RFC 9162 §2.1.1: split at the largest power of two below the size. */
function naiveRoot(ids: readonly Uint8Array[]): Uint8Array {
  const [first] = ids;
  if (!first) return domainDigest('merkle-empty');
  if (ids.length === 1) return domainDigest('merkle-leaf', first);
  const split = splitOf(ids.length);
  return domainDigest('merkle-node', naiveRoot(ids.slice(0, split)), naiveRoot(ids.slice(split)));
}

/** PATH of RFC 9162 §2.1.3.1. */
function naivePath(ids: readonly Uint8Array[], index: number): Uint8Array[] {
  if (ids.length === 1) return [];
  const split = splitOf(ids.length);
  const [left, right] = [ids.slice(0, split), ids.slice(split)];
  return index < split ? [...naivePath(left, index), naiveRoot(right)] : [...naivePath(right, index - split), naiveRoot(left)];
}

function splitOf(size: number): number {
  return 2 ** Math.floor(Math.log2(size - 1));
}

test('the root is the Merkle tree hash of RFC 9162 with our domains, for every size (§11.3)', () => {
  for (const size of [0, ...sizes]) assert.deepEqual(merkleRoot(idsOf(size)), naiveRoot(idsOf(size)), `${size} ids`);
});

test('the root of nothing, of one, and of that one twice differ (§11.3)', () => {
  const [id] = idsOf(1);
  assert.equal(new Set([merkleRoot([]), merkleRoot([id!]), merkleRoot([id!, id!])].map((root) => root.toHex())).size, 3);
});

test('a path is that of RFC 9162 §2.1.3.1 and shows its entry, for every index of every size (§11.3)', () => {
  for (const size of sizes) {
    const ids = idsOf(size);
    for (const [index, id] of ids.entries()) {
      const path = inclusionPath(ids, index);
      assert.deepEqual(path, naivePath(ids, index));
      assert.deepEqual(judgeInclusion(id, index, size, path, merkleRoot(ids)), { status: 'accepted' });
    }
  }
});

test('there is no path of an entry that does not exist (§11.3)', () => {
  for (const index of [-1, 3, 0.5, Number.NaN]) assert.throws(() => inclusionPath(idsOf(3), index), RangeError);
});

describe('what is not in the list', () => {
  const ids = idsOf(13);
  const root = merkleRoot(ids);
  const outcome = (id: Uint8Array, index: number, path: readonly Uint8Array[], size = ids.length): string => {
    const verdict = judgeInclusion(id, index, size, path, root);
    return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
  };

  test('another id, another index, or a changed digest of the path is refused (§11.3)', () => {
    for (const [index, id] of ids.entries()) {
      const path = inclusionPath(ids, index);
      assert.equal(outcome(blobDigest(Uint8Array.of(200)), index, path), 'other-root');
      for (let other = 0; other < ids.length; other += 1) {
        if (other !== index) assert.notEqual(outcome(id, other, path), 'accepted', `${index} as ${other}`);
      }
      for (const [at, digest] of path.entries())
        assert.equal(outcome(id, index, path.with(at, digest.with(0, digest[0]! ^ 1))), 'other-root');
    }
  });

  test('a path that is too long or too short is refused (§11.3)', () => {
    const path = inclusionPath(ids, 5);
    assert.equal(outcome(ids[5]!, 5, [...path, root]), 'path-length');
    assert.equal(outcome(ids[5]!, 5, path.slice(0, -1)), 'path-length');
    assert.equal(outcome(ids[5]!, 5, []), 'path-length');
  });

  test('an index or a size that is none is refused (§11.3)', () => {
    for (const [index, size] of [
      [13, 13],
      [-1, 13],
      [0.5, 13],
      [0, 0],
      [0, Number.POSITIVE_INFINITY],
      [Number.NaN, 13],
    ] as const) {
      assert.equal(outcome(ids[0]!, index, inclusionPath(ids, 0), size), 'index-out-of-range');
    }
  });

  test('a node of the tree is no entry: leaves and nodes have domains of their own (§11.3)', () => {
    const four = idsOf(4);
    const node = domainDigest('merkle-node', domainDigest('merkle-leaf', four[0]!), domainDigest('merkle-leaf', four[1]!));
    const path = [inclusionPath(four, 0)[1]!];
    assert.notEqual(judgeInclusion(node, 0, 2, path, merkleRoot(four)).status, 'accepted');
  });
});
