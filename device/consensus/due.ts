/**
 * When a block is due on this member's own clock: certificates of a forged chip look right, and a chip can be made to run
 * fast. Pure. Specification §12.4.
 */
import type { Instant } from './events.ts';
import type { Tree } from './tree.ts';

/**
 * How long before or after its due moment a block still counts as punctual, once on a branch. It is what a forged chip gains on a rival,
 * in its share of blocks: a twentieth of the interval gives one of 50 chips 2.11 %, a fiftieth 2.05 %.
 */
export function toleranceOf(targetIntervalMs: number): number {
  return Math.floor(targetIntervalMs / 50);
}

/**
 * How long after it was taken a head that is not final is endorsed (§12.8). Where finality is what it should be, it comes sooner, and nobody
 * has to; a chain of a group's own that is higher by then is followed, which is worth less than 0.2 % of the blocks to one of 45 %.
 */
export function endorsedAfterOf(targetIntervalMs: number): number {
  return Math.floor(targetIntervalMs / 10);
}

/** A moment of chain time, on the monotonic clock of a member. */
export function datedMs(timeMs: number, at: Instant): number {
  return at.monotonicMs - (at.unixMs - timeMs);
}

/**
 * What a block's children count from. The moment at which a block was seen takes back what was lost between waits, so that nobody can
 * save it up, and lets nobody build in secret: what is shown late is followed at the pace of its waits.
 * @param fromMs when the block was seen; or its date on this clock, where this member could not see it, or at least half of the voters have
 */
export function anchorOf(earliestMs: number, fromMs: number, toleranceMs: number): number {
  return Math.max(earliestMs, fromMs - toleranceMs);
}

/**
 * A checkpoint is due at the latest when its certificate comes, for more than two thirds held it until it was; and what stands on it counts
 * from there. Otherwise all waits that a member missed, while it heard nothing, would stand between it and every later block. Its date would
 * not do: whoever leads may date a block as late as its parent, and blocks of a forged chip on it would be due at once.
 */
export function anchorFinal({ root, blocks }: Tree, { monotonicMs }: Instant, targetIntervalMs: number): void {
  if (root.anchorMs <= monotonicMs) return;
  root.anchorMs = monotonicMs;
  for (const taken of blocks.values()) {
    const parent = blocks.get(taken.parent);
    if (!parent || taken === root) continue;
    taken.earliestMs = Math.min(taken.earliestMs, parent.anchorMs + taken.waitMs);
    taken.anchorMs = Math.min(taken.anchorMs, anchorOf(taken.earliestMs, taken.seenMs, toleranceOf(targetIntervalMs)));
  }
}

/** How long the machine slept since `last`: its monotonic clock stood, and all that was made meanwhile would look early. */
export function sleptMs(last: Instant, at: Instant, skewMaxMs: number): number {
  const aheadMs = at.unixMs - last.unixMs - (at.monotonicMs - last.monotonicMs);
  return aheadMs > skewMaxMs ? aheadMs : 0;
}

/** After a sleep everything was due earlier on this clock. */
export function anchorEarlier(tree: Tree, ms: number): void {
  for (const taken of tree.blocks.values()) {
    taken.earliestMs -= ms;
    taken.anchorMs -= ms;
  }
}
