/**
 * Vouchers: the TPM's word for an operational key, without a beacon, so that it holds for as long as the boot. It binds the
 * key to the member's attestation key and to one boot; what was measured is judged in evidence (§3.6). Specification §11.3.
 */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { MeasuredEvent, Registers } from '../measured-boot.ts';
import { bytes, fixedBytes, list, struct, type Infer } from '../schema.ts';

const TpmStructure = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

export const Voucher = struct({
  node: Digest,
  operationalKey: fixedBytes(32),
  /** TPMS_ATTEST and TPMT_SIGNATURE of TPM2_Quote over PCRs 8 and 14, qualifying data `voucherQualifier`. */
  quote: TpmStructure,
  quoteSignature: TpmStructure,
  pcrs: Registers,
  eventLog: list(MeasuredEvent, { max: LIMITS.measuredEventsMax }),
});
export type Voucher = Infer<typeof Voucher>;
