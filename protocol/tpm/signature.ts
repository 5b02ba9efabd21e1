/** TPMT_SIGNATURE. TPM 2.0 Part 2 section 11.3.4. */
import { LIMITS } from '../limits.ts';
import { algorithm, hashAlgorithm } from './algorithm.ts';
import { sizedBytes, struct, structure, variants, type ValueOf } from './wire.ts';

const rsaSignature = struct({ hash: hashAlgorithm, signature: sizedBytes(LIMITS.tpmRsaBytesMax) });
const eccParameter = sizedBytes(LIMITS.tpmEccParameterBytesMax);

const signature = variants('scheme', algorithm('rsassa', 'rsapss', 'ecdsa'), {
  rsassa: rsaSignature,
  rsapss: rsaSignature,
  ecdsa: struct({ hash: hashAlgorithm, r: eccParameter, s: eccParameter }),
});

export type Signature = ValueOf<typeof signature>;
export const Signature = structure('TPMT_SIGNATURE', LIMITS.tpmStructureBytesMax, signature);
