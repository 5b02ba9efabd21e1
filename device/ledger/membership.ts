/** Who becomes a member and who leaves. Pure. Specification §11.5. */
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest } from '#protocol/network.ts';
import { recordOf, withRecord } from './member-identity.ts';
import type { Place } from './position.ts';
import { admittingIn, hasSeat, withAdmitted, withoutMember } from './seats.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** @param by a member, whose signature was checked */
export function applyVouch(state: ChainState, by: Uint8Array, { applicant }: ActionOf<'vouch'>, { context, height }: Place): Outcome {
  if (!hasSeat(state, by)) return refused('no-seat', `${hex(by)} has no seat in force, so its word for an applicant does not count`);
  if (!admittingIn(state, context.networkId).some((node) => sameBytes(node, by)))
    return refused('not-drawn', `${hex(by)} is not among the ${LIMITS.admissionCommitteeSize} seats that admit newcomers in this epoch`);
  const record = applicantOf(state, applicant);
  if (!record) return refused('applicant-unknown', `${hex(applicant)} is not the card of an applicant`);
  if (record.vouchedBy.some((node) => hex(node) === hex(by)))
    return refused('already-vouched', `${hex(by)} has vouched for this applicant`);
  return applied(withAdmitted(withRecord(state, { ...record, vouchedBy: [...record.vouchedBy, by] }), { context, height }));
}

/** By its card: a word for one must not count for another of the same chip. */
function applicantOf({ members }: ChainState, card: Uint8Array): MemberRecord | undefined {
  return members.values().find(({ standing, member }) => standing === 'applicant' && sameBytes(memberDigest(member), card));
}

export function applyLeave(state: ChainState, by: Uint8Array, { height }: Place): Outcome {
  const record = recordOf(state, by);
  return record ? withoutMember(state, record, 'left', height) : refused('not-a-member', `${hex(by)} is not known`);
}
