/** What this member says on the chain. Pure. Specification §11.3. */
import { signAction } from '#protocol/chain/signed-action.ts';
import type { Action } from '#protocol/chain/transaction.ts';
import type { TrustState } from './state.ts';

/** The same action gives the same bytes, so that it may be submitted again. */
export function act({ outbox, networkId, setup }: TrustState, action: Action, gossip: 'said' | 'held'): void {
  const transaction = signAction(networkId, { by: setup.node, key: setup.operationalKey }, action, setup.sign);
  outbox.push({ effect: 'submit', transaction, gossip });
}
