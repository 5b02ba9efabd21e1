/**
 * The ballots of one round and step, counted: one for each voter, the first. Pure. Specification §13.2-13.3.
 *
 * A quorum is more than two thirds of the whole weight, the absent included; a share is more than one third, so that at
 * least one honest voter is among it.
 */
import type { CastBallot, Voters } from './decision.ts';

/** A value in hexadecimal, or '' for none. */
export type ValueName = string;

export interface Tally {
  readonly first: Map<string, { readonly cast: CastBallot; readonly value: ValueName }>;
  readonly weightOf: Map<ValueName, number>;
  /** Of all who voted, whatever for. */
  weight: number;
  /** Voters whose contradiction was reported. */
  readonly contradicted: Set<string>;
}

export function emptyTally(): Tally {
  return { first: new Map(), weightOf: new Map(), weight: 0, contradicted: new Set() };
}

export function isQuorum(weight: number, voters: Voters): boolean {
  return 3 * weight > 2 * voters.total;
}

export function isShare(weight: number, voters: Voters): boolean {
  return 3 * weight > voters.total;
}

/** Half is enough where a lie of all but half must not do, and one half of a split network has to reach the other (§12.4). */
export function isHalf(weight: number, voters: Voters): boolean {
  return 2 * weight >= voters.total;
}

export function nameOf(value: Uint8Array | undefined): ValueName {
  return value?.toHex() ?? '';
}

/**
 * Counts a ballot of `node`, which is a voter.
 *
 * @returns whether it counted, was known, or contradicts `first` (which only the first such ballot of a voter is said to do)
 */
export function countBallot(
  tally: Tally,
  node: string,
  cast: CastBallot,
  voters: Voters,
): { readonly status: 'counted' | 'known' } | { readonly status: 'contradicts'; readonly first: CastBallot } {
  const value = nameOf(cast.ballot.value);
  const first = tally.first.get(node);
  if (!first) {
    const weight = voters.weights.get(node) ?? 0;
    tally.first.set(node, { cast, value });
    tally.weightOf.set(value, (tally.weightOf.get(value) ?? 0) + weight);
    tally.weight += weight;
    return { status: 'counted' };
  }
  if (first.value === value || tally.contradicted.has(node)) return { status: 'known' };
  tally.contradicted.add(node);
  return { status: 'contradicts', first: first.cast };
}

/** The value for which a quorum voted ('' where it is none), if there is one. */
export function quorumValue(tally: Tally, voters: Voters): ValueName | undefined {
  if (!isQuorum(tally.weight, voters)) return undefined;
  for (const [value, weight] of tally.weightOf) {
    if (isQuorum(weight, voters)) return value;
  }
  return undefined;
}

/** The ballots for a value, in the order of nodes. */
export function ballotsFor(tally: Tally, value: ValueName): CastBallot[] {
  const votes = [...tally.first].filter(([, vote]) => vote.value === value);
  return votes.sort(([left], [right]) => (left < right ? -1 : 1)).map(([, vote]) => vote.cast);
}

/** Whether these are prevotes of one round for one value by a quorum, each voter counted once. */
export function isPrevoteQuorum(
  prevotes: readonly CastBallot[],
  expected: { readonly instance: Uint8Array; readonly round: number; readonly value: Uint8Array },
  voters: Voters,
): boolean {
  const seen = new Set<string>();
  let weight = 0;
  for (const { ballot } of prevotes) {
    const node = ballot.node.toHex();
    const fits = ballot.step === 'prevote' && ballot.round === expected.round && nameOf(ballot.value) === nameOf(expected.value);
    if (!fits || nameOf(ballot.instance) !== nameOf(expected.instance) || seen.has(node)) return false;
    seen.add(node);
    weight += voters.weights.get(node) ?? 0;
  }
  return isQuorum(weight, voters);
}
