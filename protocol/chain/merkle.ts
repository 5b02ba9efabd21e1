/** Merkle trees over lists of 32-byte ids: the tree of RFC 9162 §2.1 with our own domains. Specification §11.3. */
import { sameBytes } from '../codec.ts';
import { domainDigest } from '../digest.ts';

export type InclusionVerdict =
  | { readonly status: 'accepted' }
  | { readonly status: 'refused'; readonly reason: 'index-out-of-range' | 'path-length' | 'other-root'; readonly detail: string };

/** The root of the ids in this order. */
export function merkleRoot(ids: readonly Uint8Array[]): Uint8Array {
  if (ids.length === 0) return domainDigest('merkle-empty');
  let level = ids.map(leafOf);
  while (level.length > 1) level = levelAbove(level);
  return level[0] ?? domainDigest('merkle-empty');
}

/** The siblings from the leaf upwards. RFC 9162 §2.1.3.1. @throws RangeError where there is no such id */
export function inclusionPath(ids: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= ids.length) throw new RangeError(`there is no entry ${index} of ${ids.length}`);
  const path: Uint8Array[] = [];
  let [level, position] = [ids.map(leafOf), index];
  while (level.length > 1) {
    const sibling = level[position % 2 === 0 ? position + 1 : position - 1];
    if (sibling) path.push(sibling);
    [level, position] = [levelAbove(level), Math.floor(position / 2)];
  }
  return path;
}

/** Whether the root is that of a list of `size` ids with this one at `index`. RFC 9162 §2.1.3.2. */
export function judgeInclusion(
  id: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): InclusionVerdict {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size)
    return refused('index-out-of-range', `entry ${index} of ${size} does not exist`);
  let [node, position, last, used] = [leafOf(id), index, size - 1, 0];
  while (last > 0) {
    if (position % 2 === 1 || position < last) {
      const sibling = path[used];
      if (!sibling) return refused('path-length', `the path has ${path.length} digests; entry ${index} of ${size} needs more`);
      node = position % 2 === 1 ? domainDigest('merkle-node', sibling, node) : domainDigest('merkle-node', node, sibling);
      used += 1;
    }
    [position, last] = [Math.floor(position / 2), Math.floor(last / 2)];
  }
  if (used !== path.length) return refused('path-length', `the path has ${path.length} digests; entry ${index} of ${size} needs ${used}`);
  return sameBytes(node, root) ? { status: 'accepted' } : refused('other-root', 'the path does not lead to this root');
}

function leafOf(id: Uint8Array): Uint8Array {
  return domainDigest('merkle-leaf', id);
}

/** Pairs, and the odd one out as it is: the same tree as the largest power of two on the left at every split. */
function levelAbove(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const [left, right] = level.slice(index, index + 2);
    if (left) above.push(right ? domainDigest('merkle-node', left, right) : left);
  }
  return above;
}

function refused(reason: 'index-out-of-range' | 'path-length' | 'other-root', detail: string): InclusionVerdict {
  return { status: 'refused', reason, detail };
}
