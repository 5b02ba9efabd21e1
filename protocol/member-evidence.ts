/**
 * Evidence that a member puts on the chain, and what one judge finds it worth; nothing but the evidence, a branch's certified checkpoints
 * and the references are needed. Specification §18.2, §18.4.
 */
import type { BootKey } from './chain/boot-key.ts';
import { Height } from './chain/finality-certificate.ts';
import { decodeStrict, encodeStrict, sameBytes, type Decoded } from './codec.ts';
import type { DiscontinuityReason } from './continuity.ts';
import type { Crypto } from './crypto.ts';
import { blobDigest, Digest, domainDigest, uint64 } from './digest.ts';
import { LIMITS } from './limits.ts';
import { judgeMeasuredBoot, MeasuredEvent, Registers, replayRegister, eventExtension, type MeasuredBootRefusal } from './measured-boot.ts';
import { judgeMeasuredQuote } from './measured-quote.ts';
import { attestationKeyOf } from './member-keys.ts';
import { nodeIdOf, type Member, type Reference } from './network.ts';
import { bytes, fixedBytes, list, struct, type Infer } from './schema.ts';
import type { AttestationRefusal } from './tpm/attestation.ts';
import { decodeAttestOf } from './tpm/attest.ts';

const TpmStructure = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

export const MemberEvidence = struct({
  /** Makes it fresh: the last that was certified below the moment, or a later one. */
  checkpoint: struct({ number: Height, block: Digest }),
  /** Ed25519; the one that signs the action. */
  operationalKey: fixedBytes(32),
  /** TPMS_ATTEST and TPMT_SIGNATURE of TPM2_Quote over PCRs 8 and 14, qualifying data `memberEvidenceQualifier`. */
  quote: TpmStructure,
  quoteSignature: TpmStructure,
  pcrs: Registers,
  eventLog: list(MeasuredEvent, { max: LIMITS.measuredEventsMax }),
});
export type MemberEvidence = Infer<typeof MemberEvidence>;

export function encodeMemberEvidence(evidence: MemberEvidence): Uint8Array {
  return encodeStrict(MemberEvidence, evidence);
}

export function decodeMemberEvidence(encoded: Uint8Array): Decoded<MemberEvidence> {
  return decodeStrict(MemberEvidence, encoded, LIMITS.memberEvidenceBytesMax);
}

/** Qualifying data of the quote. @param network its id */
export function memberEvidenceQualifier(
  network: Uint8Array,
  node: Uint8Array,
  { checkpoint, operationalKey }: Pick<MemberEvidence, 'checkpoint' | 'operationalKey'>,
): Uint8Array {
  return domainDigest('member-evidence', network, uint64(checkpoint.number), checkpoint.block, node, operationalKey);
}

/** The evidence's name: verdicts and layer 1 know it by this (§20.1). */
export function memberEvidenceDigest({ quote, quoteSignature, pcrs, eventLog, checkpoint, operationalKey }: MemberEvidence): Uint8Array {
  const log = domainDigest('anchor-event-log', ...eventLog.flatMap(({ kind, digest }) => [encoder.encode(kind), digest]));
  const quoted = [blobDigest(quote), blobDigest(quoteSignature), pcrs.pcr8, pcrs.pcr14];
  return domainDigest('anchor-evidence', ...quoted, log, uint64(checkpoint.number), checkpoint.block, operationalKey);
}

/** The boot that the quote claims; undefined where it is no quote. Whether the chip says so is the judges' to see. */
export function claimedBoot({ quote, operationalKey: key }: MemberEvidence): BootKey | undefined {
  const decoded = decodeAttestOf('quote', quote);
  if (decoded.status !== 'decoded') return undefined;
  const { resetCount, restartCount } = decoded.value.clockInfo;
  return { key, resetCount, restartCount };
}

/** Whether the event log comes to PCR 14. */
export function doesLogReplay({ pcrs, eventLog }: MemberEvidence): boolean {
  return sameBytes(replayRegister(eventLog.map(eventExtension)), pcrs.pcr14);
}

export interface MemberEvidenceContext {
  readonly crypto: Crypto;
  /** Network id. */
  readonly network: Uint8Array;
  /** The subject's card, from the state. */
  readonly member: Member;
  readonly references: readonly Reference[];
  /** Chain time of the block that holds the evidence, Unix ms; while none does, that which the next would have (§11.2). */
  readonly atMs: number;
  /** Number of the last checkpoint certified on the branch below the moment's height. */
  readonly checkpointAtMoment: number;
  /** Block of a certified checkpoint of the branch, as far as the judge holds it. */
  readonly checkpointBlock: (number: number) => Uint8Array | undefined;
  /** Of the subject's last evidence that was trusted. */
  readonly boot?: BootKey | undefined;
}

