/** Who may draw for a height, and what. Pure. Specification §11.5, §12.2. */
import { drawAlpha, waitMsOf } from '#protocol/chain/elapsed-draw.ts';
import { hex } from '#protocol/digest.ts';
import { inEpochOf } from './epochs.ts';
import { recordOf } from './member-identity.ts';
import type { LedgerContext, Position } from './position.ts';
import { hasSeat } from './seats.ts';

export type DrawVerdict =
  | { readonly status: 'drawn'; readonly alpha: Uint8Array }
  | { readonly status: 'no-seat'; readonly reason: 'not-a-member' | 'not-yet'; readonly detail: string };

/** The draw of a node for the height above `parent`. */
export function drawOf({ network, networkId }: LedgerContext, parent: Position, node: Uint8Array): DrawVerdict {
  const { epochHeights } = network.genesis.consensus;
  const height = parent.height + 1;
  const state = inEpochOf(parent.state, height, epochHeights);
  const record = recordOf(state, node);
  if (!record || !hasSeat(state, node)) return { status: 'no-seat', reason: 'not-a-member', detail: `${hex(node)} has no seat in force` };
  const { number, seed } = state.core.epoch;
  if (number < record.drawsFromEpoch) {
    const detail = `the draws of ${hex(node)} count from epoch ${record.drawsFromEpoch}; this is epoch ${number}`;
    return { status: 'no-seat', reason: 'not-yet', detail };
  }
  return { status: 'drawn', alpha: drawAlpha(networkId, seed, height) };
}

/** The wait in ms that an output means above `parent`. */
export function waitAbove({ network }: LedgerContext, parent: Position, output: Uint8Array): number {
  return waitMsOf(output, parent.state.core.seats.length, network.genesis.consensus);
}
