/**
 * One decision among voters: what its machine (machine.ts) is told and what it wants done. Pure. Specification §13.2-13.3.
 *
 * A value is 32 bytes that mean something to the caller alone: a block here, a verdict on a device elsewhere.
 */
import type { Ballot } from '#protocol/chain/ballot.ts';

/** Who votes. Keys are node ids in hexadecimal. */
export interface Voters {
  /** Whole numbers, at least 1. */
  readonly weights: ReadonlyMap<string, number>;
  /** Their sum, below 2^50. */
  readonly total: number;
}

export interface DecisionSetup {
  readonly instance: Uint8Array;
  readonly voters: Voters;
  /** This voter; absent where it only watches. */
  readonly self?: string;
  /** Round r waits `baseMs · (r + 1)` (§13.3). */
  readonly baseMs: number;
  /** How often this voter says its latest ballots again. */
  readonly repeatMs: number;
  /** What this voter has stored of this decision before it was restarted. */
  readonly kept?: VoteRecord;
}

/** A ballot whose signature and network were checked by the caller; `key` (Ed25519) made it. */
export interface CastBallot {
  readonly ballot: Ballot;
  readonly envelope: Uint8Array;
  readonly key: Uint8Array;
}

/** `nowMs` is the voter's monotonic clock. */
export type VoteEvent = { readonly nowMs: number } & (
  | { readonly type: 'ticked' }
  /** What this voter would have decided; given anew when it changes its mind. It is known (`valueKnown`) by that. */
  | { readonly type: 'candidateChosen'; readonly value: Uint8Array }
  /** A value that this voter may vote for. */
  | { readonly type: 'valueKnown'; readonly value: Uint8Array }
  | { readonly type: 'ballotReceived'; readonly cast: CastBallot }
  | {
      readonly type: 'proposalReceived';
      readonly from: string;
      readonly round: number;
      readonly value: Uint8Array;
      readonly validRound?: number;
      /** Of `validRound`, signatures checked. */
      readonly prevotes: readonly CastBallot[];
    }
);

/** What must survive a restart of this voter: stored before anything that follows it is sent. */
export interface VoteRecord {
  readonly round: number;
  /** With the quorum of prevotes that locked: after a restart of everyone nobody else may have it to unlock others. */
  readonly locked?: { readonly round: number; readonly value: Uint8Array; readonly prevotes: readonly CastBallot[] };
  /** The ballots that this voter has cast in its round and the one before, without which it might contradict itself. */
  readonly cast: readonly Pick<Ballot, 'round' | 'step' | 'value'>[];
}

/** More than a third of the weight; at least half of it. */
export type Backing = 'third' | 'half';

/** Performed in their order. */
export type VoteEffect =
  | { readonly effect: 'keep'; readonly record: VoteRecord }
  /** To be signed, sent to every voter, and given back as `ballotReceived` at once. */
  | { readonly effect: 'cast'; readonly round: number; readonly step: Ballot['step']; readonly value?: Uint8Array }
  /** Own ballots of this round and the one before, once more. */
  | { readonly effect: 'repeat'; readonly envelopes: readonly Uint8Array[] }
  | {
      readonly effect: 'propose';
      readonly round: number;
      readonly value: Uint8Array;
      readonly validRound?: number;
      readonly prevotes: readonly CastBallot[];
    }
  | { readonly effect: 'decided'; readonly round: number; readonly value: Uint8Array; readonly precommits: readonly CastBallot[] }
  /** Two ballots of one voter for one round and step with different values. */
  | { readonly effect: 'equivocated'; readonly node: string; readonly first: CastBallot; readonly second: CastBallot }
  /** So much of the weight votes for a value that is not known here: said once for each, and again in later rounds. */
  | { readonly effect: 'want'; readonly value: Uint8Array; readonly backing: Backing };
