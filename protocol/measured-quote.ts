/** A quote over exactly the two registers into which a device measures itself. Specification §3.6 and §11.3. */
import type { Crypto } from './crypto.ts';
import { MEASURED_PCRS, type Registers } from './measured-boot.ts';
import type { AttestationKey } from './tpm/attestation-key.ts';
import { judgeQuote, type QuoteVerdict } from './tpm/quote.ts';

export interface MeasuredQuote {
  /** TPMS_ATTEST and TPMT_SIGNATURE of TPM2_Quote. */
  readonly quote: Uint8Array;
  readonly quoteSignature: Uint8Array;
  readonly pcrs: Registers;
}

/** What the registers hold is judged by `judgeMeasuredBoot`, or `judgeMeasuredReplay`. */
export function judgeMeasuredQuote(crypto: Crypto, key: AttestationKey, shown: MeasuredQuote, qualifyingData: Uint8Array): QuoteVerdict {
  const pcrs = new Map([
    [MEASURED_PCRS.operationalKey, shown.pcrs.pcr8],
    [MEASURED_PCRS.software, shown.pcrs.pcr14],
  ]);
  return judgeQuote(crypto, key, policy, { attestation: shown.quote, signature: shown.quoteSignature, pcrs }, qualifyingData);
}

const policy = { bank: 'sha256', indices: [MEASURED_PCRS.operationalKey, MEASURED_PCRS.software] } as const;
