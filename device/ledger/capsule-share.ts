/**
 * How many capsules on the chain are one gateway's. Pure. Specification §15.1.
 *
 * What is counted of a part of the map is kept with that part, which the states of many blocks share, so that one more capsule
 * costs its path and one small part. Nothing is kept of parts so small that counting them again is cheap.
 */
import type { StateMap, Tree } from '#protocol/chain/state-map.ts';
import type { CapsuleRecord } from '#protocol/chain/state.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';

export interface CapsuleCount {
  /** Capsules that have not ended. */
  readonly open: number;
  /** These and the ended ones that are remembered. */
  readonly kept: number;
}

export function capsulesOf({ tree }: StateMap<CapsuleRecord>, gateway: Uint8Array): CapsuleCount {
  return tree ? countBelow(tree, { gateway, name: hex(gateway) }) : { open: 0, kept: 0 };
}

interface Asked {
  readonly gateway: Uint8Array;
  readonly name: string;
}

/** Capsules of the smallest part of which counts are kept. */
const KEPT_FROM = 64;

const sizes = new WeakMap<object, number>();
const counts = new WeakMap<object, Map<string, CapsuleCount>>();

function countBelow(tree: Tree<CapsuleRecord>, asked: Asked): CapsuleCount {
  if (!('bit' in tree)) return countOfOne(tree.value, asked.gateway);
  const known = counts.get(tree)?.get(asked.name);
  if (known) return known;
  const [left, right] = [countBelow(tree.left, asked), countBelow(tree.right, asked)];
  const count = { open: left.open + right.open, kept: left.kept + right.kept };
  if (sizeBelow(tree) >= KEPT_FROM) counts.set(tree, (counts.get(tree) ?? new Map<string, CapsuleCount>()).set(asked.name, count));
  return count;
}

function countOfOne({ gateway, end }: CapsuleRecord, asked: Uint8Array): CapsuleCount {
  if (!sameBytes(gateway, asked)) return { open: 0, kept: 0 };
  return { open: end ? 0 : 1, kept: 1 };
}

function sizeBelow(tree: Tree<CapsuleRecord>): number {
  if (!('bit' in tree)) return 1;
  const known = sizes.get(tree) ?? sizeBelow(tree.left) + sizeBelow(tree.right);
  sizes.set(tree, known);
  return known;
}
