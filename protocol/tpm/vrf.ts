/**
 * RSA-FDH-VRF-SHA256, a verifiable random function whose private half is one raw RSA operation inside a TPM.
 * RFC 9381 section 4 and, for the suite, section 4.4.
 *
 * A proof is unique only if x → x^e is a permutation modulo n; a key's owner could choose an n for which it isn't. A few
 * e-th roots of hashed values, which then mostly don't exist, show that it is. Section 7.1.1 (malicious key generation).
 */
import { equalBytes } from '@noble/curves/utils.js';
import { concatBytes } from '@noble/hashes/utils.js';
import type { Crypto } from '../crypto.ts';
import { isUsableRsaKey } from '../rsa.ts';
import { rsaExponent } from './endorsement-key.ts';

const suite = Uint8Array.of(0x01);
const forEncoding = Uint8Array.of(0x01);
const forOutput = Uint8Array.of(0x02);

/** RSA-2048: bytes of a modulus, of an encoded message and of a proof. */
export const vrfProofBytes = 256;

/** Roots that a key must show: a key under which proofs aren't unique has them all by chance once in 65537^8 = 2^128. */
export const vrfKeyRootsCount = 8;

export type VrfVerdict =
  | { status: 'accepted'; output: Uint8Array }
  | { status: 'refused'; reason: 'unusable-key' | 'proof-malformed' | 'proof-wrong'; detail: string };

/**
 * The number to which the TPM applies its private key (TPM2_RSA_Decrypt, null scheme): section 4.1 step 2.
 * @param modulus 256 bytes, big-endian
 * @returns 256 bytes, of which the first is zero
 */
export function vrfEncodedMessage(crypto: Crypto, modulus: Uint8Array, alpha: Uint8Array): Uint8Array {
  const salt = concatBytes(uint32(modulus.length), modulus);
  return concatBytes(Uint8Array.of(0), mgf1(crypto, concatBytes(suite, forEncoding, salt, alpha), modulus.length - 1));
}

/**
 * Section 4.3.
 * @param proof 256 bytes: exactly one is valid for a key and an input
 * @returns the 32 bytes of output, the same for every verifier
 */
export function judgeVrfProof(crypto: Crypto, modulus: Uint8Array, alpha: Uint8Array, proof: Uint8Array): VrfVerdict {
  if (!isVrfModulus(modulus))
    return { status: 'refused', reason: 'unusable-key', detail: 'the VRF key is not an odd modulus of 2,048 bits' };
  if (proof.length !== vrfProofBytes) {
    return { status: 'refused', reason: 'proof-malformed', detail: `the proof is ${proof.length} bytes; it must be ${vrfProofBytes}` };
  }
  const recovered = crypto.rsaPublicOperation(modulus, rsaExponent, proof);
  if (recovered === undefined) return { status: 'refused', reason: 'proof-malformed', detail: 'the proof is not below the modulus' };
  if (!equalBytes(recovered, vrfEncodedMessage(crypto, modulus, alpha))) {
    return { status: 'refused', reason: 'proof-wrong', detail: 'the proof is not by this key over this input' };
  }
  return { status: 'accepted', output: vrfOutput(crypto, proof) };
}

/** Section 4.2. Meaningful only for a proof that was judged. */
export function vrfOutput(crypto: Crypto, proof: Uint8Array): Uint8Array {
  return crypto.sha256(concatBytes(suite, forOutput, proof));
}

/** The values of which a new key must show the e-th roots; TPM2_RSA_Decrypt makes them like proofs. */
export function vrfKeyRootMessages(crypto: Crypto, modulus: Uint8Array): Uint8Array[] {
  const purpose = new TextEncoder().encode('capstan/1/vrf-key-root\0');
  return Array.from({ length: vrfKeyRootsCount }, (_, index) => vrfEncodedMessage(crypto, modulus, concatBytes(purpose, uint32(index))));
}

export function judgeVrfKeyRoots(crypto: Crypto, modulus: Uint8Array, roots: readonly Uint8Array[]): 'well-formed' | 'unproven' {
  if (!isVrfModulus(modulus) || roots.length !== vrfKeyRootsCount) return 'unproven';
  const messages = vrfKeyRootMessages(crypto, modulus);
  const holds = (root: Uint8Array, message: Uint8Array | undefined) => {
    const recovered = crypto.rsaPublicOperation(modulus, rsaExponent, root);
    return recovered !== undefined && message !== undefined && equalBytes(recovered, message);
  };
  return roots.every((root, index) => holds(root, messages[index])) ? 'well-formed' : 'unproven';
}

function isVrfModulus(modulus: Uint8Array): boolean {
  return modulus.length === vrfProofBytes && isUsableRsaKey(modulus, rsaExponent);
}

/** MGF1 with SHA-256, RFC 8017 appendix B.2.1. */
function mgf1(crypto: Crypto, seed: Uint8Array, maskBytes: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(maskBytes / 32) }, (_, counter) => crypto.sha256(concatBytes(seed, uint32(counter))));
  return concatBytes(...blocks).subarray(0, maskBytes);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}
