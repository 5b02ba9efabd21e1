/** Who becomes a member and who leaves. Pure. Specification §11.5. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { ActionOf, TransactionOf } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { judgeMemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import { GOSSIP_LEVEL } from '#protocol/topics.ts';
import { recordOf, withRecord } from './member-identity.ts';
import type { Place } from './position.ts';
import { hasSeat, withAdmitted, withoutMember } from './seats.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** A card made for this network's salt, of a chip that was never here. What is cheap comes before the signatures. */
export function applyApplication(state: ChainState, { card }: TransactionOf<'application'>, place: Place): Outcome {
  if (state.members.size >= LIMITS.chainMembersMax)
    return refused('members-full', `${state.members.size} members and applicants are known; at most ${LIMITS.chainMembersMax} are`);
  const { genesis } = place.context.network;
  const founding = { salt: genesis.salt, authorities: genesis.endorsementAuthorities, crypto: place.context.crypto, atMs: place.timeMs };
  const verdict = judgeMemberCard(card, founding);
  if (verdict.status === 'refused') return refused(`card-${verdict.reason}`, verdict.detail);
  const { member, keys } = verdict;
  if (state.members.has(hex(keys.node)))
    return refused('node-known', `${hex(keys.node)} has applied or been a member already; a chip comes once`);
  if (isNameTaken(state, member.name)) return refused('name-taken', `another has the name "${member.name}"`);
  const nothingYet = { drawsFromEpoch: 0, vouchedBy: [], keys: [], votedIn: 0, boxesSerial: 0 };
  return applied(withRecord(state, { node: keys.node, member, standing: 'applicant', ...nothingYet }));
}

/** @param by a member, whose signature was checked */
export function applyVouch(state: ChainState, by: Uint8Array, { applicant }: ActionOf<'vouch'>, { height }: Place): Outcome {
  if (!hasSeat(state, by)) return refused('no-seat', `${hex(by)} has no seat in force, so its word for an applicant does not count`);
  const record = recordOf(state, applicant);
  if (record?.standing !== 'applicant') return refused('applicant-unknown', `${hex(applicant)} is no applicant`);
  if (record.vouchedBy.some((node) => hex(node) === hex(by)))
    return refused('already-vouched', `${hex(by)} has vouched for this applicant`);
  return applied(withAdmitted(withRecord(state, { ...record, vouchedBy: [...record.vouchedBy, by] }), height));
}

export function applyLeave(state: ChainState, by: Uint8Array, { height }: Place): Outcome {
  const record = recordOf(state, by);
  return record ? withoutMember(state, record, 'left', height) : refused('not-a-member', `${hex(by)} is not known`);
}

/** Names stand in topics and certificates, where two would be one; those of who is gone are not given again. */
function isNameTaken(state: ChainState, name: string): boolean {
  return name === GOSSIP_LEVEL || state.members.values().some(({ member }) => member.name === name);
}
