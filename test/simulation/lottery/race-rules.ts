/** Held until due (§12.4), fork choice (§12.7) and what is backed (§12.8) as the race models them; a test compares them with the production's. */
import { commonAncestor, type RaceBlock } from './race-block.ts';
import { hasBacked } from './race-endorsements.ts';

export interface Due {
  readonly earliestMs: number;
  readonly anchorMs: number;
}

/** @param comesMs when the block could first be judged; where dates count, its date if that is earlier */
export function dueOf(parentAnchorMs: number, waitMs: number, comesMs: number, toleranceMs: number): Due {
  const earliestMs = parentAnchorMs + waitMs;
  return { earliestMs, anchorMs: Math.max(earliestMs, comesMs - toleranceMs) };
}

/** Whether a node goes from its head to a block that it has just taken. */
export function prefers(block: RaceBlock, head: RaceBlock, node: number, toleranceMs: number): boolean {
  if (block.parent !== head) {
    const fork = commonAncestor(block, head);
    const [isKept, isCalled] = [hasBacked(head, fork), hasBacked(block, fork)];
    if (isKept !== isCalled) return isCalled;
  }
  if (block.height !== head.height) return block.height > head.height;
  if (block.parent !== head.parent) return false;
  return block.waitMs < head.waitMs && (block.seenMs[node] ?? 0) < (head.earliestMs[node] ?? 0) + toleranceMs;
}
