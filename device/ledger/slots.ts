/** What the first block of a slot does: who was silent, who judges from here on. Pure. Specification §11.4, §18.1, §18.3. */
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import { slotOf } from '#protocol/chain/trust-slots.ts';
import { isSuspended, type MemberTrust, type SlotDraw } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { TrustParameters } from '#protocol/network.ts';
import { changedCredit, weightOf } from './credit.ts';
import { recordOf } from './member-identity.ts';
import { slotIn } from './member-trust.ts';
import { hasVotedLately } from './seats.ts';

/** The state with the slot of this height begun, if the height begins one. @param trust of the genesis */
export function withSlotBegun(state: ChainState, height: number, trust: TrustParameters | undefined): ChainState {
  if (!trust || height % trust.slotHeights !== 0) return state;
  const slot = slotOf(height, trust.slotHeights);
  const qualified = qualifiedIn(state.core.draws?.at(-1));
  let { members } = state;
  for (const [key, record] of state.members) {
    if (!record.trust) continue;
    const silent = qualified.has(key) && isSilent(state, record.trust, trust);
    members = members.with(key, { ...record, trust: inSlot(record.trust, slot, silent) });
  }
  return withSlotDrawn({ ...state, members }, slot);
}

/** The state with the seats of the slot, and the weight of each. */
export function withSlotDrawn(state: ChainState, slot: number): ChainState {
  const { seats, epoch, draws = [] } = state.core;
  const weights = Uint8Array.from(seats, (node) => qualifiedWeight(state, recordOf(state, node)));
  const drawn = { slot, seed: epoch.seed, seats, weights };
  return { ...state, core: { ...state.core, draws: [...draws, drawn].slice(-LIMITS.trustSlotsKept) } };
}

/** Nodes that could be drawn. */
function qualifiedIn(draw: SlotDraw | undefined): ReadonlySet<string> {
  return new Set(draw?.seats.filter((_, index) => (draw.weights[index] ?? 0) > 0).map(hex));
}

function qualifiedWeight(state: ChainState, record: MemberRecord | undefined): number {
  if (record?.standing !== 'member' || !record.trust || isSuspended(record.trust)) return 0;
  return hasVotedLately(state, record) ? weightOf(record.trust.credit) : 0;
}

/** Counted in checkpoints: a partition, in which none is certified, charges nobody, and who could not be drawn is charged for nothing. */
function isSilent({ core }: ChainState, { judgedIn }: MemberTrust, { trustedCheckpoints }: TrustParameters): boolean {
  return core.checkpoint.number - judgedIn > trustedCheckpoints;
}

function inSlot(trust: MemberTrust, slot: number, silent: boolean): MemberTrust {
  const isUnreachable = trust.word === 'trusted' && !slotIn(trust, slot - 1);
  return {
    ...trust,
    word: isUnreachable ? 'unreachable' : trust.word,
    credit: silent ? changedCredit(trust.credit, 'silent') : trust.credit,
    slots: trust.slots.filter((known) => known.slot > slot - LIMITS.trustSlotsKept),
  };
}
