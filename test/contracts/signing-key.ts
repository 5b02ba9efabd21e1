/** Attestation keys whose secret a test holds, and what they sign: TPMS_ATTEST with any field that a forger could want. */
import { p256 } from '@noble/curves/nist.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest } from '#protocol/digest.ts';
import { judgeAttestationKey, type AttestationKey } from '#protocol/tpm/attestation-key.ts';
import { endorsementHierarchy } from '#protocol/tpm/name.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { attestationKeyTemplate } from '#protocol/tpm/templates.ts';

export const order = p256.Point.Fn.ORDER;

/** What a contract is told of a key: whose it is, and its public area, of which it gets the point. */
export interface KeyFields {
  readonly node: Uint8Array;
  readonly publicArea: Uint8Array;
}

export interface SigningKey extends KeyFields {
  readonly qualifiedName: Uint8Array;
  /** r ‖ s, s in either half. */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

/** @param coordinate how the public area writes a coordinate */
export function signingKey(name: string, coordinate: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes): SigningKey {
  const secret = blobDigest(new TextEncoder().encode(name));
  const point = p256.getPublicKey(secret, false);
  const unique = { x: coordinate(point.slice(1, 33)), y: coordinate(point.slice(33)) };
  const node = blobDigest(new TextEncoder().encode(`endorsement key of ${name}`));
  const publicArea = PublicArea.encode({ ...attestationKeyTemplate, unique });
  const sign = (message: Uint8Array): Uint8Array => p256.sign(message, secret, { lowS: false });
  return { node, publicArea, qualifiedName: keyOf({ node, publicArea }).qualifiedName, sign };
}

/** A key of which a coordinate begins with a zero byte, which some chips leave out. */
export function keyWithLeadingZero(axis: 'x' | 'y', coordinate: (bytes: Uint8Array) => Uint8Array): SigningKey {
  for (let attempt = 0; ; attempt++) {
    const name = `key ${attempt}`;
    if (p256.getPublicKey(blobDigest(new TextEncoder().encode(name)), false)[axis === 'x' ? 1 : 33] === 0)
      return signingKey(name, coordinate);
  }
}

/** The key as the protocol judges it, a child of the endorsement key whose public area hashes to `node`. */
export function keyOf({ node, publicArea }: KeyFields): AttestationKey {
  const endorsementName = concatBytes(Uint8Array.of(0, 0x0b), node);
  const parent = concatBytes(Uint8Array.of(0, 0x0b), blobDigest(concatBytes(endorsementHierarchy, endorsementName)));
  const verdict = judgeAttestationKey(nobleCrypto, publicArea, { name: endorsementName, qualifiedName: parent, modulus: new Uint8Array() });
  if (verdict.status === 'refused') throw new Error(verdict.detail);
  return verdict.key;
}

/** What a contract is told of the point. */
export function pointOf(key: KeyFields): { x: Uint8Array; y: Uint8Array } {
  const { point } = keyOf(key);
  return { x: point.slice(1, 33), y: point.slice(33) };
}

/** The same key with another point, on the curve or off it. */
export function withPoint({ node }: KeyFields, x: bigint, y: bigint): KeyFields {
  const unique = { x: numberToBytesBE(x, 32), y: numberToBytesBE(y, 32) };
  return { node, publicArea: PublicArea.encode({ ...attestationKeyTemplate, unique }) };
}

export function tpmSignature(signature: Uint8Array): Uint8Array {
  return Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r: signature.slice(0, 32), s: signature.slice(32) });
}

/** The same signature with s in the other half of the order. */
export function otherHalf(signature: Uint8Array): Uint8Array {
  return withS(signature, order - bytesToNumberBE(signature.subarray(32)));
}

export function isUpper(signature: Uint8Array): boolean {
  return bytesToNumberBE(signature.subarray(32)) > order / 2n;
}

export function withR(signature: Uint8Array, r: bigint): Uint8Array {
  return concatBytes(numberToBytesBE(r, 32), signature.subarray(32));
}

export function withS(signature: Uint8Array, s: bigint): Uint8Array {
  return concatBytes(signature.subarray(0, 32), numberToBytesBE(s, 32));
}
