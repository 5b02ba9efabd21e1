/** Applications for membership: which stand, and which give way to others. Pure. Specification §11.5. */
import { admissionCommitteeSize } from '#protocol/chain/public-draw.ts';
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import type { TransactionOf } from '#protocol/chain/transaction.ts';
import { decodeStrict, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { judgeMemberCard, MemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest, nodeIdOf, type Member } from '#protocol/network.ts';
import { GOSSIP_LEVEL } from '#protocol/topics.ts';
import { withRecord } from './member-identity.ts';
import type { Place } from './position.ts';
import { applied, refused, type Outcome, type Refusal } from './transaction-refusal.ts';

/** A card made for this network's salt, of a chip that was never a member. What is cheap comes before the signatures. */
export function applyApplication(state: ChainState, { card }: TransactionOf<'application'>, place: Place): Outcome {
  const decoded = decodeStrict(MemberCard, card, LIMITS.signedBytesMax);
  if (decoded.status === 'malformed') return refused('card-malformed', decoded.detail);
  const room = roomFor(state, decoded.value.member, place.height);
  if (room.status === 'refused') return room;
  const { genesis } = place.context.network;
  const founding = { salt: genesis.salt, authorities: genesis.endorsementAuthorities, crypto: place.context.crypto, atMs: place.timeMs };
  const verdict = judgeMemberCard(card, founding);
  if (verdict.status === 'refused') return refused(`card-${verdict.reason}`, verdict.detail);
  const { member, keys } = verdict;
  const nothingYet = { drawsFromEpoch: 0, vouchedBy: [], keys: [], votedIn: 0, boxesSerial: 0 };
  const record: MemberRecord = { node: keys.node, member, standing: 'applicant', appliedHeight: place.height, ...nothingYet };
  return applied(withRecord(room.state, record));
}

/** Without the applicants that have not become members in time: they may apply again. */
export function withoutStaleApplications(state: ChainState, height: number): ChainState {
  return without(
    state,
    applicantsIn(state).filter(({ appliedHeight = 0 }) => height - appliedHeight >= LIMITS.applicationKeepHeights),
  );
}

type Room = { readonly status: 'free'; readonly state: ChainState } | Refusal;

/** The state without the applications that give way to this one. */
function roomFor(state: ChainState, member: Member, height: number): Room {
  const applicants = applicantsIn(state);
  if (applicants.some(({ appliedHeight }) => appliedHeight === height))
    return refused('application-waits', `the block has an application already; one stands in each`);
  const node = nodeIdOf(member.endorsementKey);
  const rivals = [...state.members.values()].filter((known) => sameBytes(known.node, node) || known.member.name === member.name);
  const holder = rivals.find((rival) => !givesWay(state, rival, height) || sameBytes(memberDigest(rival.member), memberDigest(member)));
  if (holder && sameBytes(holder.node, node))
    return refused('node-known', `${hex(node)} has applied or been a member already; a chip comes once`);
  if (holder || member.name === GOSSIP_LEVEL) return refused('name-taken', `another has the name "${member.name}"`);
  const unvouched = applicants.filter((applicant) => !rivals.includes(applicant) && !isVouchedFor(state, applicant));
  const crowded = unvouched.length >= LIMITS.applicationsOpenMax ? unvouched.slice(0, 1) : [];
  const left = without(state, [...rivals, ...crowded]);
  if (left.members.size >= LIMITS.chainMembersMax)
    return refused('members-full', `${left.members.size} members and applicants are known; at most ${LIMITS.chainMembersMax} are`);
  return { status: 'free', state: left };
}

/** The oldest first. */
function applicantsIn({ members }: ChainState): MemberRecord[] {
  const applicants = [...members.values()].filter(({ standing }) => standing === 'applicant');
  return applicants.sort((left, right) => (left.appliedHeight ?? 0) - (right.appliedHeight ?? 0));
}

/** Time enough for the members to verify a chip, had it applied and not somebody with its certificate. */
function givesWay(state: ChainState, record: MemberRecord, height: number): boolean {
  const { standing, appliedHeight = height } = record;
  return standing === 'applicant' && !isVouchedFor(state, record) && height - appliedHeight >= LIMITS.applicationStandsHeights;
}

/** By more of those who admit than may be faulty (§13.5), so that at least one has activated the key. */
function isVouchedFor({ core }: ChainState, { vouchedBy }: MemberRecord): boolean {
  return vouchedBy.length > Math.floor((admissionCommitteeSize(core.seats) - 1) / 3);
}

function without(state: ChainState, records: readonly MemberRecord[]): ChainState {
  return records.reduce((left, { node }) => ({ ...left, members: left.members.without(hex(node)) }), state);
}
