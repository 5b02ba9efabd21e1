/** Epochs: when the seed of the draws changes, and whose draws count. Pure. Specification §12.1, §11.5. */
import { emptyGathering, epochOf, gather, nextSeed } from '#protocol/chain/epoch-seed.ts';
import type { ChainState, CoreState } from '#protocol/chain/state.ts';

/** The first epoch whose seed is made wholly of outputs that came after the seat (§11.5). */
const epochsUntilDraws = 3;

/** The state with the epoch of this height begun, if it has not. */
export function inEpochOf(state: ChainState, height: number, epochHeights: number): ChainState {
  const number = epochOf(height, epochHeights);
  const { epoch, checkpoint } = state.core;
  if (number === epoch.number) return state;
  const begun = { number, seed: epoch.seed, gathered: epoch.gathering, gathering: emptyGathering };
  if (number < 2) return { ...state, core: { ...state.core, epoch: begun } };
  const isHeld = checkpoint.height >= (number - 1) * epochHeights - 1;
  if (!isHeld) return postponed({ ...state, core: { ...state.core, epoch: begun } }, number);
  const seed = nextSeed(epoch.seed, epoch.gathered);
  return { ...state, core: { ...state.core, epoch: { ...begun, seed }, seeds: [...state.core.seeds, { fromHeight: height, seed }] } };
}

/** The epoch's gathering with the VRF output of a block. */
export function gathered(core: CoreState, output: Uint8Array): CoreState {
  return { ...core, epoch: { ...core.epoch, gathering: gather(core.epoch.gathering, output) } };
}

/** From which epoch the draws of a member count that gets its seat at a height. */
export function firstDrawingEpoch(height: number, epochHeights: number): number {
  return epochOf(height, epochHeights) + epochsUntilDraws;
}

/** A seed that stays was known when a newcomer's key was made: whose draws would begin with it waits for the next. */
function postponed(state: ChainState, number: number): ChainState {
  let { members } = state;
  for (const [key, record] of state.members) {
    if (record.drawsFromEpoch === number) members = members.with(key, { ...record, drawsFromEpoch: number + 1 });
  }
  return { ...state, members };
}
