/** The consensus core. Pure. Specification §11-14. */
import { encodeStrict } from '#protocol/codec.ts';
import { Action, actionInput, encodeTransaction } from '#protocol/chain/transaction.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import type { ConsensusEffect, ConsensusEvent } from './events.ts';
import type { Position } from './position.ts';
import type { ConsensusSetup, ConsensusState } from './state.ts';

export type { Anchor, ConsensusSetup, ConsensusState } from './state.ts';

export function startConsensus(setup: ConsensusSetup): { readonly state: ConsensusState; readonly effects: ConsensusEffect[] } {
  throw new Error(`not here yet for ${setup.network.genesis.name}`);
}

/** Changes `state` by an event. The same state and event give the same effects, to be performed in their order. */
export function step(state: ConsensusState, event: ConsensusEvent): ConsensusEffect[] {
  throw new Error(`not here yet for ${state.self} ${event.type}`);
}

export function headOf(state: ConsensusState): Position {
  return state.head.position;
}

export function finalisedOf(state: ConsensusState): {
  readonly position: Position;
  readonly number: number;
  readonly certificate?: FinalityCertificate;
} {
  const { block, number, certificate } = state.finality.last;
  return { position: block.position, number, ...(certificate && { certificate }) };
}

/** An action of this member as a transaction, for `transactionMade`. The same action gives the same bytes (§11.3). */
export function makeAction({ networkId, setup }: ConsensusState, action: Action): Uint8Array {
  const body = encodeStrict(Action, action);
  const { node, operationalKey, sign } = setup;
  return encodeTransaction({ kind: 'signed', by: node, key: operationalKey, body, signature: sign(actionInput(networkId, body)) });
}