type QuoteRefusal = Extract<ReturnType<typeof judgeMeasuredQuote>, { status: 'refused' }>['reason'];
type BadQuote = Exclude<QuoteRefusal, AttestationRefusal>;
export type BadEvidence = `quote-${BadQuote}` | MeasuredBootRefusal;
export type DisputedEvidence = Exclude<DiscontinuityReason, 'time-went-back'>;
export type SilentEvidence = 'malformed' | 'keys-unusable' | 'checkpoint-unknown' | 'checkpoint-too-old' | `quote-${AttestationRefusal}`;

type Said<Word extends string, Reason extends string> = { readonly word: Word; readonly reason: Reason; readonly detail: string };

export type MemberEvidenceVerdict =
  | { readonly word: 'trusted'; readonly boot: BootKey; readonly measured: readonly Reference[] }
  | Said<'untrusted', BadEvidence>
  | Said<'disputed', DisputedEvidence>
  /** Nothing is said: anybody could have made it. */
  | Said<'none', SilentEvidence>;

/** Judges foreign bytes; anything that is wrong with them is a word, or none. */
export function judgeMemberEvidence(encoded: Uint8Array, context: MemberEvidenceContext): MemberEvidenceVerdict {
  const decoded = decodeMemberEvidence(encoded);
  if (decoded.status === 'malformed') return { word: 'none', reason: 'malformed', detail: decoded.detail };
  const evidence = decoded.value;
  const foreign = checkpointFault(evidence, context);
  if (foreign) return foreign;
  const { crypto, network, member } = context;
  const key = attestationKeyOf(member, crypto);
  if (!key) return { word: 'none', reason: 'keys-unusable', detail: `the keys of ${member.name} have not the templates` };
  const quote = judgeMeasuredQuote(crypto, key, evidence, memberEvidenceQualifier(network, nodeIdOf(member.endorsementKey), evidence));
  if (quote.status === 'refused') return saidOfQuote(quote.reason, quote.detail);
  const shown = { registers: evidence.pcrs, eventLog: evidence.eventLog, operationalKey: evidence.operationalKey };
  const measured = judgeMeasuredBoot(shown, context.references, context.atMs);
  if (measured.status === 'refused') return { word: 'untrusted', reason: measured.reason, detail: measured.detail };
  const { resetCount, restartCount } = quote.clockInfo;
  const boot = { key: evidence.operationalKey, resetCount, restartCount };
  return contradictionOf(context.boot, boot) ?? { word: 'trusted', boot, measured: measured.measured };
}

function checkpointFault(
  { checkpoint: { number, block } }: MemberEvidence,
  { checkpointAtMoment, checkpointBlock }: MemberEvidenceContext,
): Said<'none', SilentEvidence> | undefined {
  const known = checkpointBlock(number);
  if (!known || !sameBytes(known, block))
    return {
      word: 'none',
      reason: 'checkpoint-unknown',
      detail: `checkpoint ${number} of this branch is not the one that is named, or not known yet`,
    };
  if (number >= checkpointAtMoment) return undefined;
  const detail = `checkpoint ${number}; at its moment ${checkpointAtMoment} was certified, so the quote may be from before`;
  return { word: 'none', reason: 'checkpoint-too-old', detail };
}

/** Signature and qualifying data come first, so what fails after them is the chip's own word. */
function saidOfQuote(reason: QuoteRefusal, detail: string): MemberEvidenceVerdict {
  switch (reason) {
    case 'other-pcr-selection':
    case 'other-pcr-values':
    case 'pcr-not-extended':
      return { word: 'untrusted', reason: `quote-${reason}`, detail };
    default:
      return { word: 'none', reason: `quote-${reason}`, detail };
  }
}

/** One chip has one history (§3.7), here without Time, which a quote does not hold. */
function contradictionOf(last: BootKey | undefined, now: BootKey): Said<'disputed', DisputedEvidence> | undefined {
  if (!last) return undefined;
  const isKeySame = sameBytes(last.key, now.key);
  const counts = `reset ${now.resetCount}, restart ${now.restartCount} after ${last.resetCount}, ${last.restartCount}`;
  if (now.resetCount < last.resetCount) return disputed('reset-count-went-back', `${counts}: the TPM was cleared, or copied`);
  if (now.resetCount > last.resetCount)
    return isKeySame
      ? disputed('operational-key-outlived-reset', `${counts} with one operational key; a reset demands a new one`)
      : undefined;
  if (now.restartCount < last.restartCount) return disputed('restart-count-went-back', counts);
  if (now.restartCount > last.restartCount || isKeySame) return undefined;
  return disputed('second-operational-key', `two operational keys under reset ${now.resetCount}; one chip has one a boot`);
}

function disputed(reason: DisputedEvidence, detail: string): Said<'disputed', DisputedEvidence> {
  return { word: 'disputed', reason, detail };
}

const encoder = new TextEncoder();
