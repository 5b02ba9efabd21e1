/** A box's keys and its quotes. Pure. Specification §6.5. */
import type { Crypto } from '../crypto.ts';
import { domainDigest } from '../digest.ts';
import type { Genesis } from '../network.ts';
import { judgeAttestationKey, type AttestationKey } from '../tpm/attestation-key.ts';
import type { ClockInfo } from '../tpm/clock-info.ts';
import { judgeEndorsementCertificate } from '../tpm/endorsement-certificate.ts';
import { judgeEndorsementKey } from '../tpm/endorsement-key.ts';
import { judgeQuote, type PcrPolicy } from '../tpm/quote.ts';
import { registersOf, type BoxKeys, type BoxTpmEvidence } from './box-tpm.ts';
import { BOX_PCRS, type BoxRegisters } from './registers.ts';

export interface JudgedBoxKeys {
  readonly attestationKey: AttestationKey;
  /** Who vouches for the endorsement key; `nobody`: no authority of the genesis, and `detail` says why not. */
  readonly certified: 'hardware' | 'software' | 'nobody';
  readonly detail: string;
}

export type BoxKeysVerdict =
  | { readonly status: 'accepted'; readonly keys: JudgedBoxKeys }
  | { readonly status: 'refused'; readonly reason: string; readonly detail: string };

export function judgeBoxKeys(
  { endorsementKey, attestationKey, certificates }: BoxKeys,
  authorities: Genesis['endorsementAuthorities'],
  { crypto, atMs }: { readonly crypto: Crypto; readonly atMs: number },
): BoxKeysVerdict {
  const endorsement = judgeEndorsementKey(crypto, endorsementKey);
  if (endorsement.status === 'refused')
    return { status: 'refused', reason: `endorsement-key-${endorsement.reason}`, detail: endorsement.detail };
  const attestation = judgeAttestationKey(crypto, attestationKey, endorsement.key);
  if (attestation.status === 'refused')
    return { status: 'refused', reason: `attestation-key-${attestation.reason}`, detail: attestation.detail };
  const key = attestation.key;
  const [certificate, ...intermediates] = certificates;
  if (!certificate)
    return { status: 'accepted', keys: { attestationKey: key, certified: 'nobody', detail: 'the endorsement key has no certificate' } };
  const chain = judgeEndorsementCertificate(crypto, endorsement.key, { certificate, intermediates }, authorities, atMs);
  if (chain.status === 'refused') return { status: 'accepted', keys: { attestationKey: key, certified: 'nobody', detail: chain.detail } };
  const certified = chain.authority.softwareTpm ? 'software' : 'hardware';
  return { status: 'accepted', keys: { attestationKey: key, certified, detail: `the endorsement key is certified (${certified})` } };
}

export interface QuotedBox {
  readonly network: Uint8Array;
  readonly beacon: Uint8Array;
  readonly run: string;
  /** The box's Ed25519 key. */
  readonly boxKey: Uint8Array;
  /** `softwareDigest` of what the evidence says. */
  readonly software: Uint8Array;
}

/** What the quote's qualifying data must be. */
export function boxQuoteQualifier({ network, beacon, run, boxKey, software }: QuotedBox): Uint8Array {
  return domainDigest('box-quote', network, beacon, new TextEncoder().encode(run), boxKey, software);
}

/** What a box that has opened a secret shows. */
export function activationAnswer(secret: Uint8Array, network: Uint8Array, nonce: Uint8Array): Uint8Array {
  return domainDigest('box-activation', secret, network, nonce);
}

/** What a quote shows of a box at one moment; two of them are compared with `quoteContradictions`. */
export interface BoxMoment {
  readonly registers: BoxRegisters;
  readonly clockInfo: ClockInfo;
  readonly firmwareVersion: bigint;
}

export type BoxQuoteVerdict =
  | { readonly status: 'accepted'; readonly moment: BoxMoment }
  | { readonly status: 'refused'; readonly reason: string; readonly detail: string };

/** A machine need not have a boot loader (8, 9), a kernel that measures (10), or shim (14); the firmware's registers are always extended. */
const policy: PcrPolicy = { bank: 'sha256', indices: BOX_PCRS, mayBeUnextended: [8, 9, 10, 14] };

export function judgeBoxQuote(crypto: Crypto, key: AttestationKey, evidence: BoxTpmEvidence, qualifier: Uint8Array): BoxQuoteVerdict {
  const registers = registersOf(evidence);
  const quote = { attestation: evidence.quote, signature: evidence.signature, pcrs: registers };
  const verdict = judgeQuote(crypto, key, policy, quote, qualifier);
  if (verdict.status === 'refused') return { status: 'refused', reason: `quote-${verdict.reason}`, detail: verdict.detail };
  const { clockInfo, firmwareVersion } = verdict;
  return { status: 'accepted', moment: { registers, clockInfo, firmwareVersion } };
}
