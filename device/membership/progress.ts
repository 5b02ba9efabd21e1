/** How far a request about membership has come, by what the chain says. Pure. Specification §11.5. */
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { admissionCommitteeSize } from '#protocol/chain/public-draw.ts';
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import { Member, memberDigest, nodeIdOf } from '#protocol/network.ts';
import { admittingIn } from '../ledger/seats.ts';

/** Two sights of the chain: what is final, and what this member thinks comes. */
export interface Sights {
  readonly finalised: ChainState;
  readonly head: ChainState;
}

export type Stage = 'unknown' | 'in-block' | 'final' | 'in-force';

export interface Progress {
  readonly stage: Stage;
  readonly member?: string;
  /** Names. With more than 64 seats not all of them may count in this epoch (§11.5). */
  readonly vouchedBy: readonly string[];
  readonly needed: number;
  /** Member digest of an applicant (§11.5). */
  readonly applicant?: Uint8Array;
}

/** Of the application with this card: `unknown` also where another card of the same chip is known. */
export function admissionProgress(card: Uint8Array, sights: Sights): Progress {
  const decoded = decodeStrict(MemberCard, card, LIMITS.signedBytesMax);
  if (decoded.status === 'malformed') return { stage: 'unknown', ...nobody };
  const { member } = decoded.value;
  const node = nodeIdOf(member.endorsementKey);
  // Who is gone on the branch of the head is gone, though it has its seat until a checkpoint says so.
  const coming = sameMember(sights.head, node, member);
  if (!coming) return { stage: 'unknown', member: member.name, ...nobody };
  const final = sameMember(sights.finalised, node, member);
  const { members, core } = sights.finalised;
  const vouchedBy = (final ?? coming).vouchedBy.flatMap((by) => members.get(hex(by))?.member.name ?? []);
  const applicant = coming.standing === 'applicant' && { applicant: memberDigest(member) };
  const stage = !final ? 'in-block' : holds(core.seats, node) ? 'in-force' : 'final';
  return {
    stage,
    member: member.name,
    vouchedBy,
    needed: quorumOf(admissionCommitteeSize(core.seats)),
    ...applicant,
  };
}

/** With the checkpoint that holds it the others vote without this device, and talk to it no more. */
export function leaveProgress(node: Uint8Array, { finalised, head }: Sights): Progress {
  const key = hex(node);
  const name = finalised.members.get(key)?.member.name ?? head.members.get(key)?.member.name;
  const about = { ...(name === undefined ? {} : { member: name }), ...nobody };
  if (isGone(finalised.members.get(key))) return { stage: 'in-force', ...about };
  return { stage: isGone(head.members.get(key)) ? 'in-block' : 'unknown', ...about };
}

/** Applicants that others admit in this epoch, as this device has no seat among those who do. @param network its id. @param node of this device */
export function leftToOthers(state: ChainState, network: Uint8Array, node: Uint8Array): Uint8Array[] {
  if (admittingIn(state, network).some((admitting) => sameBytes(admitting, node))) return [];
  return [...state.members.values()].filter(({ standing }) => standing === 'applicant').map((record) => record.node);
}

/** What this device is to its network, in a word for its operator. */
export type OwnStanding = 'no-application' | 'applicant' | 'waits-for-seat' | 'seated' | 'demoted' | 'left' | 'expelled';

export function ownStanding(node: Uint8Array, { members, core }: ChainState): OwnStanding {
  const record = members.get(hex(node));
  if (!record) return 'no-application';
  if (record.standing !== 'member') return record.standing;
  if (holds(core.seats, node)) return 'seated';
  return record.trust?.demotedHeight === undefined ? 'waits-for-seat' : 'demoted';
}

const nobody = { vouchedBy: [], needed: 0 } as const;

/** Whoever is gone does not come back with the same card. */
function sameMember({ members }: ChainState, node: Uint8Array, member: Member): MemberRecord | undefined {
  const record = members.get(hex(node));
  return record && !isGone(record) && hex(encodeStrict(Member, record.member)) === hex(encodeStrict(Member, member)) ? record : undefined;
}

function isGone(record: MemberRecord | undefined): boolean {
  return record?.standing === 'left' || record?.standing === 'expelled';
}

function holds(seats: readonly Uint8Array[], node: Uint8Array): boolean {
  const name = hex(node);
  return seats.some((seat) => hex(seat) === name);
}
