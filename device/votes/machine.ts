/**
 * The machine of one decision: Tendermint (arXiv 1807.04938) with a leaderless first round. Pure. Specification §13.3.
 *
 * `stepDecision` is told what happened and answers what to do. Comments name the lines of the paper's algorithm 1. It
 * differs from the paper in four points, each argued where it stands:
 *
 * - round 0 has no proposer, and a quorum of prevotes needs no proposal beside it (`considerPrevote`);
 * - what a quorum has prevoted is prevoted by whoever has not yet (`considerPrevote`);
 * - a voter that enters a round has cast both ballots of the one before (`enterRound`);
 * - a later round is entered when more than a third has reached it or one beyond it (`considerRound`).
 */
import { sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Backing, CastBallot, VoteEffect, VoteEvent } from './decision.ts';
import {
  isKeptRound,
  knows,
  learnValue,
  ownBallot,
  recordOf,
  roundReachedByShare,
  setRound,
  talliesOf,
  type DecisionState,
  type Step,
} from './decision-state.ts';
import { proposerOf } from './proposer.ts';
import { ballotsFor, countBallot, isHalf, isPrevoteQuorum, isQuorum, isShare, nameOf, quorumValue } from './tally.ts';

export { startDecision, type DecisionState } from './decision-state.ts';

type Proposing = VoteEffect & { readonly effect: 'propose' };

/** What one step brings, before it is put in order. */
interface Outcome {
  readonly nowMs: number;
  readonly found: VoteEffect[];
  readonly cast: DecisionState['cast'];
  keeps: boolean;
  proposal: Proposing | undefined;
  repeats?: readonly Uint8Array[];
}

/**
 * Changes `state` by an event and says what has to be done for it, in this order. The same state and event give the same
 * effects. What was decided stays: every later event is without effect.
 */
export function stepDecision(state: DecisionState, event: VoteEvent): VoteEffect[] {
  if (state.decision) return [];
  const outcome: Outcome = { nowMs: event.nowMs, found: [], cast: [], keeps: false, proposal: undefined };
  resume(state, outcome);
  takeEvent(state, event, outcome);
  while (applyRules(state, outcome));
  repeatWhenDue(state, outcome);
  return effectsOf(state, outcome);
}

