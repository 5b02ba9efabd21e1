/** Verdicts on members: which votes count, and what they change about work, seats and credit. Pure. Specification §18.3 to §18.6. */
import { judgeVotes } from '#protocol/chain/certified-votes.ts';
import { judgesOf, type Judges } from '#protocol/chain/judges.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { TransactionOf } from '#protocol/chain/transaction.ts';
import { slotOf } from '#protocol/chain/trust-slots.ts';
import { isSuspended, type JudgedSlot, type MemberTrust } from '#protocol/chain/trust-state.ts';
import { verdictInput } from '#protocol/chain/verdict.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { TrustParameters } from '#protocol/network.ts';
import { trustOff } from './attestations.ts';
import { withDemoted, withReturned } from './demotion.ts';
import { isKeyOf, recordOf } from './member-identity.ts';
import { judgedMember, laterVerdict, slotIn, slotsWith, withCredit, withTrust, type JudgedMember } from './member-trust.ts';
import type { Place } from './position.ts';
import { applied, refused, type Outcome, type Refusal } from './transaction-refusal.ts';

type Verdict = TransactionOf<'verdict'>;

/** A verdict and what it is about. */
interface Case {
  readonly verdict: Verdict;
  readonly subject: JudgedMember;
  readonly judged: JudgedSlot;
  readonly parameters: TrustParameters;
  readonly place: Place;
}

export function applyVerdict(state: ChainState, verdict: Verdict, place: Place): Outcome {
  const { trust: parameters } = place.context.network.genesis;
  if (!parameters) return trustOff();
  const subject = judgedMember(state, verdict.subject);
  if (!subject) return refused('not-a-member', `${hex(verdict.subject)} is not a member`);
  const judged = slotIn(subject.trust, verdict.slot);
  if (!judged || !sameBytes(judged.evidence, verdict.evidence))
    return refused('evidence-unknown', `${subject.member.name} has not shown this evidence of slot ${verdict.slot} on this branch`);
  const given = { verdict, subject, judged, parameters, place };
  const fault = timeFault(given) ?? (verdict.level === 0 ? knownFault(judged) : openFault(given)) ?? votesFault(state, given);
  if (fault) return fault;
  return verdict.level === 0 ? applied(withDrawnVerdict(state, given)) : withVerdictOfAll(state, given);
}

/** Drawn judges have this slot and the next, all seats one more. */
function timeFault({ verdict: { slot, level }, parameters, place }: Case): Refusal | undefined {
  const current = slotOf(place.height, parameters.slotHeights);
  const last = slot + (level === 0 ? LIMITS.trustSlotsKept - 2 : LIMITS.trustSlotsKept - 1);
  return current > last
    ? refused('slot-over', `a verdict of level ${level} on slot ${slot} counts until slot ${last}; this is ${current}`)
    : undefined;
}

function knownFault({ slot, verdict, closed }: JudgedSlot): Refusal | undefined {
  return verdict || closed ? refused('verdict-known', `slot ${slot} has been judged`) : undefined;
}

function openFault({ verdict: { word }, subject, judged, place }: Case): Refusal | undefined {
  const { slot, verdict: first, closed, appealedBy } = judged;
  if (closed) return refused('verdict-known', `slot ${slot} has been judged by all, or was revealed`);
  if (!first) return refused('verdict-not-open', 'level 0 has not judged');
  if (first.word === 'trusted' && !appealedBy && subject.trust.demotedHeight === undefined)
    return refused('verdict-not-open', 'nobody has appealed, and no seat rests on it');
  if (first.word !== 'trusted' && place.height < first.height + LIMITS.revealHeights)
    return refused('verdict-not-open', `the subject may reveal a planted challenge until height ${first.height + LIMITS.revealHeights}`);
  const later = laterVerdict(subject.trust, slot);
  if (later && (later.word === 'trusted') !== (word === 'trusted'))
    return refused('slot-superseded', `a later slot of ${subject.member.name} was judged ${later.word}`);
  return undefined;
}

