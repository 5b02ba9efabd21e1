/** The votes of a certificate from the ballots that were cast. Pure. Specification §13.4, §18.5. */
import type { CertificateVote } from '#protocol/chain/certified-votes.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { Envelope } from '#protocol/signed.ts';
import type { CastBallot } from './decision.ts';

/** In the order of nodes. @param precommits for one value, one of each voter */
export function certificateVotes(precommits: readonly CastBallot[]): CertificateVote[] {
  const votes = precommits.flatMap(({ ballot, key, envelope }) => {
    const opened = decodeStrict(Envelope, envelope, envelope.length);
    return opened.status === 'decoded' ? [{ node: ballot.node, key, signature: opened.value.signature }] : [];
  });
  return votes.sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));
}
