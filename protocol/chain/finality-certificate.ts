/** Certificates of finality: the precommits of a quorum for one block. Specification §13.4. */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { fixedBytes, integer, list, struct, type Infer } from '../schema.ts';

export const Height = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
export const Round = integer({ min: 0, max: LIMITS.roundsMax });

/** A precommit without what the certificate says for all of them. */
const CertificateVote = struct({ node: Digest, key: fixedBytes(32), signature: fixedBytes(64) });

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
export type CertificateVote = FinalityCertificate['votes'][number];
