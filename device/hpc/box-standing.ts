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
import { BoxKeys, type BoxLevel, type BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import { quoteContradictions } from '#protocol/measured-box/quote-continuity.ts';
import { fixedBytes, struct, type Infer } from '#protocol/schema.ts';

/** As a receipt shows it. */
export interface BoxStanding {
  readonly level: BoxLevel;
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

/** A TPM is its endorsement key; a new attestation key is activated anew. */
export function isSameTpm(left: BoxKeys, right: BoxKeys): boolean {
  return sameBytes(left.endorsementKey, right.endorsementKey);
}

export function isSameKeys(left: BoxKeys, right: BoxKeys): boolean {
  return isSameTpm(left, right) && sameBytes(left.attestationKey, right.attestationKey);
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

/** The quote of an answer, and whether it goes on from the run's last one. */
export function judgeAnsweredQuote(
  crypto: Crypto,
  keys: JudgedBoxKeys,
  answer: AnsweredQuote,
  earlier: BoxMoment | undefined,
): AnsweredVerdict {
  const verdict = judgeBoxQuote(crypto, keys.attestationKey, answer.tpm, boxQuoteQualifier(answer));
  if (verdict.status === 'refused')
    return { status: 'refused', detail: `the quote of the box is refused (${verdict.reason}): ${verdict.detail}` };
  const [contradiction] = earlier ? quoteContradictions(earlier, verdict.moment) : [];
  if (contradiction) return { status: 'refused', detail: `${contradiction.detail} (${contradiction.reason})` };
  return verdict;
}

/** @param isFrozen whether the logs fit frozen reference values */
export function levelOf({ certified }: JudgedBoxKeys, isActivated: boolean, isFrozen: boolean): BoxLevel {
  if (!isActivated || !isFrozen || certified === 'nobody') return 'self-reported';
  return certified === 'hardware' ? 'tpm-measured' : 'software-tpm';
}

export function lesserLevel(left: BoxLevel, right: BoxLevel): BoxLevel {
  const order: readonly BoxLevel[] = ['self-reported', 'software-tpm', 'tpm-measured'];
  return order.indexOf(left) <= order.indexOf(right) ? left : right;
}
