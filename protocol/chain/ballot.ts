/** Ballots and proposals: what the voters of one decision say to one another, signed. Specification §13.2. */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { bytes, integer, list, oneOf, optional, struct, type Infer } from '../schema.ts';
import { signedKind } from '../signed.ts';

export const Round = integer({ min: 0, max: LIMITS.roundsMax });

export const STEPS = ['prevote', 'precommit'] as const;

export const Ballot = struct({
  network: Digest,
  instance: Digest,
  round: Round,
  step: oneOf(...STEPS),
  /** Absent: for none. */
  value: optional(Digest),
  node: Digest,
});
export type Ballot = Infer<typeof Ballot>;
export const BallotMessage = signedKind('ballot', Ballot, LIMITS.ballotBytesMax);

/** A ballot's envelope, and the key that signed it. */
export const ShownBallot = struct({ key: Digest, envelope: bytes({ min: 1, max: LIMITS.ballotBytesMax }) });
export type ShownBallot = Infer<typeof ShownBallot>;

export const Proposal = struct({
  network: Digest,
  instance: Digest,
  round: Round,
  value: Digest,
  /** The latest round in which a quorum prevoted for `value`, with these prevotes (ballot envelopes with their keys). */
  validRound: optional(Round),
  prevotes: list(ShownBallot, { max: LIMITS.committeeSize }),
  node: Digest,
});
export type Proposal = Infer<typeof Proposal>;
export const ProposalMessage = signedKind('proposal', Proposal, LIMITS.proposalBytesMax);
