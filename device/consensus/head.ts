/** The head moves: by a better block, a lock, or a checkpoint; the pool follows. Pure. Specification §12.7. */
import { chooseHead, isBetter } from './fork-choice.ts';
import { report } from './outbox.ts';
import { followHead } from './pool.ts';
import type { ConsensusState } from './state.ts';
import { ancestorOf, descendsFrom, pathUp, type TakenBlock } from './tree.ts';
import { lockedBlock } from './votes.ts';

/** @returns whether the head has moved */
export function followForkChoice(state: ConsensusState, taken: readonly TakenBlock[]): boolean {
  const { tree, toleranceMs } = state;
  const locked = lockedBlock(state);
  const lock = locked?.key ?? '';
  if (state.headInDoubt || lock !== state.lock) {
    state.headInDoubt = false;
    state.lock = lock;
    return moveHead(state, chooseHead(tree, locked, toleranceMs));
  }
  const eligible = taken.filter((block) => tree.blocks.has(block.key) && (!locked || descendsFrom(tree, block, locked)));
  const head = eligible.reduce((best, block) => (isBetter(block, best, toleranceMs) ? block : best), state.head);
  return moveHead(state, head);
}

/** @returns whether it is another one */
export function moveHead(state: ConsensusState, to: TakenBlock): boolean {
  const from = state.head;
  if (from === to) return false;
  const fork = forkOf(state, from, to);
  const left = pathUp(state.tree, fork, from);
  state.head = to;
  followHead(state, left, pathUp(state.tree, fork, to));
  if (to.block) report(state.outbox, { report: 'headMoved', block: to.block, depth: left.length });
  return true;
}

/** The highest common ancestor. */
function forkOf({ tree }: ConsensusState, left: TakenBlock, right: TakenBlock): TakenBlock {
  const height = Math.min(left.position.height, right.position.height);
  let [a, b] = [ancestorOf(tree, left, height), ancestorOf(tree, right, height)];
  while (a && b && a !== b) [a, b] = [tree.blocks.get(a.parent), tree.blocks.get(b.parent)];
  return a ?? tree.root;
}
