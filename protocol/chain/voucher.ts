/**
 * Vouchers: the TPM's word for an operational key, without a beacon, so that it holds for as long as the boot. It binds the
 * key to the member's attestation key and to one boot; what was measured is judged in evidence (§3.6). Specification §11.3.
 */
import { decodeStrict, encodeStrict, type Decoded } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { Digest, domainDigest } from '../digest.ts';
import { isUsableEd25519Key } from '../ed25519-key.ts';
import { LIMITS } from '../limits.ts';
import { judgeMeasuredReplay, MeasuredEvent, Registers, type MeasuredReplayRefusal } from '../measured-boot.ts';
import { judgeMeasuredQuote } from '../measured-quote.ts';
import { bytes, fixedBytes, list, struct, type Infer } from '../schema.ts';
import type { AttestationKey } from '../tpm/attestation-key.ts';
import type { QuoteVerdict } from '../tpm/quote.ts';

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

type QuoteRefusal = Extract<QuoteVerdict, { status: 'refused' }>['reason'];
export type VoucherRefusal = `quote-${QuoteRefusal}` | MeasuredReplayRefusal | 'operational-key-unusable';

export type VoucherVerdict =
  | { readonly status: 'accepted'; readonly operationalKey: Uint8Array; readonly resetCount: number; readonly restartCount: number }
  | { readonly status: 'refused'; readonly reason: VoucherRefusal; readonly detail: string };

export function encodeVoucher(voucher: Voucher): Uint8Array {
  return encodeStrict(Voucher, voucher);
}

export function decodeVoucher(encoded: Uint8Array): Decoded<Voucher> {
  return decodeStrict(Voucher, encoded, LIMITS.voucherBytesMax);
}

/** Qualifying data of a voucher's quote. */
export function voucherQualifier(network: Uint8Array, node: Uint8Array, operationalKey: Uint8Array): Uint8Array {
  return domainDigest('voucher', network, node, operationalKey);
}

/**
 * Whether the chip of `key` holds this operational key, capped, in a boot in which each kind was measured once. References are
 * not judged: each member has its own list, which grows with every release, and all must come to the same state.
 * @param key attestation key of the member `voucher.node`, which the caller has looked up. @param network its id
 */
export function judgeVoucher(crypto: Crypto, key: AttestationKey, network: Uint8Array, voucher: Voucher): VoucherVerdict {
  const { node, operationalKey, pcrs, eventLog } = voucher;
  const quote = judgeMeasuredQuote(crypto, key, voucher, voucherQualifier(network, node, operationalKey));
  if (quote.status === 'refused') return { status: 'refused', reason: `quote-${quote.reason}`, detail: quote.detail };
  const replay = judgeMeasuredReplay({ registers: pcrs, eventLog, operationalKey });
  if (replay.status === 'refused') return replay;
  if (!isUsableEd25519Key(operationalKey))
    return {
      status: 'refused',
      reason: 'operational-key-unusable',
      detail: 'the operational key is no Ed25519 key, or one of small order',
    };
  const { resetCount, restartCount } = quote.clockInfo;
  return { status: 'accepted', operationalKey, resetCount, restartCount };
}
