/**
 * What a long time without finality leaves in memory: of the blocks far below the newest, their place in the tree and every sixteenth
 * state. The rest is read from the archive, and judged again, where somebody needs it. Pure. Specification §14.4.
 */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { keepLatest } from './bounded.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Position } from '../ledger/position.ts';
import { branchOf, type TakenBlock, type Tree } from './tree.ts';

/** To be called when a block is taken: thins those that are so far below it. */
export function thinBelow(tree: Tree, { position }: TakenBlock, ledger: Ledger): void {
  for (const [key, taken] of tree.whole) {
    if (taken.position.height >= position.height - CONSENSUS_LIMITS.wholeHeights) return;
    tree.whole.delete(key);
    thin(tree, taken, ledger);
  }
}

/** Whether the state after this block is made again by judging others. */
export function isThin({ position }: TakenBlock): boolean {
  return position instanceof RemadePosition;
}

/** A block that is needed for long gets its state back. */
export function makeWhole(taken: TakenBlock): void {
  const { id, height, timeMs, state } = taken.position;
  if (isThin(taken)) taken.position = { id, height, timeMs, state };
}

function thin(tree: Tree, taken: TakenBlock, ledger: Ledger): void {
  const { id, height } = taken.position;
  Object.defineProperty(taken, 'block', { get: () => archived(tree, id) });
  if (height % CONSENSUS_LIMITS.wholeStateEveryHeights !== 0)
    taken.position = new RemadePosition(taken.position, () => remadeState(tree, taken, ledger));
}

class RemadePosition implements Position {
  readonly id: Uint8Array;
  readonly height: number;
  readonly timeMs: number;
  readonly #remake: () => ChainState;

  constructor({ id, height, timeMs }: Position, remake: () => ChainState) {
    this.id = id;
    this.height = height;
    this.timeMs = timeMs;
    this.#remake = remake;
  }

  get state(): ChainState {
    return this.#remake();
  }
}

function archived({ archive }: Tree, id: Uint8Array): ReadBlock | undefined {
  const encoded = archive.block(id);
  const read = encoded && readBlock(encoded);
  return read?.status === 'decoded' ? read.value : undefined;
}

/** From the nearest state below, by the blocks between. The last few are remembered. */
function remadeState(tree: Tree, taken: TakenBlock, ledger: Ledger): ChainState {
  const known = tree.remade.get(taken.key);
  if (known) return known;
  const path: TakenBlock[] = [];
  let base: TakenBlock | undefined = taken;
  for (; base && isThin(base) && !tree.remade.has(base.key); base = tree.blocks.get(base.parent)) path.push(base);
  if (!base) throw new Error(`the branch below block ${taken.key} is gone from the tree`);
  const { id, height, timeMs } = base.position;
  let position: Position = { id, height, timeMs, state: base.position.state };
  let below = base;
  for (const next of path.toReversed()) {
    position = judgedAgain(tree, next, position, below, ledger);
    below = next;
  }
  tree.remade.set(taken.key, position.state);
  keepLatest(tree.remade, CONSENSUS_LIMITS.remadeStatesMax);
  return position.state;
}

/** @throws Error where the disk has damaged the block: this member ends, and asks for it when it starts again */
function judgedAgain(tree: Tree, taken: TakenBlock, parent: Position, below: TakenBlock, ledger: Ledger): Position {
  const block = taken.block;
  if (!block) throw new Error(`block ${hex(taken.position.id)} can't be read from the disk`);
  const verdict = ledger.judgeBlock(block, parent, branchOf(tree, below));
  if (verdict.status === 'refused') throw new Error(`block ${hex(block.id)}, taken before, is refused: ${verdict.reason}`);
  return verdict.position;
}
