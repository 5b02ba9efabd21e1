/** Which of the taken blocks is the head. Pure. Specification §12.7. */
import { descendsFrom, type TakenBlock, type Tree } from './tree.ts';

/**
 * Whether `block`, taken after `head`, takes its place. A smaller wait that comes late restarts nobody: it had to be seen
 * before the other was due, or one tolerance later.
 */
export function isBetter(block: TakenBlock, head: TakenBlock, tolerance: number): boolean {
  if (block.position.height !== head.position.height) return block.position.height > head.position.height;
  return block.parent === head.parent && block.waitMs < head.waitMs && block.seenMs <= head.earliestMs + tolerance;
}

/** Of the whole tree. @param locked the block this voter is locked on: nothing that does not descend from it is chosen (§13.3) */
export function chooseHead(tree: Tree, locked: TakenBlock | undefined, tolerance: number): TakenBlock {
  let head = locked ?? tree.root;
  for (const block of tree.blocks.values()) {
    if (block !== head && mayLead(tree, block, locked) && isBetter(block, head, tolerance)) head = block;
  }
  return head;
}

export function mayLead(tree: Tree, block: TakenBlock, locked: TakenBlock | undefined): boolean {
  return !locked || descendsFrom(tree, block, locked);
}
