/** What the state says of a member's trust, and how one rule changes it. Pure. Specification §18.6, §19. */
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import type { JudgedSlot, MemberTrust } from '#protocol/chain/trust-state.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { TrustParameters } from '#protocol/network.ts';
import { changedCredit, type CreditEvent } from './credit.ts';
import { recordOf, withRecord } from './member-identity.ts';

/** A member of a network whose members judge one another. */
export type JudgedMember = MemberRecord & { readonly trust: MemberTrust };

export function founderTrust({ trustedCheckpoints }: TrustParameters): MemberTrust {
  return { credit: LIMITS.creditOfFounder, attestedUntil: trustedCheckpoints, word: 'trusted', judgedIn: 0, slots: [] };
}

/** More than two thirds of the seats have just judged its evidence. @param checkpoint number of the last certified one */
export function newcomerTrust({ trustedCheckpoints }: TrustParameters, checkpoint: number): MemberTrust {
  return { credit: 0, attestedUntil: checkpoint + trustedCheckpoints, word: 'trusted', judgedIn: checkpoint, slots: [] };
}

/** Undefined where nobody of that id is a member that is judged. */
export function judgedMember(state: ChainState, node: Uint8Array): JudgedMember | undefined {
  const record = recordOf(state, node);
  return record?.standing === 'member' && record.trust ? { ...record, trust: record.trust } : undefined;
}

export function withTrust(state: ChainState, node: Uint8Array, change: Partial<MemberTrust>): ChainState {
  const record = recordOf(state, node);
  return record?.trust ? withRecord(state, { ...record, trust: { ...record.trust, ...change } }) : state;
}

export function withCredit(state: ChainState, nodes: readonly Uint8Array[], event: CreditEvent): ChainState {
  return nodes.reduce((changed, node) => {
    const trust = recordOf(changed, node)?.trust;
    return trust ? withTrust(changed, node, { credit: changedCredit(trust.credit, event) }) : changed;
  }, state);
}

export function slotIn({ slots }: MemberTrust, slot: number): JudgedSlot | undefined {
  return slots.find((known) => known.slot === slot);
}

/** Its slots, with this one in the place of the known. */
export function slotsWith({ slots }: MemberTrust, changed: JudgedSlot): JudgedSlot[] {
  return slots.map((known) => (known.slot === changed.slot ? changed : known));
}

/** The first verdict on a later slot that stands. */
export function laterVerdict({ slots }: MemberTrust, slot: number): JudgedSlot['verdict'] {
  return slots.findLast((known) => known.slot > slot && known.verdict && known.closed !== 'revealed')?.verdict;
}
