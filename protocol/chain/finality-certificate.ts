/** Certificates of finality: the precommits of a quorum for one block. Specification §13.4. */
import { encodeStrict } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { Digest, hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { fixedBytes, integer, list, struct, type Infer } from '../schema.ts';
import { signingInput } from '../signed.ts';
import { BallotMessage, Round } from './ballot.ts';
import { checkpointInstance } from './public-draw.ts';

export const Height = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

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

export interface CertificateContext {
  /** Network id. */
  readonly network: Uint8Array;
  /** Of checkpoint `number`, in the order of their ids (`votersOf`); one vote each. */
  readonly voters: readonly Uint8Array[];
  /** Whether a voucher shows that the key is an operational key of the node. */
  readonly isKeyOf: (node: Uint8Array, key: Uint8Array) => boolean;
}

export type CertificateRefusal = 'vote-repeated' | 'votes-out-of-order' | 'not-a-voter' | 'no-quorum' | 'key-unknown' | 'signature-wrong';

export type CertificateVerdict =
  | { readonly status: 'accepted'; readonly weight: number }
  | { readonly status: 'refused'; readonly reason: CertificateRefusal; readonly detail: string };

/** The least number of votes that is a quorum: more than two thirds of the whole weight. */
export function quorumOf(totalWeight: number): number {
  return Math.floor((totalWeight * 2) / 3) + 1;
}

/**
 * Whether a quorum of the voters precommitted the block. `height` is not signed: whoever knows the block compares it, and
 * that `previous` is the last checkpoint of the branch. What is cheap comes before the signatures.
 */
export function judgeCertificate(crypto: Crypto, certificate: FinalityCertificate, context: CertificateContext): CertificateVerdict {
  const fault = membershipFault(certificate.votes, context.voters);
  if (fault) return fault;
  const input = precommitInput(certificate, context.network);
  for (const { node, key, signature } of certificate.votes) {
    if (!context.isKeyOf(node, key)) return refused('key-unknown', `no voucher shows the key ${hex(key)} of ${hex(node)}`);
    if (!crypto.verifyEd25519(key, input(node), signature))
      return refused('signature-wrong', `the precommit of ${hex(node)} is not by its key over this block, number and round`);
  }
  return { status: 'accepted', weight: certificate.votes.length };
}

function membershipFault(votes: readonly CertificateVote[], voters: readonly Uint8Array[]): CertificateVerdict | undefined {
  const seats = new Set(voters.map(hex));
  let last = '';
  for (const { node } of votes) {
    const name = hex(node);
    if (name === last) return refused('vote-repeated', `${name} votes twice`);
    if (name < last) return refused('votes-out-of-order', `${name} stands after ${last}; votes are in the order of nodes`);
    if (!seats.has(name)) return refused('not-a-voter', `${name} has no vote on this checkpoint`);
    last = name;
  }
  const quorum = quorumOf(voters.length);
  if (votes.length < quorum) return refused('no-quorum', `${votes.length} of ${voters.length} voted; ${quorum} are a quorum`);
  return undefined;
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

function refused(reason: CertificateRefusal, detail: string): CertificateVerdict {
  return { status: 'refused', reason, detail };
}
