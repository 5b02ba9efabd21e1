/** Evidence of members that this one has heard, and the word that it finds for each piece. Pure. Specification §18.4. */
import { decodeAction } from '#protocol/chain/signed-action.ts';
import { decodeTransaction, type ActionOf } from '#protocol/chain/transaction.ts';
import { momentHeight, slotOf } from '#protocol/chain/trust-slots.ts';
import type { VerdictWord } from '#protocol/chain/verdict.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeMemberEvidence, judgeMemberEvidence, memberEvidenceDigest, type MemberEvidenceVerdict } from '#protocol/member-evidence.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { judgedMember, laterVerdict, slotIn } from '../ledger/member-trust.ts';
import { checkpointBelow, checkpointBlock } from './branch.ts';
import type { SlotSubject } from './events.ts';
import { TRUST_LIMITS } from './limits.ts';
import { reportOnce } from './outbox.ts';
import type { HeardEvidence, TrustState } from './state.ts';

/** Evidence is taken from wherever it comes; that its author, slot and moment are right the pool, or the block, has seen. */
export function hearTransaction(state: TrustState, encoded: Uint8Array): void {
  const transaction = decodeTransaction(encoded);
  if (transaction.status === 'malformed' || transaction.value.kind !== 'signed') return;
  const action = decodeAction(transaction.value.body);
  if (action.status === 'malformed' || action.value.action !== 'attestation') return;
  noteEvidence(state, transaction.value.by, action.value);
}

/** What is heard for a slot again and again fills only its own place: the chain takes one piece of a member and slot. */
function noteEvidence(state: TrustState, by: Uint8Array, { slot, moment, evidence }: ActionOf<'attestation'>): void {
  const decoded = decodeMemberEvidence(evidence);
  if (decoded.status === 'malformed' || slot < oldestSlot(state)) return;
  const [subject, digest] = [hex(by), memberEvidenceDigest(decoded.value)];
  const key = keyOf(subject, slot, digest);
  if (state.evidence.has(key)) return;
  const ofSlot = [...state.evidence.keys()].filter((known) => known.startsWith(`${subject}/${slot}/`));
  for (const oldest of ofSlot.slice(0, Math.max(0, ofSlot.length - TRUST_LIMITS.evidencePerSlotMax + 1))) state.evidence.delete(oldest);
  const { crypto, trust } = state.setup;
  const from = momentHeight(vrfOutput(crypto, moment), slot, trust.slotHeights);
  const heard: HeardEvidence = { subject, slot, digest, momentHeight: from, encoded: evidence, word: undefined };
  state.evidence.set(key, heard);
  judge(state, heard);
}

/** What had no word at another head may have one now: it may name a checkpoint of which this member had not heard. */
export function judgeWaiting(state: TrustState): void {
  const oldest = oldestSlot(state);
  for (const [key, heard] of state.evidence) {
    if (heard.slot < oldest) state.evidence.delete(key);
    else judge(state, heard);
  }
}

/** This member's word for a piece of evidence; undefined where it has none. */
export function wordFor(state: TrustState, subject: Uint8Array, slot: number, digest: Uint8Array): VerdictWord | undefined {
  return state.evidence.get(keyOf(hex(subject), slot, digest))?.word;
}

/** The piece that was heard first. */
export function firstHeard(state: TrustState, { subject, slot }: SlotSubject): HeardEvidence | undefined {
  return state.evidence.values().find((heard) => heard.subject === subject && heard.slot === slot);
}

export function oldestSlot({ head, setup }: TrustState): number {
  return slotOf((head?.height ?? 0) + 1, setup.trust.slotHeights) - LIMITS.trustSlotsKept + 1;
}

function keyOf(subject: string, slot: number, digest: Uint8Array): string {
  return `${subject}/${slot}/${hex(digest)}`;
}

function judge(state: TrustState, heard: HeardEvidence): void {
  if (heard.encoded === undefined || !state.head) return;
  const member = judgedMember(state.head.state, Uint8Array.fromHex(heard.subject));
  const checkpointAtMoment = checkpointBelow(state, heard.momentHeight);
  if (!member || checkpointAtMoment === undefined) return;
  const verdict = judgeMemberEvidence(heard.encoded, {
    crypto: state.setup.crypto,
    network: state.networkId,
    member: member.member,
    references: state.setup.network.references,
    atMs: slotIn(member.trust, heard.slot)?.timeMs ?? state.head.timeMs,
    checkpointAtMoment,
    checkpointBlock: (number) => checkpointBlock(state, number),
    // What a later slot has shown says nothing about an earlier one.
    boot: laterVerdict(member.trust, heard.slot) ? undefined : member.trust.boot,
  });
  if (verdict.word !== 'trusted') tell(state, heard, verdict);
  if (verdict.word === 'none') return;
  heard.word = verdict.word;
  heard.encoded = undefined;
}

function tell(
  state: TrustState,
  { subject, slot, digest }: HeardEvidence,
  verdict: Exclude<MemberEvidenceVerdict, { word: 'trusted' }>,
): void {
  const { word, reason, detail } = verdict;
  reportOnce(state, `${word} ${reason} ${subject} ${slot} ${hex(digest)}`, {
    report: 'evidenceJudged',
    subject,
    slot,
    word,
    reason,
    detail,
  });
}
