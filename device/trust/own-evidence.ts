/** What this member shows of itself: evidence when its moment has come, a planted challenge now and then, and the reveal. Pure. Specification §18.1, §18.2, §18.7. */
import { challengeAlpha, isPlanted, momentAlpha, momentHeight, slotOf } from '#protocol/chain/trust-slots.ts';
import { isSuspended, type JudgedSlot, type SlotDraw } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import { decodeMemberEvidence, encodeMemberEvidence } from '#protocol/member-evidence.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { judgedMember, slotIn, type JudgedMember } from '../ledger/member-trust.ts';
import type { Position } from '../ledger/position.ts';
import { act } from './acting.ts';
import { wrongBallots } from './appealing.ts';
import { reportOnce } from './outbox.ts';
import type { TrustState } from './state.ts';
import type { TrustTask } from './events.ts';

/** What the chip is to be asked next for this member's own evidence, if anything. */
export function ownTask(state: TrustState): TrustTask | undefined {
  const { head, setup } = state;
  const own = head && judgedMember(head.state, setup.node);
  if (!head || !own) return undefined;
  return revealTask(state, head, own) ?? evidenceTask(state, head, own);
}

/** The quote of the chip as an action: with its own event log, or where the slot is planted with one that does not come to PCR 14. */
export function ownEvidenceMade(state: TrustState, slot: number, evidence: Uint8Array): void {
  const { head, setup } = state;
  const draw = head?.state.core.draws?.find((known) => known.slot === slot);
  const own = head && judgedMember(head.state, setup.node);
  const moment = draw && proofOf(state, momentAlpha(state.networkId, draw));
  if (!head || !own || !draw || !moment || state.shownSlot === slot) return;
  const planted = isToPlant(state, head, own, draw);
  const shown = planted ? withOtherLog(evidence) : evidence;
  state.shownSlot = slot;
  act(state, { action: 'attestation', slot, moment, evidence: shown }, 'said');
  reportOnce(state, `shown ${slot}`, { report: 'evidenceShown', slot, planted });
}

/** To be called when the head has moved. */
export function revealOwn(state: TrustState): void {
  const { head, setup } = state;
  const own = head && judgedMember(head.state, setup.node);
  for (const judged of head && own ? toReveal(state, head, own) : []) {
    const draw = head?.state.core.draws?.find(({ slot }) => slot === judged.slot);
    const proof = draw && proofOf(state, challengeAlpha(state.networkId, draw));
    if (!proof || !isPlanted(vrfOutput(setup.crypto, proof), setup.trust.plantedOneIn)) continue;
    act(state, { action: 'reveal', slot: judged.slot, proof, wrong: wrongBallots(state, judged) }, 'said');
  }
}

/** Proofs of the slot's moment and challenge as soon as the slot has begun; the quote once the next block may hold it. */
function evidenceTask(state: TrustState, { state: chain, height }: Position, own: JudgedMember): TrustTask | undefined {
  const { setup, networkId } = state;
  const draw = chain.core.draws?.at(-1);
  if (!draw || slotOf(height + 1, setup.trust.slotHeights) !== draw.slot) return undefined;
  if (state.shownSlot === draw.slot || slotIn(own.trust, draw.slot)) return undefined;
  const alphas = [momentAlpha(networkId, draw), ...(setup.trust.plantedOneIn > 0 ? [challengeAlpha(networkId, draw)] : [])];
  const lacking = alphas.find((alpha) => !proofOf(state, alpha));
  if (lacking) return { task: 'prove', alpha: lacking };
  const moment = proofOf(state, momentAlpha(networkId, draw));
  if (!moment || height + 1 < momentHeight(vrfOutput(setup.crypto, moment), draw.slot, setup.trust.slotHeights)) return undefined;
  const { number, block } = chain.core.checkpoint;
  return { task: 'make-evidence', slot: draw.slot, checkpoint: { number, block } };
}

/** After a restart the proof that a slot was planted has to be made again. */
function revealTask(state: TrustState, head: Position, own: JudgedMember): TrustTask | undefined {
  for (const { slot } of toReveal(state, head, own)) {
    const draw = head.state.core.draws?.find((known) => known.slot === slot);
    const alpha = draw && challengeAlpha(state.networkId, draw);
    if (alpha && !proofOf(state, alpha)) return { task: 'prove', alpha };
  }
  return undefined;
}

/** Own slots with a log that differs: once they are judged, or nobody judges them any more and before they are forgotten. */
function toReveal({ setup }: TrustState, { height }: Position, { trust }: JudgedMember): JudgedSlot[] {
  if (setup.trust.plantedOneIn === 0) return [];
  const current = slotOf(height + 1, setup.trust.slotHeights);
  return trust.slots.filter(
    ({ slot, log, closed, verdict }) => log === 'differs' && !closed && (verdict !== undefined || slot + 1 < current),
  );
}

/**
 * A planted slot renews nothing, and until it is revealed its member judges nobody: so none is planted by a member whose trust would not
 * outlast the next slot, nor while another is suspended.
 */
function isToPlant(state: TrustState, { state: chain }: Position, { trust }: JudgedMember, draw: SlotDraw): boolean {
  const { setup, networkId } = state;
  const isAnySuspended = chain.members.values().some((record) => record.standing === 'member' && record.trust && isSuspended(record.trust));
  const lastsCheckpoints = trust.attestedUntil - chain.core.checkpoint.number;
  const isSafe = trust.word === 'trusted' && lastsCheckpoints > 2 * setup.trust.slotHeights && !isAnySuspended;
  const proof = proofOf(state, challengeAlpha(networkId, draw));
  return isSafe && proof !== undefined && isPlanted(vrfOutput(setup.crypto, proof), setup.trust.plantedOneIn);
}

/** The first digest with its first bit turned: nothing that this device has measured. */
function withOtherLog(encoded: Uint8Array): Uint8Array {
  const decoded = decodeMemberEvidence(encoded);
  if (decoded.status === 'malformed') return encoded;
  const [first, ...rest] = decoded.value.eventLog;
  if (!first) return encoded;
  const digest = first.digest.with(0, (first.digest[0] ?? 0) ^ 0x80);
  return encodeMemberEvidence({ ...decoded.value, eventLog: [{ ...first, digest }, ...rest] });
}

function proofOf({ desk }: TrustState, alpha: Uint8Array): Uint8Array | undefined {
  return desk.proofs.get(hex(alpha));
}
