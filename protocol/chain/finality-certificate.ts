/** Certificates of finality: the precommits of a quorum for one block. Specification §13.4. */
import { encodeStrict } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { Digest, hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { integer, list, struct, type Infer } from '../schema.ts';
import { signingInput } from '../signed.ts';
import { BallotMessage, Round } from './ballot.ts';
import { CertificateVote, judgeVotes, type CertificateVerdict } from './certified-votes.ts';
import { checkpointInstance } from './public-draw.ts';

export const Height = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

export const FinalityCertificate = struct({
  number: Height,
  /** Block id of checkpoint `number` − 1. */
  previous: Digest,
  block: Digest,
  height: Height,
  round: Round,
  /** In the order of nodes, each once. */
  votes: list(CertificateVote, { min: 1, max: LIMITS.committeeSize }),
});
export type FinalityCertificate = Infer<typeof FinalityCertificate>;

export interface CertificateContext {
  /** Network id. */
  readonly network: Uint8Array;
  /** Of checkpoint `number`, in the order of their ids (`votersOf`); one vote each. */
  readonly voters: readonly Uint8Array[];
  /** Whether a voucher shows that the key is an operational key of the node. */
  readonly isKeyOf: (node: Uint8Array, key: Uint8Array) => boolean;
}

/**
 * Whether a quorum of the voters precommitted the block. `height` is not signed: whoever knows the block compares it, and
 * that `previous` is the last checkpoint of the branch.
 */
export function judgeCertificate(crypto: Crypto, certificate: FinalityCertificate, context: CertificateContext): CertificateVerdict {
  const { network, voters, isKeyOf } = context;
  const weights = new Map(voters.map((voter) => [hex(voter), 1]));
  return judgeVotes(crypto, certificate.votes, { weights, total: voters.length, isKeyOf }, precommitInput(certificate, network));
}

/** What each voter has signed: its ballot, made anew from the certificate. */
function precommitInput(certificate: FinalityCertificate, network: Uint8Array): (node: Uint8Array) => Uint8Array {
  const { number, previous, block, round } = certificate;
  const instance = checkpointInstance(network, number, previous);
  return (node) => {
    const ballot = encodeStrict(BallotMessage.body, { network, instance, round, step: 'precommit', value: block, node });
    return signingInput(BallotMessage.domain, ballot);
  };
}