function votesFault(state: ChainState, { verdict, parameters, place: { context } }: Case): Refusal | undefined {
  const draw = state.core.draws?.find(({ slot }) => slot === verdict.slot);
  if (!draw) return refused('slot-over', `the seats of slot ${verdict.slot} are not known any more`);
  const judges = judgesOf(context.networkId, draw, verdict, parameters.judges);
  const electorate = {
    weights: countingWeights(state, judges, verdict),
    total: judges.total,
    isKeyOf: (node: Uint8Array, key: Uint8Array) => isKeyOf(state, node, key),
  };
  const votes = judgeVotes(context.crypto, verdict.votes, electorate, verdictInput(context.networkId, verdict));
  return votes.status === 'refused' ? refused(`certificate-${votes.reason}`, votes.detail) : undefined;
}

/** Who is gone, or judges others under a verdict against itself, is absent; all seats include those that drawn judges speak against. */
function countingWeights({ members }: ChainState, { weights }: Judges, { level, subject }: Verdict): ReadonlyMap<string, number> {
  const own = hex(subject);
  return new Map(
    [...weights].filter(([name]) => {
      const record = members.get(name);
      if (record?.standing !== 'member') return false;
      return level === 1 || name === own || !record.trust || !isSuspended(record.trust);
    }),
  );
}

/** Level 0: work, and the credit of those who have judged. */
function withDrawnVerdict(state: ChainState, given: Case): ChainState {
  const { verdict, subject, judged, place } = given;
  const voters = votersOf(verdict).filter((node) => !sameBytes(node, verdict.subject));
  const first = { word: verdict.word, height: place.height, before: subject.trust.word, voters };
  const worded = withWord(state, given, { ...judged, verdict: first });
  const own = verdict.word === 'trusted' ? withCredit(worded, [verdict.subject], 'own-evidence') : worded;
  return withJudged(withCredit(own, voters, 'in-verdict'), verdict);
}

/** Level 1: the seat, and the credit of those whose word it confirms or contradicts. Of judges that contradict each other one is wrong, so an appeal that shows such is not in vain. */
function withVerdictOfAll(state: ChainState, given: Case): Outcome {
  const { verdict, judged, place } = given;
  const worded = withWord(state, given, { ...judged, closed: verdict.word });
  const record = recordOf(worded, verdict.subject);
  if (!record) return applied(worded);
  const seated = verdict.word === 'trusted' ? withReturned(worded, record, place.height) : withDemoted(worded, record, place.height);
  if (seated.status === 'refused') return seated;
  const wasRight = (judged.verdict?.word === 'trusted') === (verdict.word === 'trusted');
  const { appealedBy, dissent = [] } = judged;
  const first = withCredit(seated.state, judged.verdict?.voters ?? [], wasRight ? 'right' : 'wrong');
  const contrary = withCredit(first, dissent, wasRight ? 'wrong' : 'right');
  const isAnswered = appealedBy && !(wasRight && dissent.length > 0);
  return applied(withJudged(withCredit(contrary, isAnswered ? [appealedBy] : [], wasRight ? 'wrong' : 'right'), verdict));
}

function withWord(state: ChainState, { verdict, subject, judged, parameters }: Case, changed: JudgedSlot): ChainState {
  const { trust } = subject;
  const isLast = !laterVerdict(trust, judged.slot);
  const until = state.core.checkpoint.number + parameters.trustedCheckpoints;
  const attested: Partial<MemberTrust> = { attestedUntil: Math.max(trust.attestedUntil, until), ...(isLast && { boot: judged.boot }) };
  return withTrust(state, verdict.subject, {
    ...(isLast && { word: verdict.word }),
    ...(verdict.word === 'trusted' && attested),
    slots: slotsWith(trust, changed),
  });
}

function withJudged(state: ChainState, verdict: Verdict): ChainState {
  return votersOf(verdict).reduce((changed, node) => withTrust(changed, node, { judgedIn: state.core.checkpoint.number }), state);
}

function votersOf({ votes }: Verdict): Uint8Array[] {
  return votes.map(({ node }) => node);
}
