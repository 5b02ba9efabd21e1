/** TPM2B_…: the length-prefixed form in which commands take and return structures. TPM 2.0 Part 2 section 10.4. */
import { LIMITS } from '../limits.ts';
import { sizedBytes, structure } from './wire.ts';

/** Strips or adds the 16-bit length: TPM2B_ATTEST to the TPMS_ATTEST that is signed, and so on. */
export const SizedBuffer = structure('TPM2B', LIMITS.tpmStructureBytesMax, sizedBytes(LIMITS.tpmStructureBytesMax));
