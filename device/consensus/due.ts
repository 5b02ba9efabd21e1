/**
 * When a block is due on this member's own clock: certificates of a forged chip look right, and a chip can be made to run
 * fast. Pure. Specification §12.4.
 */
import type { Instant } from './events.ts';
import type { Position } from './position.ts';
import type { Tree } from './tree.ts';

/** How long before or after its due moment a block still counts as punctual, once on a branch. */
export function toleranceMs(targetIntervalMs: number): number {
  return Math.floor(targetIntervalMs / 20);
}

/** What a block's children count from: whoever builds ahead of time gains one tolerance on a branch, not one on each block. */
export function anchorOf(earliestMs: number, seenMs: number, tolerance: number): number {
  return Math.max(earliestMs, seenMs - tolerance);
}

/** For a member that was away: a checkpoint's chain time, on the monotonic clock. */
export function anchorByChainTime({ timeMs }: Pick<Position, 'timeMs'>, at: Instant): number {
  return at.monotonicMs - (at.unixMs - timeMs);
}

/** Whether the machine slept: its monotonic clock stood, so that every block of that time would look early. */
export function wasAsleep(last: Instant, at: Instant, skewMaxMs: number): boolean {
  return at.unixMs - last.unixMs - (at.monotonicMs - last.monotonicMs) > skewMaxMs;
}

/** Counts anew from the last checkpoint, as after a restart. */
export function anchorAnew(tree: Tree, at: Instant): void {
  const { root } = tree;
  const base = anchorByChainTime(root.position, at);
  for (const taken of tree.blocks.values()) {
    const from = taken === root ? base : (tree.blocks.get(taken.parent)?.anchorMs ?? base);
    taken.earliestMs = taken === root ? base : from + taken.waitMs;
    taken.anchorMs = Math.min(taken.anchorMs, taken.earliestMs);
  }
}
