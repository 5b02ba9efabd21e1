/** The judgements under way: which slots of which members are judged at which level, by whom, until when. Pure. Specification §18.3, §18.6. */
import { judgesOf } from '#protocol/chain/judges.ts';
import { slotOf } from '#protocol/chain/trust-slots.ts';
import { isSuspended, type JudgedSlot, type SlotDraw } from '#protocol/chain/trust-state.ts';
import { verdictInstance, verdictValue, type VerdictWord } from '#protocol/chain/verdict.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { judgedMember, laterVerdict, slotIn, type JudgedMember } from '../ledger/member-trust.ts';
import type { Position } from '../ledger/position.ts';
import type { CastBallot } from '../votes/decision.ts';
import { startDecision } from '../votes/machine.ts';
import { voteTimes } from '../votes/decision-state.ts';
import { decodeVoteRecord } from '../votes/vote-record.ts';
import { firstHeard, oldestSlot, wordFor } from './judged-evidence.ts';
import type { Case, TrustState } from './state.ts';

/** Opens what may be judged of the evidence that is known, and closes what the chain has, or what is over. */
export function followCases(state: TrustState): void {
  const { head } = state;
  if (!head) return;
  for (const { subject, slot } of [...state.evidence.values()]) {
    const record = judgedMember(head.state, Uint8Array.fromHex(subject));
    if (record) for (const level of [0, 1] as const) openCase(state, record.node, slot, level);
  }
  const oldest = oldestSlot(state);
  for (const [instance, one] of state.cases) {
    if (one.slot < oldest) state.cases.delete(instance);
    else one.closed = isOver(state, head, one);
  }
}

/** Below the slots that are still judged on the branch of the last certified checkpoint, no branch leads back. */
export function forgetVotes(state: TrustState): void {
  const { head, setup } = state;
  const finalSlot = slotOf(head?.state.core.checkpoint.height ?? 0, setup.trust.slotHeights);
  const belowSlot = finalSlot - LIMITS.trustSlotsKept + 1;
  if (belowSlot <= state.votesFromSlot) return;
  state.votesFromSlot = belowSlot;
  for (const [instance, { slot }] of state.kept) if (slot < belowSlot) state.kept.delete(instance);
  state.outbox.push({ effect: 'forgetVotes', belowSlot });
}

/** What this judge votes for, as far as it has judged it: its word for the evidence on the branch, or before there is any, heard first. */
export function candidateOf(state: TrustState, one: Case): { readonly word: VerdictWord; readonly value: Uint8Array } | undefined {
  const { head } = state;
  const record = head && judgedMember(head.state, one.subject);
  if (!head || !record || !isOpenTo(head, record, one)) return undefined;
  const shown = slotIn(record.trust, one.slot);
  const heard = one.level === 0 && !shown ? firstHeard(state, { subject: hex(one.subject), slot: one.slot }) : undefined;
  const digest = shown?.evidence ?? heard?.digest;
  const word = digest && wordFor(state, one.subject, one.slot, digest);
  return word && { word, value: verdictValue(word, digest) };
}

/** Whether ballots of this judge count: who is suspended judges nobody but itself at level 0 (§18.3). */
export function mayJudge({ head }: TrustState, node: string, { level, subject, judges }: Case): boolean {
  if (!head || !judges.weights.has(node)) return false;
  const record = head.state.members.get(node);
  if (record?.standing !== 'member') return false;
  return level === 1 || node === hex(subject) || !record.trust || !isSuspended(record.trust);
}

/** The judged slot of a case, as the head has it. */
export function judgedSlotOf({ head }: TrustState, { subject, slot }: Case): JudgedSlot | undefined {
  const record = head && judgedMember(head.state, subject);
  return record && slotIn(record.trust, slot);
}

/** Anew where the branch has another draw: what this judge has kept of its votes stays, and forbids a second ballot; others say theirs again. */
function openCase(state: TrustState, subject: Uint8Array, slot: number, level: 0 | 1): void {
  const { head, setup, networkId } = state;
  const instance = verdictInstance(networkId, { subject, slot, level });
  const key = hex(instance);
  const draw = head?.state.core.draws?.find((known) => known.slot === slot);
  const known = state.cases.get(key);
  if (!draw || (known && isSameDraw(known.draw, draw))) return;
  if (known) state.seen.clear();
  const judges = judgesOf(networkId, draw, { subject, slot, level }, setup.trust.judges);
  const kept = state.kept.get(key);
  const record = kept && decodeVoteRecord(kept.votes);
  const isOwn = slot >= state.votesFromSlot;
  const decision = startDecision({
    instance,
    voters: { weights: judges.weights, total: judges.total },
    ...voteTimes(setup.network.genesis.consensus.targetIntervalMs),
    ...(isOwn && { self: state.self }),
    ...(record?.status === 'decoded' && { kept: record.value }),
  });
  state.cases.set(key, {
    ...{ subject, slot, level, instance, draw, judges, decision, closed: false, candidate: '', decided: undefined },
    ...{ precommits: new Map(), said: known?.said ?? new Map<string, Map<string, CastBallot>>(), slots: new Map() },
  });
}

function isSameDraw(one: SlotDraw, other: SlotDraw): boolean {
  if (one === other) return true;
  const isSameList =
    one.seats.length === other.seats.length && one.seats.every((seat, index) => sameBytes(seat, other.seats[index] ?? seat));
  return isSameList && sameBytes(one.seed, other.seed) && sameBytes(one.weights, other.weights);
}

/** Level 0 begins with the evidence; level 1 when the chain would take its verdict (§18.6). */
function isOpenTo({ height }: Position, { trust }: JudgedMember, { level, slot }: Case): boolean {
  const shown = slotIn(trust, slot);
  if (level === 0) return !shown?.verdict && !shown?.closed;
  if (!shown?.verdict || shown.closed) return false;
  const { verdict, appealedBy } = shown;
  if (verdict.word !== 'trusted')
    return height + 1 >= verdict.height + LIMITS.revealHeights && laterVerdict(trust, slot)?.word !== 'trusted';
  return appealedBy !== undefined || trust.demotedHeight !== undefined;
}

/** Drawn judges have their slot and the next, all seats one more. */
function isOver({ setup }: TrustState, { state: chain, height }: Position, { subject, slot, level }: Case): boolean {
  const last = slot + LIMITS.trustSlotsKept - (level === 0 ? 2 : 1);
  const record = judgedMember(chain, subject);
  const shown = record && slotIn(record.trust, slot);
  const isJudged = shown?.closed !== undefined || (level === 0 && shown?.verdict !== undefined);
  return !record || isJudged || slotOf(height + 1, setup.trust.slotHeights) > last;
}
