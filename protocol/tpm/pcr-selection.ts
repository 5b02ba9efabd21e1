/** TPML_PCR_SELECTION, which registers of which bank. TPM 2.0 Part 2 sections 10.6.2 and 10.9.7. */
import { LIMITS } from '../limits.ts';
import { hashAlgorithm, type TpmHash } from './algorithm.ts';
import { list, shortBytes, struct, structure, type ValueOf } from './wire.ts';

const selection = struct({ bank: hashAlgorithm, mask: shortBytes(1, LIMITS.tpmPcrMaskBytesMax) });

export const pcrSelectionField = list(LIMITS.tpmPcrBanksMax, selection);
export type PcrSelection = ValueOf<typeof pcrSelectionField>;
export const PcrSelection = structure('TPML_PCR_SELECTION', LIMITS.tpmStructureBytesMax, pcrSelectionField);

/** Mask length of every PC Client TPM: 24 registers (PC Client Platform TPM Profile section 4.6.1). */
const maskBytes = 3;

/** Selection of these registers of one bank, in the form a PC Client TPM uses and answers. */
export function selectPcrs(bank: TpmHash, indices: readonly number[]): PcrSelection {
  const mask = new Uint8Array(maskBytes);
  for (const index of indices) {
    if (!Number.isInteger(index) || index < 0 || index >= maskBytes * 8) throw new RangeError(`PCR ${index} does not exist; 0 to 23 do`);
    mask[index >> 3] = (mask[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return [{ bank, mask }];
}

/** Indices in a mask, ascending: the order in which a TPM hashes them. */
export function pcrIndices(mask: Uint8Array): number[] {
  return Array.from({ length: mask.length * 8 }, (_, index) => index).filter(
    (index) => (((mask[index >> 3] ?? 0) >> (index & 7)) & 1) === 1,
  );
}
