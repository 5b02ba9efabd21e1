/** The endorsement key's public area: the one template that counts, and a key that can be one. TCG EK Credential Profile 2.5. */
import type { Crypto } from '../crypto.ts';
import { isUsableRsaKey } from '../rsa.ts';
import { endorsementHierarchy, nameOf, qualifiedName } from './name.ts';
import { PublicArea } from './public-area.ts';
import { departureFrom, endorsementKeyTemplate } from './templates.ts';
import { hasRocaFingerprint } from './weak-key.ts';

/** The exponent that a public area writes as 0 (TPM 2.0 Part 2 section 12.2.3.5). */
export const rsaExponent = 65_537;

export interface EndorsementKey {
  name: Uint8Array;
  qualifiedName: Uint8Array;
  /** 256 bytes, big-endian. */
  modulus: Uint8Array;
}

export type EndorsementKeyVerdict =
  | { status: 'accepted'; key: EndorsementKey }
  | { status: 'refused'; reason: 'malformed' | 'not-the-template' | 'unusable-key' | 'weak-key'; detail: string };

/** @param publicArea TPMT_PUBLIC. Says nothing about a chip: only the certificate and credentials do. */
export function judgeEndorsementKey(crypto: Crypto, publicArea: Uint8Array): EndorsementKeyVerdict {
  const decoded = PublicArea.decode(publicArea);
  if (decoded.status === 'malformed') return { status: 'refused', reason: 'malformed', detail: decoded.detail };
  const area = decoded.value;
  const departure = departureFrom(endorsementKeyTemplate, area);
  if (departure !== undefined || area.type !== 'rsa') {
    return { status: 'refused', reason: 'not-the-template', detail: `endorsement key: ${departure ?? 'not RSA'}` };
  }
  const unusable = judgeModulus(area.unique);
  if (unusable !== undefined) return { status: 'refused', ...unusable };
  return {
    status: 'accepted',
    key: { name: nameOf(crypto, area), qualifiedName: qualifiedName(crypto, endorsementHierarchy, area), modulus: area.unique },
  };
}

/** What is wrong with the modulus of an RSA-2048 key made by a TPM. */
export function judgeModulus(modulus: Uint8Array): { reason: 'unusable-key' | 'weak-key'; detail: string } | undefined {
  if (modulus.length !== 256 || !isUsableRsaKey(modulus, rsaExponent)) {
    return { reason: 'unusable-key', detail: 'the modulus is not an odd number of 2,048 bits' };
  }
  if (hasRocaFingerprint(modulus)) {
    return { reason: 'weak-key', detail: 'the modulus has the ROCA fingerprint (CVE-2017-15361): it can be factored' };
  }
  return undefined;
}
