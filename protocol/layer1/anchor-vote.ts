/**
 * A vote on an anchor: TPM2_GetTime by the attestation key, of which only what nobody knows beforehand travels. Judged exactly as the contract
 * does, which puts the rest in: a vote that holds here can't be challenged there. Specification §20.2.
 */
import { concatBytes } from '@noble/hashes/utils.js';
import type { TimeCertificate } from '../chain/block.ts';
import { isLowS, lowS } from '../chain/wait-certificate.ts';
import { sameBytes } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { fixedBytes } from '../schema.ts';
import { qualifiedNamesAt } from '../tpm/attestation-key.ts';
import { decodeAttestOf } from '../tpm/attest.ts';
import type { MemberLeaf } from './leaf.ts';

/** r, s, clock (8), resetCount (4), restartCount (4), safe (1), firmwareVersion (8), Time (8), inner clock (8). */
export const VOTE_BYTES = 105;
export const PackedVote = fixedBytes(VOTE_BYTES);

/** Whose vote it is. */
export type VoterKey = Pick<MemberLeaf, 'node' | 'x' | 'y'>;

export type AnchorVoteVerdict =
  { readonly status: 'accepted' } | { readonly status: 'refused'; readonly reason: 'vote-length' | 'signature-not-low-s' | 'not-signed' };

/** TPM_GENERATED_VALUE, TPM_ST_ATTEST_TIME. */
const head = Uint8Array.fromHex('ff5443478019');
/** Of TPMS_ATTEST with names and digests of SHA-256; where the outer clock begins, and the inner counts after the inner clock. */
const [wholeBytes, clockAt, innerCountsAt] = [134, 76, 117];
const signatureBytes = 64;

/**
 * The vote that a chip's certified time is.
 * @returns undefined where it isn't about this anchor, or its inner counts aren't the outer ones, which no chip signs
 */
export function packVote({ attestation, signature }: TimeCertificate, anchor: Uint8Array): Uint8Array | undefined {
  const decoded = decodeAttestOf('time', attestation);
  if (decoded.status === 'malformed' || attestation.length !== wholeBytes) return undefined;
  const vote = concatBytes(lowS(signature), attestation.subarray(clockAt, innerCountsAt));
  return sameBytes(attestationOf(vote, decoded.value.qualifiedSigner, anchor), attestation) ? vote : undefined;
}

/** The certified time of which a vote is what travels. @param qualifiedSigner name of the key, 34 bytes */
export function unpackVote(vote: Uint8Array, qualifiedSigner: Uint8Array, anchor: Uint8Array): TimeCertificate {
  return { attestation: attestationOf(vote, qualifiedSigner, anchor), signature: vote.slice(0, signatureBytes) };
}

/** Whether the key's chip said this about the anchor. */
export function judgeAnchorVote(crypto: Crypto, { node, x, y }: VoterKey, vote: Uint8Array, anchor: Uint8Array): AnchorVoteVerdict {
  if (vote.length !== VOTE_BYTES) return { status: 'refused', reason: 'vote-length' };
  if (!isLowS(vote.subarray(0, signatureBytes))) return { status: 'refused', reason: 'signature-not-low-s' };
  const point = concatBytes(Uint8Array.of(4), x, y);
  const holds = qualifiedNamesAt(crypto, node, { x, y }).some((name) => {
    const { attestation, signature } = unpackVote(vote, name, anchor);
    return crypto.verifyEcdsa('P-256', point, 'sha256', attestation, signature);
  });
  return holds ? { status: 'accepted' } : { status: 'refused', reason: 'not-signed' };
}

function attestationOf(vote: Uint8Array, qualifiedSigner: Uint8Array, anchor: Uint8Array): Uint8Array {
  const said = vote.subarray(signatureBytes);
  const counts = said.subarray(8, 25); // reset and restart count, `safe`, version: the same inside
  return concatBytes(head, framed(qualifiedSigner), framed(anchor), said, counts);
}

/** TPM2B. */
function framed(content: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(content.length >> 8, content.length & 0xff), content);
}
