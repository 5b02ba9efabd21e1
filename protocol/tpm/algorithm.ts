/** Algorithm and curve identifiers as words. TPM 2.0 Part 2 section 6.3 (TPM_ALG_ID) and 6.4 (TPM_ECC_CURVE). */
import type { Crypto, HashAlgorithm } from '../crypto.ts';
import { u16, word } from './wire.ts';

const identifiers = {
  rsa: 0x0001,
  sha1: 0x0004,
  hmac: 0x0005,
  aes: 0x0006,
  keyedHash: 0x0008,
  xor: 0x000a,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  rsassa: 0x0014,
  rsaes: 0x0015,
  rsapss: 0x0016,
  oaep: 0x0017,
  ecdsa: 0x0018,
  ecdh: 0x0019,
  ecdaa: 0x001a,
  kdf1Sp80056a: 0x0020,
  kdf1Sp800108: 0x0022,
  ecc: 0x0023,
  symCipher: 0x0025,
  ctr: 0x0040,
  ofb: 0x0041,
  cbc: 0x0042,
  cfb: 0x0043,
  ecb: 0x0044,
} as const;

type AlgorithmName = keyof typeof identifiers;

/** A 16-bit algorithm identifier, one of the given. */
export function algorithm<const Names extends readonly AlgorithmName[]>(...names: Names) {
  const chosen = Object.fromEntries(names.map((name) => [name, identifiers[name]])) as Record<Names[number], number>;
  return word<Names[number]>(u16, chosen);
}

export type TpmHash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

export const hashAlgorithm = algorithm('sha1', 'sha256', 'sha384', 'sha512');

/** Hash that names objects (TPMI_ALG_HASH); SHA-1 names are not accepted anywhere in Capstan. */
export const nameAlgorithm = algorithm('sha256', 'sha384', 'sha512');

export const hashBytes: Readonly<Record<TpmHash, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

export const eccCurve = word(u16, { 'P-256': 0x0003, 'P-384': 0x0004, 'P-521': 0x0005 });

export function algorithmIdentifier(name: AlgorithmName): number {
  return identifiers[name];
}

export function digestWith(crypto: Crypto, hash: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  switch (hash) {
    case 'sha256':
      return crypto.sha256(bytes);
    case 'sha384':
      return crypto.sha384(bytes);
    case 'sha512':
      return crypto.sha512(bytes);
  }
}
