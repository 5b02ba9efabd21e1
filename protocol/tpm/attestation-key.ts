/**
 * The attestation key: a restricted P-256 signing key that is a child of the endorsement key.
 *
 * Its public area alone proves nothing. What binds it to a chip is a credential that only the endorsement key opens,
 * and what shows its parent is the qualified name that the TPM writes into everything the key signs: a key beside the
 * endorsement key passes credential activation too, and survives TPM2_Clear, which rewinds the counters it certifies.
 */
import { concatBytes } from '@noble/hashes/utils.js';
import type { Crypto, HashAlgorithm } from '../crypto.ts';
import type { EndorsementKey } from './endorsement-key.ts';
import { digestWith } from './algorithm.ts';
import { endorsementHierarchy, nameOf, qualifiedName } from './name.ts';
import { PublicArea, type EccPublicArea } from './public-area.ts';
import { Signature } from './signature.ts';
import { attestationKeyTemplate, departureFrom } from './templates.ts';

export interface AttestationKey {
  name: Uint8Array;
  /** As a child of the endorsement key it was judged with. */
  qualifiedName: Uint8Array;
  /** SEC1 uncompressed, 65 bytes. */
  point: Uint8Array;
  curve: 'P-256';
  /** Hash of its signatures and of the PCR digest in its quotes. */
  hash: HashAlgorithm;
}

/** 32 bytes each. */
export interface AttestationPoint {
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

export type AttestationKeyVerdict =
  { status: 'accepted'; key: AttestationKey } | { status: 'refused'; reason: 'malformed' | 'not-the-template'; detail: string };

/** @param publicArea TPMT_PUBLIC */
export function judgeAttestationKey(crypto: Crypto, publicArea: Uint8Array, endorsementKey: EndorsementKey): AttestationKeyVerdict {
  const decoded = PublicArea.decode(publicArea);
  if (decoded.status === 'malformed') return { status: 'refused', reason: 'malformed', detail: decoded.detail };
  const area = decoded.value;
  const departure = departureFrom(attestationKeyTemplate, area);
  if (departure !== undefined || area.type !== 'ecc') {
    return { status: 'refused', reason: 'not-the-template', detail: `attestation key: ${departure ?? 'not ECC'}` };
  }
  const point = pointOf(area);
  if (point === undefined)
    return { status: 'refused', reason: 'malformed', detail: 'a coordinate of the attestation key is longer than 32 bytes' };
  const names = { name: nameOf(crypto, area), qualifiedName: qualifiedName(crypto, endorsementKey.qualifiedName, area) };
  return { status: 'accepted', key: { ...names, point, curve: 'P-256', hash: 'sha256' } };
}

/** The point of an attestation key, big-endian, as layer 1 knows it; undefined where the bytes are no such key. @param publicArea TPMT_PUBLIC */
export function attestationPoint(publicArea: Uint8Array): AttestationPoint | undefined {
  const decoded = PublicArea.decode(publicArea);
  const point = decoded.status === 'decoded' && decoded.value.type === 'ecc' ? pointOf(decoded.value) : undefined;
  return point && { x: point.slice(1, 33), y: point.slice(33) };
}

/**
 * The qualified names that a chip may give the key at a point, a child of the endorsement key whose public area hashes to `node`: template and
 * point fix them. Two where a coordinate begins with zeros, which some chips leave out.
 */
export function qualifiedNamesAt(crypto: Crypto, node: Uint8Array, { x, y }: AttestationPoint): Uint8Array[] {
  const sha256 = (input: Uint8Array): Uint8Array => concatBytes(nameAlgorithm, digestWith(crypto, 'sha256', input));
  const parent = sha256(concatBytes(endorsementHierarchy, nameAlgorithm, node));
  const shorter = { x: withoutZeros(x), y: withoutZeros(y) };
  const forms = x[0] === 0 || y[0] === 0 ? [{ x, y }, shorter] : [{ x, y }];
  return forms.map((unique) => qualifiedName(crypto, parent, { ...attestationKeyTemplate, unique }));
}

export type SignatureVerdict =
  { status: 'accepted' } | { status: 'refused'; reason: 'signature-malformed' | 'signature-scheme' | 'signature-wrong'; detail: string };

/**
 * Scheme and hash are the key's; a signature that names others is refused before anything is computed.
 * @param signature TPMT_SIGNATURE; never an identifier, since a second valid one is easily made
 */
export function judgeSignature(crypto: Crypto, key: AttestationKey, signed: Uint8Array, signature: Uint8Array): SignatureVerdict {
  const decoded = Signature.decode(signature);
  if (decoded.status === 'malformed') return { status: 'refused', reason: 'signature-malformed', detail: decoded.detail };
  const { value } = decoded;
  if (value.scheme !== 'ecdsa' || value.hash !== key.hash) {
    return {
      status: 'refused',
      reason: 'signature-scheme',
      detail: `the signature says ${value.scheme} with ${value.hash}; the key is for ecdsa with ${key.hash}`,
    };
  }
  const [r, s] = [leftPadded(value.r, 32), leftPadded(value.s, 32)];
  if (r === undefined || s === undefined)
    return { status: 'refused', reason: 'signature-malformed', detail: 'r or s is longer than 32 bytes' };
  if (crypto.verifyEcdsa(key.curve, key.point, key.hash, signed, concatBytes(r, s))) return { status: 'accepted' };
  return { status: 'refused', reason: 'signature-wrong', detail: 'the signature is not by the attestation key over these bytes' };
}

/** TPM_ALG_SHA256, before every name. */
const nameAlgorithm = Uint8Array.of(0, 0x0b);

function withoutZeros(coordinate: Uint8Array): Uint8Array {
  const zeros = coordinate.findIndex((byte) => byte !== 0);
  return zeros < 0 ? new Uint8Array() : coordinate.subarray(zeros);
}

function pointOf(area: EccPublicArea): Uint8Array | undefined {
  const [x, y] = [leftPadded(area.unique.x, 32), leftPadded(area.unique.y, 32)];
  return x && y && concatBytes(Uint8Array.of(4), x, y);
}

/** Some chips leave out leading zeros. */
function leftPadded(bytes: Uint8Array, length: number): Uint8Array | undefined {
  if (bytes.length === length) return bytes;
  return bytes.length > length ? undefined : concatBytes(new Uint8Array(length - bytes.length), bytes);
}
