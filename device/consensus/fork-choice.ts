/** Which of the taken blocks is the head. Pure. Specification §12.7. */
import type { TakenBlock, Tree } from './tree.ts';

/**
 * Whether `block`, taken after `head`, takes its place. A smaller wait that comes late restarts nobody: it had to be seen
 * before the other was due, or one tolerance later.
 */
export function isBetter(block: TakenBlock, head: TakenBlock, toleranceMs: number): boolean {
  if (block.position.height !== head.position.height) return block.position.height > head.position.height;
  return block.parent === head.parent && block.waitMs < head.waitMs && block.seenMs <= head.earliestMs + toleranceMs;
}

/** Of the whole tree. @param base the block that this voter is locked on or the backed one: nothing is chosen that does not descend from it */
export function chooseHead(tree: Tree, base: TakenBlock | undefined, toleranceMs: number): TakenBlock {
  let head = base ?? tree.root;
  const eligible = new Set([head.key]);
  for (const block of tree.blocks.values()) {
    if (!eligible.has(block.parent)) continue;
    eligible.add(block.key);
    if (isBetter(block, head, toleranceMs)) head = block;
  }
  return head;
}
