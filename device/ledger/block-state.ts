/** The state that a block makes of its parent's: what the block does by itself, then its transactions. Pure. Specification §11.4. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { ChipTime } from '#protocol/chain/wait-certificate.ts';
import type { Genesis } from '#protocol/network.ts';
import { withoutStaleApplications } from './applications.ts';
import { withUpkeep } from './capsule-upkeep.ts';
import { gathered, inEpochOf } from './epochs.ts';
import { recordOf, withRecord } from './member-identity.ts';
import type { Position } from './position.ts';
import { withSlotBegun } from './slots.ts';

/** What a block is without its transactions. */
export interface Opening {
  readonly node: Uint8Array;
  /** VRF output of its draw. */
  readonly output: Uint8Array;
  /** When its wait was over: the start certificate's counts, and its Time plus the wait. */
  readonly waitedUntil: ChipTime;
  readonly timeMs: number;
}

/** The state in which the block's first transaction is judged. */
export function opened(parent: Position, { node, output, waitedUntil, timeMs }: Opening, { consensus, trust }: Genesis): ChainState {
  const height = parent.height + 1;
  const drawn = inEpochOf(parent.state, height, consensus.epochHeights);
  const led = withLeader({ ...drawn, core: gathered(drawn.core, output) }, node, waitedUntil);
  const begun = withSlotBegun(withoutStaleApplications(led, height), height, trust);
  return withUpkeep(begun, { height, timeMs, leader: node, output });
}

function withLeader(state: ChainState, node: Uint8Array, waitedUntil: ChipTime): ChainState {
  const record = recordOf(state, node);
  return record ? withRecord(state, { ...record, waitedUntil: { ...waitedUntil } }) : state;
}
