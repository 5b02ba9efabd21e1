/** TPMS_NV_PUBLIC, what an NV index is. TPM 2.0 Part 2 sections 13.4 (TPMA_NV) and 13.5. */
import { LIMITS } from '../limits.ts';
import { nameAlgorithm } from './algorithm.ts';
import { flags, sized, sizedBytes, struct, structure, u16, u32, type ValueOf } from './wire.ts';

/** Bits 4 to 7 are the index type (TPM_NT): ordinary 0, counter 1, bits 2, extend 4. */
const nvAttributes = flags({
  ppWrite: 0,
  ownerWrite: 1,
  authWrite: 2,
  policyWrite: 3,
  typeCounter: 4,
  typeBits: 5,
  typeExtend: 6,
  typePin: 7,
  policyDelete: 10,
  writeLocked: 11,
  writeAll: 12,
  writeDefine: 13,
  writeStClear: 14,
  globalLock: 15,
  ppRead: 16,
  ownerRead: 17,
  authRead: 18,
  policyRead: 19,
  noDA: 25,
  orderly: 26,
  clearStClear: 27,
  readLocked: 28,
  written: 29,
  platformCreate: 30,
  readStClear: 31,
});

const nvPublic = struct({
  index: u32,
  nameAlgorithm,
  attributes: nvAttributes,
  authPolicy: sizedBytes(LIMITS.tpmDigestBytesMax),
  dataBytes: u16,
});

export type NvPublic = ValueOf<typeof nvPublic>;
export const NvPublic = structure('TPMS_NV_PUBLIC', LIMITS.tpmStructureBytesMax, nvPublic);
export const SizedNvPublic = structure('TPM2B_NV_PUBLIC', LIMITS.tpmStructureBytesMax, sized(nvPublic));
