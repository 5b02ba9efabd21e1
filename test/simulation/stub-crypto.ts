/**
 * The cryptography port with real digests and pretended signatures, for thousands of simulated hours. A signature is a digest
 * of key and message: whoever has the public key can make it, so only rules that forge nothing are tried with it. A changed
 * message, or another key, is refused as by real ones.
 */
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { createHmac, hash } from 'node:crypto';
import type { Crypto, Curve, HashAlgorithm } from '#protocol/crypto.ts';
import { isUsableEd25519Key } from '#protocol/ed25519-key.ts';
import { isUsableRsaKey, pkcs1Encoding } from '#protocol/rsa.ts';

export const stubCrypto: Crypto = {
  sha256: (bytes) => digest('sha256', bytes),
  sha384: (bytes) => digest('sha384', bytes),
  sha512: (bytes) => digest('sha512', bytes),
  hmacSha256: (key, bytes) => plain(createHmac('sha256', key).update(bytes).digest()),
  verifyEd25519: (publicKey, message, signature) => isUsableKey(publicKey) && isSame(stubEd25519Signature(publicKey, message), signature),
  verifyEcdsa: (curve, point, algorithm, message, signature) => {
    const made = stubEcdsaSignature(curve, point, algorithm, message);
    return isSame(made, signature) || isSame(highS(made), signature);
  },
  verifyRsaPkcs1: (modulus, exponent, algorithm, message, signature) => {
    const encoded = stubCrypto.rsaPublicOperation(modulus, exponent, signature);
    return encoded !== undefined && isSame(encoded, pkcs1Encoding(algorithm, digest(algorithm, message), modulus.length));
  },
  rsaPublicOperation: (modulus, exponent, input) =>
    isUsableRsaKey(modulus, exponent) && input.length === modulus.length && input[0] === 0 ? stubRsaOperation(modulus, input) : undefined,
};

/** 64 bytes. */
export function stubEd25519Signature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const half = digest('sha256', joined(publicKey, message));
  return joined(half, half);
}

/** r ‖ s with s in the lower half of the order of the curve. */
export function stubEcdsaSignature(curve: Curve, point: Uint8Array, algorithm: HashAlgorithm, message: Uint8Array): Uint8Array {
  const half = digest(curve === 'P-256' ? 'sha256' : 'sha384', joined(point, encoder.encode(algorithm), message));
  half[0] = (half[0] ?? 0) & 0x3f;
  return joined(half, half);
}

/** Its own inverse, so public and private operation in one; the first byte stays zero, which keeps numbers below the modulus. */
export function stubRsaOperation(modulus: Uint8Array, input: Uint8Array): Uint8Array {
  const pad = padOf(modulus);
  return input.map((byte, index) => byte ^ (pad[index] ?? 0));
}

const encoder = new TextEncoder();
const pads = new Map<string, Uint8Array>();

function padOf(modulus: Uint8Array): Uint8Array {
  const id = modulus.toHex();
  const known = pads.get(id) ?? stretched(modulus, modulus.length).with(0, 0);
  pads.set(id, known);
  return known;
}

/** As many bytes as wished, all following from the seed. */
export function stretched(seed: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 32) {
    bytes.set(digest('sha256', joined(seed, Uint8Array.of(at >> 8, at & 0xff))).subarray(0, Math.min(32, length - at)), at);
  }
  return bytes;
}

const usable = new Map<string, boolean>();

function isUsableKey(publicKey: Uint8Array): boolean {
  const id = publicKey.toHex();
  const known = usable.get(id) ?? isUsableEd25519Key(publicKey);
  usable.set(id, known);
  return known;
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function highS(signature: Uint8Array): Uint8Array {
  return signature.length === 64
    ? joined(signature.subarray(0, 32), numberToBytesBE(order - bytesToNumberBE(signature.subarray(32)), 32))
    : signature;
}

function digest(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  return plain(hash(algorithm, bytes, 'buffer'));
}

/** The port speaks plain bytes: a Buffer compares unequal to them. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer);
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
