/** What a voter holds in mind of one decision: plain data, of bounded size. Pure. Specification §13.3, §14.3. */
import { LIMITS } from '#protocol/limits.ts';
import type { Ballot } from '#protocol/chain/ballot.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Backing, CastBallot, DecisionSetup, VoteEffect, VoteRecord } from './decision.ts';
import { emptyTally, isShare, nameOf, type Tally, type ValueName } from './tally.ts';

export type Step = Ballot['step'];

/** A value with the round in which a quorum prevoted for it, and that quorum. */
export interface Backed {
  readonly round: number;
  readonly value: Uint8Array;
  readonly prevotes: readonly CastBallot[];
}

export interface HeardProposal {
  readonly value: Uint8Array;
  /** Of the quorum of prevotes that it carries. */
  readonly validRound?: number;
}

export interface DecisionState {
  readonly setup: DecisionSetup;
  /** This voter; undefined where it only watches. */
  readonly self: string | undefined;
  /** Whether the ballots kept before a restart have been cast once more. */
  resumed: boolean;
  round: number;
  /** Own ballots of this round and the one before, in their order. */
  cast: { readonly round: number; readonly step: Step; readonly value?: Uint8Array }[];
  locked: Backed | undefined;
  /** What this voter would propose: backed in the latest round of which it knows. */
  valid: Backed | undefined;
  candidate: Uint8Array | undefined;
  /** Values that this voter may vote for, the oldest first. */
  readonly known: Set<ValueName>;
  /** Values asked for, each with the round in which it was last, and on whose word. */
  readonly wanted: Map<ValueName, { readonly round: number; readonly backing: Backing }>;
  readonly rounds: Map<number, Record<Step, Tally>>;
  /** Of each voter the latest round of which a ballot came. */
  readonly reached: Map<string, number>;
  /** Of this round and later ones, the first of its proposer. */
  readonly proposals: Map<number, HeardProposal>;
  /** Own proposal of this round. */
  proposed: (VoteEffect & { readonly effect: 'propose' }) | undefined;
  /** When waiting ends, in this round: for a proposal, for more prevotes, for more precommits. */
  proposalDueMs: number | undefined;
  prevotesDueMs: number | undefined;
  precommitsDueMs: number | undefined;
  repeatDueMs: number | undefined;
  /** The first quorum of precommits. */
  decision: { readonly round: number; readonly value: Uint8Array } | undefined;
}

/** Base of the waits, and how often own ballots are said again (§14.6). @param targetIntervalMs of the genesis */
export function voteTimes(targetIntervalMs: number): Pick<DecisionSetup, 'baseMs' | 'repeatMs'> {
  return { baseMs: Math.max(200, Math.floor(targetIntervalMs / 2)), repeatMs: targetIntervalMs };
}

export function startDecision(setup: DecisionSetup): DecisionState {
  const { kept, self, voters } = setup;
  const locked = kept?.locked;
  return {
    setup,
    self: self !== undefined && voters.weights.has(self) ? self : undefined,
    resumed: false,
    round: kept?.round ?? 0,
    cast: [...(kept?.cast ?? [])],
    locked,
    valid: locked,
    candidate: undefined,
    known: new Set(),
    wanted: new Map(),
    rounds: new Map(),
    reached: new Map(),
    proposals: new Map(),
    proposed: undefined,
    ...{ proposalDueMs: undefined, prevotesDueMs: undefined, precommitsDueMs: undefined, repeatDueMs: undefined },
    decision: undefined,
  };
}

/** What must be stored for this voter to continue from here. */
export function recordOf({ round, locked, cast }: DecisionState): VoteRecord {
  return { round, ...(locked && { locked }), cast: [...cast] };
}

export function ownBallot(state: DecisionState, round: number, step: Step): DecisionState['cast'][number] | undefined {
  return state.cast.find((ballot) => ballot.round === round && ballot.step === step);
}

/** The ballots of a round, for counting. */
export function talliesOf(state: DecisionState, round: number): Record<Step, Tally> {
  const tallies = state.rounds.get(round) ?? { prevote: emptyTally(), precommit: emptyTally() };
  state.rounds.set(round, tallies);
  return tallies;
}

/** Whether ballots of a round are kept (§14.3). */
export function isKeptRound(state: DecisionState, round: number): boolean {
  return round <= state.round + DEVICE_LIMITS.voteRoundsAhead && round >= state.round - DEVICE_LIMITS.voteRoundsBehind;
}

/** The highest round that voters of more than a third of the weight have reached, one of them honest; at least the present one. */
export function roundReachedByShare(state: DecisionState): number {
  const ahead = [...state.reached].filter(([, round]) => round > state.round).sort(([, left], [, right]) => right - left);
  let weight = 0;
  for (const [node, round] of ahead) {
    weight += state.setup.voters.weights.get(node) ?? 0;
    if (isShare(weight, state.setup.voters)) return round;
  }
  return state.round;
}

/** Moves to a later round; what belongs to rounds long past is dropped. */
export function setRound(state: DecisionState, round: number): void {
  state.round = Math.min(round, LIMITS.roundsMax);
  state.proposed = undefined;
  state.proposalDueMs = undefined;
  state.prevotesDueMs = undefined;
  state.precommitsDueMs = undefined;
  state.cast = state.cast.filter((ballot) => ballot.round >= round - 1);
  for (const past of [...state.rounds.keys()]) {
    if (!isKeptRound(state, past)) state.rounds.delete(past);
  }
  for (const past of [...state.proposals.keys()]) {
    if (past < round) state.proposals.delete(past);
  }
  for (const [value, asked] of [...state.wanted]) {
    if (asked.round < round - DEVICE_LIMITS.voteRoundsBehind) state.wanted.delete(value);
  }
}

export function learnValue(state: DecisionState, value: Uint8Array): void {
  const name = nameOf(value);
  state.known.delete(name);
  state.known.add(name);
  const [oldest] = state.known;
  if (state.known.size > DEVICE_LIMITS.voteValuesMax && oldest !== undefined) state.known.delete(oldest);
}

export function knows(state: DecisionState, value: Uint8Array): boolean {
  const name = nameOf(value);
  return state.known.has(name) || nameOf(state.locked?.value) === name || nameOf(state.candidate) === name;
}
