/** What this member tells its operator about messages that it does not take; the sender is told nothing. Pure. Specification §14.3. */
import type { MessageKind } from './events.ts';
import { report } from './outbox.ts';
import type { ConsensusState } from './state.ts';

export function refuseMessage(
  state: ConsensusState,
  { from, kind }: { readonly from: string; readonly kind: MessageKind },
  { reason, detail }: { readonly reason: string; readonly detail: string },
): void {
  report(state.outbox, { report: 'messageRefused', from, kind, reason, detail });
}
