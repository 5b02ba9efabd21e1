/** What a device knows of a box's TPM, and what that makes of a run's level. Pure. Specification §6.3, §6.5. */
import { sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { blobDigest } from '#protocol/digest.ts';
import {
  activationAnswer,
  boxQuoteQualifier,
  judgeBoxQuote,
  type BoxMoment,
  type JudgedBoxKeys,
} from '#protocol/measured-box/box-quote.ts';
import { decodeManifest } from '#protocol/manifest.ts';
import { BoxKeys, type BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import { quoteContradictions } from '#protocol/measured-box/quote-continuity.ts';
import { fixedBytes, struct, type Infer } from '#protocol/schema.ts';
import { satisfies, type TrustLevel } from '#protocol/trust-level.ts';

/** As a receipt shows it. */
export interface BoxStanding {
  readonly level: TrustLevel;
  readonly tpm: { readonly keys: BoxKeys; readonly references?: Uint8Array };
}

/** Kept over restarts from the moment at which the box has opened a secret closed for these keys. */
export const ActivatedKeys = struct({ signingKey: fixedBytes(32), keys: BoxKeys });
export type ActivatedKeys = Readonly<Infer<typeof ActivatedKeys>>;

/** What the device sent with its challenges and waits to see opened. */
export interface Activation {
  readonly keys: BoxKeys;
  readonly secret: Uint8Array;
}

export function endorsementDigest({ endorsementKey }: BoxKeys): Uint8Array {
  return blobDigest(endorsementKey);
}

/** Whether the evidence shows the opened secret. */
export function isActivatedBy({ secret }: Activation, shown: Uint8Array, network: Uint8Array, nonce: Uint8Array): boolean {
  return sameBytes(activationAnswer(secret, network, nonce), shown);
}

export interface AnsweredQuote {
  readonly network: Uint8Array;
  readonly beacon: Uint8Array;
  readonly run: string;
  readonly boxKey: Uint8Array;
  /** `softwareDigest` of what the box reports. */
  readonly software: Uint8Array;
  readonly tpm: BoxTpmEvidence;
}

export type AnsweredVerdict =
  { readonly status: 'accepted'; readonly moment: BoxMoment } | { readonly status: 'refused'; readonly detail: string };

/**
 * A quote that was accepted, of this run or only of this box: then the box may have been started anew since, and answers of several runs
 * may overtake one another, but within one boot no register changes.
 */
export interface EarlierQuote {
  readonly of: 'run' | 'box';
  readonly moment: BoxMoment;
}

/** The quote of an answer, and whether it goes on from an earlier one. */
export function judgeAnsweredQuote(
  crypto: Crypto,
  keys: JudgedBoxKeys,
  answer: AnsweredQuote,
  earlier: EarlierQuote | undefined,
): AnsweredVerdict {
  const verdict = judgeBoxQuote(crypto, keys.attestationKey, answer.tpm, boxQuoteQualifier(answer));
  if (verdict.status === 'refused')
    return { status: 'refused', detail: `the quote of the box is refused (${verdict.reason}): ${verdict.detail}` };
  const contradictions = earlier ? quoteContradictions(earlier.moment, verdict.moment) : [];
  const contradiction = contradictions.find(({ reason }) => earlier?.of === 'run' || reason === 'register-changed');
  if (contradiction) return { status: 'refused', detail: `${contradiction.detail} (${contradiction.reason})` };
  return verdict;
}

/** @param isFrozen whether the logs fit frozen reference values */
export function levelOf({ certified }: JudgedBoxKeys, isActivated: boolean, isFrozen: boolean): TrustLevel {
  if (!isActivated || !isFrozen || certified === 'nobody') return 'self-reported';
  return certified === 'hardware' ? 'tpm-measured' : 'software-tpm';
}

/** @returns a sentence, where a capsule asks for more than its run has shown so far */
export function trustLacking(manifest: Uint8Array | undefined, standing: BoxStanding | undefined): string | undefined {
  const decoded = manifest && decodeManifest(manifest);
  if (decoded?.status !== 'decoded') return undefined;
  const { trust } = decoded.value.policy;
  const level = standing?.level ?? 'self-reported';
  return satisfies(level, trust) ? undefined : `the box is ${level} by its measurements of this run; the capsule asks for ${trust}`;
}
