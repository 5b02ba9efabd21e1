/** What a voter keeps of a decision over its own restart, as bytes for the store. Pure. Specification §13.3, §14.4. */
import { BallotMessage, Round, STEPS } from '#protocol/chain/ballot.ts';
import { decodeStrict, encodeStrict, type Decoded } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { bytes, list, oneOf, optional, struct } from '#protocol/schema.ts';
import { peekSigned } from '#protocol/signed.ts';
import type { CastBallot, VoteRecord } from './decision.ts';

const KeptPrevote = struct({ key: Digest, envelope: bytes({ min: 1, max: LIMITS.ballotBytesMax }) });

const KeptRecord = struct({
  round: Round,
  locked: optional(struct({ round: Round, value: Digest, prevotes: list(KeptPrevote, { max: LIMITS.committeeSize }) })),
  /** Both steps of this round and the one before. */
  cast: list(struct({ round: Round, step: oneOf(...STEPS), value: optional(Digest) }), { max: 4 }),
});

export function encodeVoteRecord(record: VoteRecord): Uint8Array {
  const { round, locked, cast } = record;
  const prevotes = locked?.prevotes.map(({ key, envelope }) => ({ key, envelope })) ?? [];
  return encodeStrict(KeptRecord, {
    round,
    ...(locked && { locked: { round: locked.round, value: locked.value, prevotes } }),
    cast: cast.map((ballot) => ({ ...ballot })),
  });
}

/** Signatures are not checked again: what the store returns is what was put into it. */
export function decodeVoteRecord(encoded: Uint8Array): Decoded<VoteRecord> {
  const kept = decodeStrict(KeptRecord, encoded, LIMITS.proposalBytesMax * 2);
  if (kept.status === 'malformed') return kept;
  const { round, locked, cast } = kept.value;
  if (!locked) return { status: 'decoded', value: { round, cast } };
  const prevotes: CastBallot[] = [];
  for (const { key, envelope } of locked.prevotes) {
    const ballot = peekSigned(BallotMessage, envelope);
    if (ballot.status === 'malformed') return ballot;
    prevotes.push({ ballot: ballot.value, envelope, key });
  }
  return { status: 'decoded', value: { round, locked: { round: locked.round, value: locked.value, prevotes }, cast } };
}
