/** Ballots that contradict a verdict, and what is done with them: appeals against it, and the reveal of who took a planted challenge for good. Pure. Specification §18.6, §18.7. */
import type { ShownBallot } from '#protocol/chain/ballot.ts';
import type { JudgedSlot } from '#protocol/chain/trust-state.ts';
import { verdictInstance, verdictValue, type VerdictWord } from '#protocol/chain/verdict.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { isKeyOf } from '../ledger/member-identity.ts';
import { judgedMember } from '../ledger/member-trust.ts';
import { hasSeat } from '../ledger/seats.ts';
import { act } from './acting.ts';
import { judgedSlotOf } from './cases.ts';
import { wordFor } from './judged-evidence.ts';
import type { Case, TrustState } from './state.ts';

/**
 * Appeals where this member finds evidence bad that was called `trusted`, or has ballots of judges that contradict the verdict. Held for
 * a block of its own: all honest members have the same to say, and one appeal counts.
 */
export function appealWhereDue(state: TrustState): void {
  const { head, setup, self } = state;
  const own = head && judgedMember(head.state, setup.node);
  if (!head || !own || !hasSeat(head.state, setup.node) || own.trust.credit < LIMITS.creditToJudge) return;
  for (const one of state.cases.values()) {
    const judged = one.level === 0 && hex(one.subject) !== self ? judgedSlotOf(state, one) : undefined;
    if (!judged?.verdict || judged.closed || judged.appealedBy) continue;
    const isTrusted = judged.verdict.word === 'trusted';
    const ballots = shownBallots(state, one, judged, isTrusted ? ['untrusted', 'disputed'] : ['trusted']);
    const word = wordFor(state, one.subject, one.slot, judged.evidence);
    const isContrary = isTrusted && word !== undefined && word !== 'trusted';
    if (isContrary || (word && ballots.length > 0)) act(state, { action: 'appeal', subject: one.subject, slot: one.slot, ballots }, 'held');
  }
}

/** Of judges that did not see that this member's own challenge was bad. */
export function wrongBallots(state: TrustState, judged: JudgedSlot): ShownBallot[] {
  const instance = verdictInstance(state.networkId, { subject: state.setup.node, slot: judged.slot, level: 0 });
  const one = state.cases.get(hex(instance));
  return one ? shownBallots(state, one, judged, ['trusted', 'disputed']) : [];
}

/** One of each judge, in the order of nodes. */
function shownBallots(
  { head }: TrustState,
  { said, judges }: Case,
  { evidence }: JudgedSlot,
  words: readonly VerdictWord[],
): ShownBallot[] {
  const values = words.map((word) => hex(verdictValue(word, evidence)));
  const nodes = [...said.keys()].filter((node) => judges.weights.has(node)).sort();
  return nodes
    .flatMap((node) => values.flatMap((value) => said.get(node)?.get(value) ?? []).slice(0, 1))
    .filter(({ ballot, key }) => head && isKeyOf(head.state, ballot.node, key))
    .slice(0, LIMITS.judgesMax)
    .map(({ key, envelope }) => ({ key, envelope }));
}
