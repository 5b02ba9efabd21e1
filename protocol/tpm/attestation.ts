/**
 * What is common to everything that an attestation key signs. TPM 2.0 Part 1 section 31 (attestation).
 *
 * The order is part of the rule: magic and kind before the signature, since a genuine restricted key can be made to
 * sign other bytes (CVE-2024-29038, CVE-2024-29039); the signature before anything that the bytes claim.
 */
import { equalBytes } from '@noble/curves/utils.js';
import type { Crypto } from '../crypto.ts';
import { judgeSignature, type AttestationKey } from './attestation-key.ts';
import { decodeAttestOf, type AttestBody, type AttestationKind } from './attest.ts';

export interface SignedAttestation {
  /** TPMS_ATTEST, the exact bytes that are signed. */
  attestation: Uint8Array;
  /** TPMT_SIGNATURE. */
  signature: Uint8Array;
}

export type AttestationRefusal =
  | 'malformed'
  | 'not-tpm-generated'
  | 'other-kind'
  | 'signature-malformed'
  | 'signature-scheme'
  | 'signature-wrong'
  | 'other-signer'
  | 'other-qualifying-data';

export type Refused<Reason extends string> = { status: 'refused'; reason: Reason; detail: string };

export type AttestationVerdict<Kind extends AttestationKind> = { status: 'accepted'; body: AttestBody<Kind> } | Refused<AttestationRefusal>;

/** @param qualifyingData what `extraData` must be: purpose, subject and freshness, hashed by the caller */
export function judgeAttestation<Kind extends AttestationKind>(
  crypto: Crypto,
  kind: Kind,
  key: AttestationKey,
  signed: SignedAttestation,
  qualifyingData: Uint8Array,
): AttestationVerdict<Kind> {
  const decoded = decodeAttestOf(kind, signed.attestation);
  if (decoded.status === 'malformed') return refused(decoded.reason, decoded.detail);
  const signature = judgeSignature(crypto, key, signed.attestation, signed.signature);
  if (signature.status === 'refused') return signature;
  const body = decoded.value;
  if (!equalBytes(body.qualifiedSigner, key.qualifiedName)) {
    return refused('other-signer', 'the signer is not this key as a child of the endorsement key');
  }
  if (!equalBytes(body.extraData, qualifyingData)) {
    return refused('other-qualifying-data', `the qualifying data is ${body.extraData.toHex()}; ${qualifyingData.toHex()} is expected`);
  }
  return { status: 'accepted', body };
}

export function refused<Reason extends string>(reason: Reason, detail: string): Refused<Reason> {
  return { status: 'refused', reason, detail };
}
