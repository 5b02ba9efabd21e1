/**
 * When a block is due on this member's own clock: certificates of a forged chip look right, and a chip can be made to run
 * fast. Pure. Specification §12.4.
 */
import type { Instant } from './events.ts';
import type { Tree } from './tree.ts';

/** How long before or after its due moment a block still counts as punctual, once on a branch. */
export function toleranceOf(targetIntervalMs: number): number {
  return Math.floor(targetIntervalMs / 20);
}

/** A moment of chain time, on the monotonic clock of a member. */
export function datedMs(timeMs: number, at: Instant): number {
  return at.monotonicMs - (at.unixMs - timeMs);
}

/**
 * What a block's children count from. The moment at which a block was seen takes back what was lost between waits, so that nobody can
 * save it up; a block that comes late, since this member or others were away, counts from its date instead.
 */
export function anchorOf(
  { earliestMs, seenMs, timeMs }: { readonly earliestMs: number; readonly seenMs: number; readonly timeMs: number },
  at: Instant,
  toleranceMs: number,
): number {
  return Math.max(earliestMs, Math.min(seenMs, datedMs(timeMs, at)) - toleranceMs);
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
