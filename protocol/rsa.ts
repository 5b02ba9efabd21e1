/** Rules for RSA keys and PKCS #1 v1.5 signatures that every implementation of the port shares. RFC 8017. */
import { concatBytes } from '@noble/hashes/utils.js';
import type { HashAlgorithm } from './crypto.ts';
import { LIMITS } from './limits.ts';

/** DigestInfo up to the digest itself, RFC 8017 section 9.2 note 1. */
const digestInfoPrefixes: Readonly<Record<HashAlgorithm, Uint8Array>> = {
  sha256: Uint8Array.fromHex('3031300d060960864801650304020105000420'),
  sha384: Uint8Array.fromHex('3041300d060960864801650304020205000430'),
  sha512: Uint8Array.fromHex('3051300d060960864801650304020305000440'),
};

/** Smallest modulus, 2048 bits (NIST SP 800-131A). */
const modulusBytesMin = 256;

/** FIPS 186-5 section A.1.1: an odd exponent above 2^16; a modulus of full length, which is odd. */
export function isUsableRsaKey(modulus: Uint8Array, exponent: number): boolean {
  const sound = Number.isInteger(exponent) && exponent > 65_536 && exponent <= 0xffffffff && exponent % 2 === 1;
  const length = modulus.length >= modulusBytesMin && modulus.length <= LIMITS.tpmRsaBytesMax;
  return sound && length && (modulus[0] ?? 0) >= 0x80 && (modulus.at(-1) ?? 0) % 2 === 1;
}

/**
 * EMSA-PKCS1-v1_5 of a digest, RFC 8017 section 9.2: the only encoding that a verifier accepts, compared as a whole.
 * @param encodedBytes length of the modulus
 */
export function pkcs1Encoding(hash: HashAlgorithm, digest: Uint8Array, encodedBytes: number): Uint8Array {
  const digestInfo = concatBytes(digestInfoPrefixes[hash], digest);
  const padding = new Uint8Array(encodedBytes - digestInfo.length - 3).fill(0xff);
  return concatBytes(Uint8Array.of(0, 1), padding, Uint8Array.of(0), digestInfo);
}
