/** An appeal: all seats shall judge what drawn judges have said, or said otherwise than one another. Pure. Specification §18.6. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { trustOff } from './attestations.ts';
import { judgedMember, slotIn, slotsWith, withTrust } from './member-trust.ts';
import type { Place } from './position.ts';
import { hasSeat } from './seats.ts';
import { judgesShown } from './shown-ballots.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** In vain, and without a judge that dissents, it costs credit: so whoever has none can't set all seats to work. @param by a member, whose key was looked at */
export function applyAppeal(state: ChainState, by: Uint8Array, action: ActionOf<'appeal'>, { context }: Place): Outcome {
  const { subject: node, slot, ballots } = action;
  const appellant = judgedMember(state, by);
  if (!context.network.genesis.trust || !appellant) return trustOff();
  if (!hasSeat(state, by)) return refused('no-seat', `${appellant.member.name} has no seat in force, so it can't appeal`);
  if (appellant.trust.credit < LIMITS.creditToJudge)
    return refused('credit-too-low', `credit ${appellant.trust.credit}; who appeals has at least ${LIMITS.creditToJudge}`);
  const subject = judgedMember(state, node);
  const judged = subject && slotIn(subject.trust, slot);
  if (!judged) return refused('evidence-unknown', `the state has no evidence of ${hex(node)} of slot ${slot}`);
  if (judged.closed) return refused('verdict-known', `slot ${slot} has been judged by all, or was revealed`);
  const draw = state.core.draws?.find((known) => known.slot === slot);
  if (!judged.verdict || !draw) return refused('nothing-to-appeal', `slot ${slot} has no verdict`);
  if (judged.verdict.word !== 'trusted' && ballots.length === 0)
    return refused('nothing-to-appeal', `all seats judge slot ${slot} without an appeal`);
  if (judged.appealedBy) return refused('already-appealed', `${hex(judged.appealedBy)} has appealed`);
  const words = judged.verdict.word === 'trusted' ? (['untrusted', 'disputed'] as const) : (['trusted'] as const);
  const shown = judgesShown(state, ballots, { context, subject: node, judged, draw, words });
  if (shown.status === 'refused') return shown;
  const appealed = { ...judged, appealedBy: by, ...(shown.nodes.length > 0 && { dissent: shown.nodes }) };
  return applied(withTrust(state, node, { slots: slotsWith(subject.trust, appealed) }));
}
