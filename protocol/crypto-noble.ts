/** The cryptography port in plain TypeScript, for browsers. FIPS 180-4, FIPS 186-5, RFC 8032, RFC 8017. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { bytesToNumberBE, bytesToNumberLE, equalBytes, numberToBytesBE } from '@noble/curves/utils.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import type { Crypto } from './crypto.ts';
import { isUsableEd25519Key } from './ed25519-key.ts';
import { isUsableRsaKey, pkcs1Encoding } from './rsa.ts';

const hashes = { sha256, sha384, sha512 };
const curves = { 'P-256': { curve: p256, bytes: 32 }, 'P-384': { curve: p384, bytes: 48 } };

export const nobleCrypto: Crypto = {
  sha256,
  sha384,
  sha512,
  hmacSha256: (key, bytes) => hmac(sha256, key, bytes),

  verifyEd25519: (publicKey, message, signature) =>
    isUsableEd25519Key(publicKey) && signature.length === 64 && orFalse(() => ed25519Holds(publicKey, message, signature)),

  verifyEcdsa: (name, point, hash, message, signature) => {
    const { curve, bytes } = curves[name];
    if (point.length !== 1 + 2 * bytes || point[0] !== 4 || signature.length !== 2 * bytes) return false;
    const digest = hashes[hash](message);
    return orFalse(() => curve.verify(signature, digest, point, { prehash: false, lowS: false, format: 'compact' }));
  },

  verifyRsaPkcs1: (modulus, exponent, hash, message, signature) => {
    const encoded = rsaPublicOperation(modulus, exponent, signature);
    return encoded !== undefined && equalBytes(encoded, pkcs1Encoding(hash, hashes[hash](message), modulus.length));
  },

  rsaPublicOperation,
};

/**
 * RFC 8032 section 5.1.7 with the equation [S]B = R + [k]A: the one OpenSSL checks. The library's own check multiplies
 * by the cofactor; a key's owner could then make signatures that some members accept and others refuse.
 */
function ed25519Holds(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519;
  const order = Point.Fn.ORDER;
  const claimed = signature.subarray(0, 32);
  const s = bytesToNumberLE(signature.subarray(32));
  if (s >= order) return false;
  const k = bytesToNumberLE(sha512(concatBytes(claimed, publicKey, message))) % order;
  const expected = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey).multiplyUnsafe(k));
  return equalBytes(expected.toBytes(), claimed);
}

function rsaPublicOperation(modulus: Uint8Array, exponent: number, input: Uint8Array): Uint8Array | undefined {
  if (!isUsableRsaKey(modulus, exponent) || input.length !== modulus.length) return undefined;
  const n = bytesToNumberBE(modulus);
  const base = bytesToNumberBE(input);
  return base < n ? numberToBytesBE(power(base, exponent, n), modulus.length) : undefined;
}

function power(base: bigint, exponent: number, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === '1') result = (result * base) % modulus;
  }
  return result;
}

/** The library throws for points off the curve and scalars out of range; to a verifier these are just wrong. */
function orFalse(holds: () => boolean): boolean {
  try {
    return holds();
  } catch {
    return false;
  }
}
