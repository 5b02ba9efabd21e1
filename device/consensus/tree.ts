/** The blocks that this member has taken: the last finalised one and everything that grows on it. Pure. Specification §12.7. */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import type { ChainArchive } from './events.ts';
import type { Branch, Position } from '../ledger/position.ts';

export interface TakenBlock {
  /** Its id, hexadecimal. */
  readonly key: string;
  readonly parent: string;
  position: Position;
  /** Absent where the tree begins with the genesis, or with a kept state. */
  readonly block: ReadBlock | undefined;
  /** Leader and height, as in `byLeader`. */
  slot?: string;
  readonly waitMs: number;
  /** On this member's monotonic clock: when it could first be judged, when it was due, and what its children count from (§12.4). */
  readonly seenMs: number;
  earliestMs: number;
  anchorMs: number;
}

export interface Tree {
  /** The last finalised block. */
  root: TakenBlock;
  /** The root and its descendants, in the order in which they were taken. */
  readonly blocks: Map<string, TakenBlock>;
  /** Ids of the latest finalised blocks, by height. */
  readonly spine: Map<number, Uint8Array>;
  /** Keys by `leader/height`, for equivocation (§12.6). */
  readonly byLeader: Map<string, string[]>;
  /** Blocks that are in memory as a whole, by key, the oldest first (thinning.ts); the root is not among them. */
  readonly whole: Map<string, TakenBlock>;
  /** States that were made again, by key. */
  readonly remade: Map<string, ChainState>;
  readonly archive: ChainArchive;
}

export function plantTree(root: TakenBlock, archive: ChainArchive): Tree {
  const spine = new Map([[root.position.height, root.position.id]]);
  return { root, blocks: new Map([[root.key, root]]), spine, byLeader: new Map(), whole: new Map(), remade: new Map(), archive };
}

export function growTree(tree: Tree, taken: TakenBlock): void {
  tree.blocks.set(taken.key, taken);
  if (!taken.block) return;
  tree.whole.set(taken.key, taken);
  const slot = slotOf(taken.block);
  taken.slot = slot;
  tree.byLeader.set(slot, [...(tree.byLeader.get(slot) ?? []), taken.key]);
}

/** The taken blocks of a block's leader and height, itself included. */
export function rivalsOf(tree: Tree, block: ReadBlock): TakenBlock[] {
  return (tree.byLeader.get(slotOf(block)) ?? []).flatMap((key) => tree.blocks.get(key) ?? []);
}

/** The greatest height above the root, at most this one, of which the tree holds a block of the leader; else the root's. @param leader node id, hexadecimal */
export function highestBy({ root, byLeader }: Tree, leader: string, atMost: number): number {
  let height = atMost;
  while (height > root.position.height && !byLeader.has(`${leader}/${height}`)) height -= 1;
  return Math.max(height, root.position.height);
}

/** The block at a height on the way from `tip` down to the root. */
export function ancestorOf(tree: Tree, tip: TakenBlock, height: number): TakenBlock | undefined {
  let at: TakenBlock | undefined = tip;
  while (at && at.position.height > height) at = tree.blocks.get(at.parent);
  return at?.position.height === height ? at : undefined;
}

export function descendsFrom(tree: Tree, tip: TakenBlock, ancestor: TakenBlock): boolean {
  return ancestorOf(tree, tip, ancestor.position.height) === ancestor;
}

/** The chain below and including `tip`, also where it is finalised and known to the archive alone. */
export function branchOf(tree: Tree, tip: TakenBlock): Branch {
  return {
    ancestorAt: (height) =>
      height >= tree.root.position.height ? ancestorOf(tree, tip, height)?.position.id : finalisedIdAt(tree, height),
  };
}

export function finalisedIdAt(tree: Tree, height: number): Uint8Array | undefined {
  const known = tree.spine.get(height);
  if (known) return known;
  const encoded = tree.archive.blockAt(height);
  const block = encoded && readBlock(encoded);
  return block?.status === 'decoded' ? block.value.id : undefined;
}

/** The blocks above `from`, up to and including `tip`, lowest first. `from` is an ancestor, or the nearest one counts. */
export function pathUp(tree: Tree, from: TakenBlock, tip: TakenBlock): TakenBlock[] {
  const path: TakenBlock[] = [];
  for (let at: TakenBlock | undefined = tip; at && at !== from; at = tree.blocks.get(at.parent)) {
    path.push(at);
    if (at === tree.root) break;
  }
  return path.reverse();
}

/** Makes `root` the last finalised block and forgets what does not descend from it. @returns the blocks that lost */
export function finaliseTo(tree: Tree, root: TakenBlock): TakenBlock[] {
  const won = pathUp(tree, tree.root, root);
  for (const { position } of won) tree.spine.set(position.height, position.id);
  for (const height of tree.spine.keys()) {
    if (tree.spine.size <= CONSENSUS_LIMITS.spineHeightsMax) break;
    tree.spine.delete(height);
  }
  const kept = new Set([tree.root, ...won]);
  tree.root = root;
  tree.whole.delete(root.key);
  const stays = new Set([root.key]);
  const lost: TakenBlock[] = [];
  for (const [key, taken] of tree.blocks) {
    if (taken === root) continue;
    if (stays.has(taken.parent) && taken.position.height > root.position.height) stays.add(key);
    else {
      forget(tree, taken);
      if (!kept.has(taken)) lost.push(taken);
    }
  }
  return lost;
}

function forget(tree: Tree, taken: TakenBlock): void {
  tree.blocks.delete(taken.key);
  tree.whole.delete(taken.key);
  const { slot } = taken;
  if (slot === undefined) return;
  const left = (tree.byLeader.get(slot) ?? []).filter((key) => key !== taken.key);
  if (left.length > 0) tree.byLeader.set(slot, left);
  else tree.byLeader.delete(slot);
}

function slotOf({ header }: ReadBlock): string {
  return `${hex(header.node)}/${header.height}`;
}
