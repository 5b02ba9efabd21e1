/** TPMT_PUBLIC, the public area of a key or data object. TPM 2.0 Part 2 section 12.2.4; algorithm parameters section 11. */
import { LIMITS } from '../limits.ts';
import { algorithm, eccCurve, hashAlgorithm, nameAlgorithm } from './algorithm.ts';
import { objectAttributesField } from './object-attributes.ts';
import { nothing, sized, sizedBytes, struct, structure, u16, u32, variants, type ValueOf } from './wire.ts';

const withHash = struct({ hash: hashAlgorithm });
const digest = sizedBytes(LIMITS.tpmDigestBytesMax);
const eccParameter = sizedBytes(LIMITS.tpmEccParameterBytesMax);

const cipher = struct({ keyBits: u16, mode: algorithm('ctr', 'ofb', 'cbc', 'cfb', 'ecb', 'null') });
const symmetric = variants('algorithm', algorithm('aes', 'null'), { aes: cipher, null: nothing });

const rsaScheme = variants('scheme', algorithm('rsassa', 'rsapss', 'oaep', 'rsaes', 'null'), {
  rsassa: withHash,
  rsapss: withHash,
  oaep: withHash,
  rsaes: nothing,
  null: nothing,
});
const eccScheme = variants('scheme', algorithm('ecdsa', 'ecdh', 'ecdaa', 'null'), {
  ecdsa: withHash,
  ecdh: withHash,
  ecdaa: struct({ hash: hashAlgorithm, count: u16 }),
  null: nothing,
});
const kdf = variants('scheme', algorithm('kdf1Sp80056a', 'kdf1Sp800108', 'null'), {
  kdf1Sp80056a: withHash,
  kdf1Sp800108: withHash,
  null: nothing,
});
const keyedHashScheme = variants('scheme', algorithm('hmac', 'xor', 'null'), {
  hmac: withHash,
  xor: struct({ hash: hashAlgorithm, kdf: algorithm('kdf1Sp80056a', 'kdf1Sp800108') }),
  null: nothing,
});

const common = { nameAlgorithm, attributes: objectAttributesField, authPolicy: digest };

const publicArea = variants('type', algorithm('rsa', 'ecc', 'keyedHash', 'symCipher'), {
  rsa: struct({
    ...common,
    parameters: struct({ symmetric, scheme: rsaScheme, keyBits: u16, exponent: u32 }),
    unique: sizedBytes(LIMITS.tpmRsaBytesMax),
  }),
  ecc: struct({
    ...common,
    parameters: struct({ symmetric, scheme: eccScheme, curve: eccCurve, kdf }),
    unique: struct({ x: eccParameter, y: eccParameter }),
  }),
  keyedHash: struct({ ...common, parameters: keyedHashScheme, unique: digest }),
  symCipher: struct({ ...common, parameters: symmetric, unique: digest }),
});

export type PublicArea = ValueOf<typeof publicArea>;
export type RsaPublicArea = Extract<PublicArea, { type: 'rsa' }>;
export type EccPublicArea = Extract<PublicArea, { type: 'ecc' }>;

/** TPMT_PUBLIC: what a Name is the hash of. */
export const PublicArea = structure('TPMT_PUBLIC', LIMITS.tpmStructureBytesMax, publicArea);

/** TPM2B_PUBLIC: what commands take and return. */
export const SizedPublicArea = structure('TPM2B_PUBLIC', LIMITS.tpmStructureBytesMax, sized(publicArea));
