/** Quotes: which software a machine has measured. TPM 2.0 Part 3 section 18.4 (TPM2_Quote). */
import { equalBytes } from '@noble/curves/utils.js';
import { concatBytes } from '@noble/hashes/utils.js';
import type { Crypto } from '../crypto.ts';
import { digestWith, hashBytes } from './algorithm.ts';
import type { AttestationKey } from './attestation-key.ts';
import { judgeAttestation, refused, type AttestationRefusal, type Refused, type SignedAttestation } from './attestation.ts';
import type { ClockInfo } from './clock-info.ts';
import { selectPcrs, type PcrSelection } from './pcr-selection.ts';

/** Registers that a quote must show: these, all of these and no others. */
export interface PcrPolicy {
  bank: 'sha256';
  /** Ascending, at least one. */
  indices: readonly number[];
  /** Registers into which nothing may have been measured: what must be there says another log. */
  mayBeUnextended?: readonly number[];
}

export interface Quote extends SignedAttestation {
  /** Values of the registers by index, which the quote only hashes. */
  pcrs: ReadonlyMap<number, Uint8Array>;
}

export type QuoteVerdict =
  | { status: 'accepted'; clockInfo: ClockInfo; firmwareVersion: bigint }
  | Refused<AttestationRefusal | 'other-pcr-selection' | 'other-pcr-values' | 'pcr-not-extended'>;

/** `clockInfo` and `firmwareVersion` are plain, since the key is in the endorsement hierarchy. */
export function judgeQuote(crypto: Crypto, key: AttestationKey, policy: PcrPolicy, quote: Quote, qualifyingData: Uint8Array): QuoteVerdict {
  const attestation = judgeAttestation(crypto, 'quote', key, quote, qualifyingData);
  if (attestation.status === 'refused') return attestation;
  const { attested, clockInfo, firmwareVersion } = attestation.body;
  if (!selects(policy, attested.pcrSelection)) {
    return refused('other-pcr-selection', `the quote is not over exactly the ${policy.bank} PCRs ${policy.indices.join(', ')}`);
  }
  const values = valuesOf(policy, quote.pcrs);
  if (values === undefined || !equalBytes(digestWith(crypto, key.hash, concatBytes(...values)), attested.pcrDigest)) {
    return refused('other-pcr-values', `the values given for PCRs ${policy.indices.join(', ')} are not those that the TPM hashed`);
  }
  const index = policy.indices.find((pcr) => policy.mayBeUnextended?.includes(pcr) !== true && neverExtended(quote.pcrs.get(pcr)));
  if (index !== undefined) return refused('pcr-not-extended', `PCR ${index} was never extended: nothing was measured into it`);
  return { status: 'accepted', clockInfo, firmwareVersion };
}

/** A TPM answers for an inactive bank with an empty mask, so the selection must be equal, not only contained. */
function selects(policy: PcrPolicy, selection: PcrSelection): boolean {
  const [wanted] = selectPcrs(policy.bank, policy.indices);
  const [quoted, ...more] = selection;
  if (wanted === undefined || quoted === undefined || more.length > 0 || policy.indices.length === 0) return false;
  return quoted.bank === wanted.bank && equalBytes(quoted.mask, wanted.mask);
}

/** In the order of the indices; undefined where one is missing, has another length, or a value stands beside the policy. */
function valuesOf(policy: PcrPolicy, pcrs: ReadonlyMap<number, Uint8Array>): Uint8Array[] | undefined {
  const ascending = [...policy.indices].sort((left, right) => left - right);
  const values = ascending.map((index) => pcrs.get(index)).filter((value) => value?.length === hashBytes[policy.bank]);
  return values.length === pcrs.size && values.length === ascending.length ? (values as Uint8Array[]) : undefined;
}

/** PCRs start as zeros, those of the dynamic launch (17 to 22) as ones. */
function neverExtended(value: Uint8Array | undefined): boolean {
  return value !== undefined && (value.every((byte) => byte === 0) || value.every((byte) => byte === 0xff));
}