/** When `stepDecision` wants to be ticked, on the voter's monotonic clock; undefined while only others can bring news. */
export function wakeAtMs(state: DecisionState): number | undefined {
  if (state.decision || state.self === undefined) return undefined;
  if (!state.resumed) return state.round > 0 || state.cast.length > 0 ? 0 : undefined;
  const { proposalDueMs, prevotesDueMs, precommitsDueMs, repeatDueMs } = state;
  const due = [proposalDueMs, prevotesDueMs, precommitsDueMs, repeatDueMs].filter((atMs) => atMs !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}

/** After a restart the kept ballots are cast once more, as they were: their envelopes are gone, and perhaps their key. */
function resume(state: DecisionState, outcome: Outcome): void {
  if (state.resumed) return;
  state.resumed = true;
  if (state.self === undefined) return;
  outcome.cast.push(...state.cast);
  if (state.round > 0 && !ownBallot(state, state.round, 'prevote')) awaitProposal(state, outcome);
}

function takeEvent(state: DecisionState, event: VoteEvent, outcome: Outcome): void {
  switch (event.type) {
    case 'ticked':
      return;
    case 'candidateChosen':
      learnValue(state, event.value);
      state.candidate = event.value;
      return;
    case 'valueKnown':
      learnValue(state, event.value);
      return;
    case 'ballotReceived':
      takeBallot(state, event.cast, outcome);
      return;
    case 'proposalReceived':
      takeProposal(state, event, outcome);
      return;
  }
}

/** Whoever has no weight here, speaks of another instance, or of a round far away, is not counted (§13.2, §14.3). */
function takeBallot(state: DecisionState, cast: CastBallot, outcome: Outcome): void {
  const { instance, voters } = state.setup;
  const { ballot } = cast;
  const node = ballot.node.toHex();
  if (!voters.weights.has(node) || !isRound(ballot.round) || !sameBytes(ballot.instance, instance)) return;
  state.reached.set(node, Math.max(ballot.round, state.reached.get(node) ?? 0));
  if (!isKeptRound(state, ballot.round)) return;
  const tally = talliesOf(state, ballot.round)[ballot.step];
  const counted = countBallot(tally, node, cast, voters);
  if (counted.status === 'contradicts') outcome.found.push({ effect: 'equivocated', node, first: counted.first, second: cast });
  if (counted.status === 'counted' && ballot.value) countedFor(state, ballot.round, ballot.step, ballot.value, outcome);
}

/** What more votes for a value in a round may mean: it must be fetched, can be proposed (line 36), or is decided (line 49). */
function countedFor(state: DecisionState, round: number, step: Step, value: Uint8Array, outcome: Outcome): void {
  const { voters } = state.setup;
  const name = nameOf(value);
  const tally = talliesOf(state, round)[step];
  const weight = tally.weightOf.get(name) ?? 0;
  if (isShare(weight, voters) && !knows(state, value)) want(state, round, value, isHalf(weight, voters) ? 'half' : 'third', outcome);
  if (!isQuorum(weight, voters)) return;
  // The quorum holds honest voters who know the value, so that a decision needn't wait until it is known here.
  if (step === 'precommit') state.decision ??= { round, value };
  else if (round > (state.valid?.round ?? -1)) state.valid = { round, value, prevotes: ballotsFor(tally, name) };
}

function want(state: DecisionState, round: number, value: Uint8Array, backing: Backing, outcome: Outcome): void {
  const name = nameOf(value);
  const last = state.wanted.get(name);
  const isNews = !last || last.round < round || (last.backing === 'third' && backing === 'half');
  if (!isNews) return;
  state.wanted.set(name, { round, backing });
  outcome.found.push({ effect: 'want', value, backing });
}

/**
 * The first proposal of a round by its proposer, if what it carries is a quorum; its prevotes are ballots like others. By anybody else it
 * is no proposal, and still shows for what there is a quorum (`showLock`).
 */
function takeProposal(state: DecisionState, event: VoteEvent & { readonly type: 'proposalReceived' }, outcome: Outcome): void {
  const { instance, voters } = state.setup;
  const { round, value, validRound, prevotes, from } = event;
  if (!isRound(round) || round === 0 || round < state.round || !isKeptRound(state, round)) return;
  const isProposed = from === proposerOf(instance, voters, round);
  if (isProposed ? state.proposals.has(round) : validRound === undefined) return;
  if (validRound !== undefined) {
    if (!isRound(validRound) || validRound >= round) return;
    if (!isPrevoteQuorum(prevotes, { instance, round: validRound, value }, voters)) return;
    for (const cast of prevotes) takeBallot(state, cast, outcome);
    if (validRound > (state.valid?.round ?? -1)) state.valid = { round: validRound, value, prevotes };
  }
  if (isProposed) state.proposals.set(round, { value, ...(validRound !== undefined && { validRound }) });
}

/** Applies the first rule that changes something. @returns whether one did */
function applyRules(state: DecisionState, outcome: Outcome): boolean {
  if (state.decision) return false;
  if (considerRound(state, outcome)) return true;
  if (state.self === undefined) return false;
  if (considerProposing(state, outcome)) return true;
  if (!ownBallot(state, state.round, 'precommit')) {
    return ownBallot(state, state.round, 'prevote') ? considerPrecommit(state, outcome) : considerPrevote(state, outcome);
  }
  return false;
}

/**
 * Line 55, but for rounds at or beyond the one entered: among more than a third one is honest and has got there. Lines 47
 * and 65: a quorum of precommits without decision starts a wait that ends the round. A voter alone never gets on.
 */
function considerRound(state: DecisionState, outcome: Outcome): boolean {
  const reached = roundReachedByShare(state);
  if (reached > state.round) return enterRound(state, reached, outcome);
  if (state.self === undefined || state.round === LIMITS.roundsMax) return false;
  if (!isQuorum(talliesOf(state, state.round).precommit.weight, state.setup.voters)) return false;
  state.precommitsDueMs ??= outcome.nowMs + waitMs(state);
  return outcome.nowMs >= state.precommitsDueMs && enterRound(state, state.round + 1, outcome);
}

/**
 * Line 11. Whoever enters round r casts what it has not cast of r − 1, for none, which locks nobody and is what its silence
 * would have meant. So everybody in the highest round has ballots of the one below, and those who stand there get their
 * quorums from them or see more than a third ahead: own ballots of two rounds, said again and again, get everyone into
 * one round. The paper instead needs every message that one honest voter got to reach all others.
 */
function enterRound(state: DecisionState, round: number, outcome: Outcome): true {
  if (state.self !== undefined) {
    for (const step of ['prevote', 'precommit'] as const) {
      if (!ownBallot(state, round - 1, step)) castBallot(state, round - 1, step, undefined, outcome);
    }
  }
  setRound(state, round);
  if (state.self !== undefined) awaitProposal(state, outcome);
  return true;
}

/** Line 14-19: what is backed by a quorum, else the candidate. Not again after a restart in which the prevote is cast. */
function considerProposing(state: DecisionState, outcome: Outcome): boolean {
  const { round, self, setup, valid } = state;
  const value = valid?.value ?? state.candidate;
  if (round === 0 || state.proposed || !value || ownBallot(state, round, 'prevote') || state.proposals.has(round)) return false;
  if (proposerOf(setup.instance, setup.voters, round) !== self) return false;
  const backed = valid && { validRound: valid.round };
  state.proposed = { effect: 'propose', round, value, ...backed, prevotes: valid?.prevotes ?? [] };
  state.proposals.set(round, { value, ...backed });
  outcome.proposal = state.proposed;
  return true;
}

/** The wait for a proposal (line 21), or in round 0 for a candidate of one's own. */
function awaitProposal(state: DecisionState, outcome: Outcome): void {
  state.proposalDueMs ??= outcome.nowMs + waitMs(state);
}

/**
 * Lines 22-33 and 57-60. A proposal of something unknown waits, since its block may be on its way. In round 0 the candidate is the
 * proposal, and whoever has none yet waits for one once more than a third has voted, never before: with nothing
 * to vote on there is no round.
 *
 * A quorum of prevotes for a value that is known is joined, whatever the lock: it is an unlock certificate of this very round, and
 * there is one already, so this vote makes none. Whoever comes late is not left behind by that.
 */
function considerPrevote(state: DecisionState, outcome: Outcome): boolean {
  const { round, setup } = state;
  const tallies = talliesOf(state, round);
  const backed = backedValue(state, tallies.prevote);
  if (backed) return castBallot(state, round, 'prevote', backed, outcome);
  if (round === 0 && state.candidate) return castBallot(state, 0, 'prevote', state.candidate, outcome);
  const proposal = state.proposals.get(round);
  if (proposal && !lockAllows(state, proposal)) return castBallot(state, round, 'prevote', undefined, outcome);
  if (proposal && knows(state, proposal.value)) return castBallot(state, round, 'prevote', proposal.value, outcome);
  if (round === 0 && (isShare(tallies.prevote.weight, setup.voters) || isShare(tallies.precommit.weight, setup.voters))) {
    awaitProposal(state, outcome);
  }
  if (state.proposalDueMs === undefined || outcome.nowMs < state.proposalDueMs) return false;
  return castBallot(state, round, 'prevote', undefined, outcome);
}

/** Lines 23 and 29: not locked, locked on the same, or the proposal carries a quorum at least as late as the lock. */
function lockAllows({ locked }: DecisionState, proposal: { readonly value: Uint8Array; readonly validRound?: number }): boolean {
  return !locked || sameBytes(locked.value, proposal.value) || (proposal.validRound ?? -1) >= locked.round;
}

/** Lines 34-46 and 61-64. */
function considerPrecommit(state: DecisionState, outcome: Outcome): boolean {
  const { round, setup } = state;
  const { prevote } = talliesOf(state, round);
  const backed = backedValue(state, prevote);
  if (backed) {
    state.locked = { round, value: backed, prevotes: ballotsFor(prevote, nameOf(backed)) };
    if (round >= (state.valid?.round ?? -1)) state.valid = state.locked;
    return castBallot(state, round, 'precommit', backed, outcome);
  }
  if (quorumValue(prevote, setup.voters) === '') return castBallot(state, round, 'precommit', undefined, outcome);
  if (!isQuorum(prevote.weight, setup.voters)) return false;
  state.prevotesDueMs ??= outcome.nowMs + waitMs(state);
  return outcome.nowMs >= state.prevotesDueMs && castBallot(state, round, 'precommit', undefined, outcome);
}

/** The value for which a quorum prevoted, if this voter may vote for it: one that it doesn't know is waited for. */
function backedValue(state: DecisionState, prevotes: ReturnType<typeof talliesOf>['prevote']): Uint8Array | undefined {
  const name = quorumValue(prevotes, state.setup.voters);
  const value = name ? Uint8Array.fromHex(name) : undefined;
  return value && knows(state, value) ? value : undefined;
}

function castBallot(state: DecisionState, round: number, step: Step, value: Uint8Array | undefined, outcome: Outcome): true {
  const ballot = { round, step, ...(value && { value }) };
  state.cast.push(ballot);
  outcome.cast.push(ballot);
  outcome.keeps = true;
  if (round === state.round && step === 'prevote') state.proposalDueMs = undefined;
  if (round === state.round && step === 'precommit') state.prevotesDueMs = undefined;
  return true;
}

/** Votes get lost: until the decision the own ones of two rounds are said again, with the own proposal. */
function repeatWhenDue(state: DecisionState, outcome: Outcome): void {
  if (state.decision || state.cast.length === 0) return;
  state.repeatDueMs ??= outcome.nowMs + state.setup.repeatMs;
  if (outcome.nowMs < state.repeatDueMs) return;
  state.repeatDueMs = outcome.nowMs + state.setup.repeatMs;
  const said = state.cast.map((ballot) => state.rounds.get(ballot.round)?.[ballot.step].first.get(state.self ?? '')?.cast);
  outcome.repeats = said.flatMap((cast) => (cast ? [cast.envelope] : []));
  outcome.proposal = state.proposed ?? showLock(state) ?? outcome.proposal;
}

/**
 * What a voter is locked on while others propose something else or nothing: whoever hears it proposes just that (line 36). Its prevotes are
 * of a round that others no longer keep, and may have been lost before all had them; until the turn of this voter comes, in rounds that
 * become longer, there might be no quorum for anything.
 */
function showLock({ locked, round, proposals }: DecisionState): Proposing | undefined {
  if (!locked || locked.round >= round || nameOf(proposals.get(round)?.value) === nameOf(locked.value)) return undefined;
  return { effect: 'propose', round, value: locked.value, validRound: locked.round, prevotes: locked.prevotes };
}

/** Stored before it is said; evidence and wishes first, since nothing depends on them. */
function effectsOf(state: DecisionState, { found, keeps, proposal, cast, repeats }: Outcome): VoteEffect[] {
  const effects = [...found];
  if (keeps) effects.push({ effect: 'keep', record: recordOf(state) });
  if (proposal) effects.push(proposal);
  effects.push(...cast.map((ballot) => ({ effect: 'cast' as const, ...ballot })));
  if (repeats && repeats.length > 0) effects.push({ effect: 'repeat', envelopes: repeats });
  if (state.decision) effects.push(decided(state, state.decision));
  return effects;
}

function decided(state: DecisionState, { round, value }: NonNullable<DecisionState['decision']>): VoteEffect {
  return { effect: 'decided', round, value, precommits: ballotsFor(talliesOf(state, round).precommit, nameOf(value)) };
}

function waitMs({ setup, round }: DecisionState): number {
  return setup.baseMs * (round + 1);
}

function isRound(round: number): boolean {
  return Number.isSafeInteger(round) && round >= 0 && round <= LIMITS.roundsMax;
}
