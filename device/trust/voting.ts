/** This judge's part in a judgement: the machine of votes, and what it wants done. Pure. Specification §13.3, §18.5. */
import type { Ballot } from '#protocol/chain/ballot.ts';
import { VERDICT_WORDS, VerdictBallotMessage, VerdictProposalMessage, verdictValue } from '#protocol/chain/verdict.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { signMessage } from '#protocol/signed.ts';
import type { CastBallot, VoteEffect, VoteEvent } from '../votes/decision.ts';
import { stepDecision, wakeAtMs } from '../votes/machine.ts';
import { encodeVoteRecord } from '../votes/vote-record.ts';
import { candidateOf, mayJudge } from './cases.ts';
import { reportOnce } from './outbox.ts';
import type { Case, TrustState } from './state.ts';

type Of<W extends VoteEffect['effect']> = Extract<VoteEffect, { effect: W }>;

/** Each open judgement learns what this judge has found, and what is due in it is done. */
export function followVotes(state: TrustState): void {
  for (const one of state.cases.values()) {
    if (one.closed) continue;
    const candidate = mayJudge(state, state.self, one) ? candidateOf(state, one) : undefined;
    if (candidate && one.candidate !== hex(candidate.value)) {
      one.candidate = hex(candidate.value);
      tellVotes(state, one, { type: 'candidateChosen', value: candidate.value, nowMs: state.nowMs });
    }
    if ((wakeAtMs(one.decision) ?? Infinity) <= state.nowMs) tellVotes(state, one, { type: 'ticked', nowMs: state.nowMs });
  }
}

/** On the monotonic clock. */
export function votesUntilMs(state: TrustState): number | undefined {
  const due = [...state.cases.values()].flatMap((one) => (one.closed ? [] : (wakeAtMs(one.decision) ?? [])));
  return due.length === 0 ? undefined : Math.min(...due);
}

export function tellVotes(state: TrustState, one: Case, event: VoteEvent): void {
  for (const effect of stepDecision(one.decision, event)) perform(state, one, effect);
}

/** A ballot whose signature was checked: what it says of evidence that is known is kept for appeals, however much else its judge has said, and its vote after the decision for the verdict. */
export function countBallot(state: TrustState, one: Case, cast: CastBallot): void {
  const { node, value, step, round } = cast.ballot;
  const name = hex(node);
  const said = one.said.get(name) ?? new Map<string, CastBallot>();
  if (value && !said.has(hex(value)) && meaningOf(state, one, value)) one.said.set(name, said.set(hex(value), cast));
  const isForDecided = one.decided && step === 'precommit' && round === one.decided.round && value && sameBytes(value, one.decided.value);
  if (isForDecided && !one.precommits.has(name)) one.precommits.set(name, cast);
  tellVotes(state, one, { type: 'ballotReceived', cast, nowMs: state.nowMs });
}

/** Word and evidence that a value means: those of what this member has heard. */
export function meaningOf(state: TrustState, { subject, slot }: Case, value: Uint8Array) {
  for (const heard of state.evidence.values()) {
    if (heard.subject !== hex(subject) || heard.slot !== slot) continue;
    const word = VERDICT_WORDS.find((known) => sameBytes(verdictValue(known, heard.digest), value));
    if (word) return { word, evidence: heard.digest };
  }
  return undefined;
}

function perform(state: TrustState, one: Case, effect: VoteEffect): void {
  switch (effect.effect) {
    case 'keep':
      return keep(state, one, encodeVoteRecord(effect.record));
    case 'cast':
      return cast(state, one, effect);
    case 'repeat':
      return effect.envelopes.forEach((payload) => state.outbox.push({ effect: 'broadcast', payload }));
    case 'propose':
      return propose(state, one, effect);
    case 'decided':
      one.decided = { round: effect.round, value: effect.value };
      return effect.precommits.forEach((precommit) => one.precommits.set(hex(precommit.ballot.node), precommit));
    case 'equivocated':
      return accuse(state, effect);
    case 'want':
      return; // A judge takes nobody's word for what it has not judged itself.
  }
}

function keep({ kept, outbox }: TrustState, { instance, slot }: Case, votes: Uint8Array): void {
  kept.set(hex(instance), { instance, slot, votes });
  outbox.push({ effect: 'keepVotes', instance, slot, votes });
}

function cast(state: TrustState, one: Case, { round, step, value }: Of<'cast'>): void {
  const { setup, networkId } = state;
  const ballot: Ballot = { network: networkId, instance: one.instance, round, step, ...(value && { value }), node: setup.node };
  const envelope = signMessage(VerdictBallotMessage, ballot, setup.sign);
  if (mayJudge(state, state.self, one)) state.outbox.push({ effect: 'broadcast', payload: envelope });
  countBallot(state, one, { ballot, envelope, key: setup.operationalKey });
}

function propose({ setup, networkId, outbox }: TrustState, one: Case, { round, value, validRound, prevotes }: Of<'propose'>): void {
  const shown = prevotes.map(({ key, envelope }) => ({ key, envelope }));
  const proposal = { network: networkId, instance: one.instance, round, value, prevotes: shown, node: setup.node };
  const payload = signMessage(VerdictProposalMessage, { ...proposal, ...(validRound !== undefined && { validRound }) }, setup.sign);
  outbox.push({ effect: 'broadcast', payload });
}

/** Once for each member: one proof expels. */
function accuse(state: TrustState, { node, first, second }: Of<'equivocated'>): void {
  const isNew = reportOnce(state, `equivocation ${node}`, { report: 'equivocation', node });
  const proof = { kind: 'equivocation' as const, of: 'verdict-ballot' as const, first: first.envelope, second: second.envelope };
  if (isNew) state.outbox.push({ effect: 'submit', transaction: encodeTransaction(proof), gossip: 'said' });
}
