/** The head moves: by a better block, a lock, endorsements, or a checkpoint; the pool follows. Pure. Specification §12.7. */
import { backedBlock } from './endorsing.ts';
import { chooseHead, isBetter } from './fork-choice.ts';
import { report } from './outbox.ts';
import { followHead } from './pool.ts';
import type { ConsensusState } from './state.ts';
import { ancestorOf, descendsFrom, pathUp, type TakenBlock } from './tree.ts';
import { lockedBlock } from './votes.ts';

/** @returns whether the head has moved */
export function followForkChoice(state: ConsensusState, taken: readonly TakenBlock[]): boolean {
  const { tree, toleranceMs } = state;
  const base = baseOf(state);
  const key = base?.key ?? '';
  if (state.headInDoubt || key !== state.base) {
    state.headInDoubt = false;
    state.base = key;
    return moveHead(state, chooseHead(tree, base, toleranceMs));
  }
  const eligible = taken.filter((block) => tree.blocks.has(block.key) && (!base || descendsFrom(tree, block, base)));
  const head = eligible.reduce((best, block) => (isBetter(block, best, toleranceMs) ? block : best), state.head);
  return moveHead(state, head);
}

/** What the head must descend from: the lock, and above it what is backed. */
function baseOf(state: ConsensusState): TakenBlock | undefined {
  const locked = lockedBlock(state);
  const backed = backedBlock(state);
  return backed && (!locked || descendsFrom(state.tree, backed, locked)) ? backed : locked;
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
