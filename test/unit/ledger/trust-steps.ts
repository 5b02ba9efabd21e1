/** Steps of a branch about trust alone, for vectors: a height, a checkpoint, a transaction. */
import type { CoreState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import assert from 'node:assert/strict';
import { withSlotBegun } from '../../../device/ledger/slots.ts';
import { applyTransaction } from '../../../device/ledger/transaction-rules.ts';
import { placeOf, type Trusting } from './trust-workshop.ts';

export type TrustStep =
  | { readonly height: number }
  | { readonly transaction: Uint8Array; readonly height: number; readonly timeMs: number }
  | { readonly checkpoint: CoreState['checkpoint']; readonly voted: readonly Uint8Array[] };

export function trustStep(world: Trusting, step: TrustStep): Trusting {
  const { state } = world;
  if ('checkpoint' in step) {
    let { members } = state;
    for (const node of step.voted) members = members.with(hex(node), { ...members.get(hex(node))!, votedIn: step.checkpoint.number });
    return { ...world, state: { ...state, members, core: { ...state.core, checkpoint: step.checkpoint } } };
  }
  if (!('transaction' in step))
    return { ...world, height: step.height, state: withSlotBegun(state, step.height, world.context.network.genesis.trust) };
  const outcome = applyTransaction(state, step.transaction, { ...placeOf(world), height: step.height, timeMs: step.timeMs });
  assert.ok(outcome.status === 'applied', outcome.status === 'refused' ? `${outcome.reason}: ${outcome.detail}` : '');
  return { ...world, state: outcome.state };
}
