/** An appeal: all seats shall judge what drawn judges have trusted. Pure. Specification §18.6. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { trustOff } from './attestations.ts';
import { judgedMember, slotIn, slotsWith, withTrust } from './member-trust.ts';
import type { Place } from './position.ts';
import { hasSeat } from './seats.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** An appeal in vain costs credit, so whoever has none can't set all seats to work. @param by a member, whose key was looked at */
export function applyAppeal(state: ChainState, by: Uint8Array, { subject: node, slot }: ActionOf<'appeal'>, { context }: Place): Outcome {
  const appellant = judgedMember(state, by);
  if (!context.network.genesis.trust || !appellant) return trustOff();
  if (!hasSeat(state, by)) return refused('no-seat', `${appellant.member.name} has no seat in force, so it can't appeal`);
  if (appellant.trust.credit < LIMITS.creditToJudge)
    return refused('credit-too-low', `credit ${appellant.trust.credit}; who appeals has at least ${LIMITS.creditToJudge}`);
  const subject = judgedMember(state, node);
  const judged = subject && slotIn(subject.trust, slot);
  if (!judged) return refused('evidence-unknown', `the state has no evidence of ${hex(node)} of slot ${slot}`);
  if (judged.closed) return refused('verdict-known', `slot ${slot} has been judged by all, or was revealed`);
  if (judged.verdict?.word !== 'trusted') return refused('nothing-to-appeal', `slot ${slot} has no verdict "trusted"`);
  if (judged.appealedBy) return refused('already-appealed', `${hex(judged.appealedBy)} has appealed`);
  return applied(withTrust(state, node, { slots: slotsWith(subject.trust, { ...judged, appealedBy: by }) }));
}
