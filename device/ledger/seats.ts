/** Seats: what blocks change about them, and when it counts. Pure. Specification §11.5. */
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { admissionCommittee, admissionCommitteeSize } from '#protocol/chain/public-draw.ts';
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { firstDrawingEpoch } from './epochs.ts';
import { recordOf, withRecord } from './member-identity.ts';
import { newcomerTrust } from './member-trust.ts';
import type { Place } from './position.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** Node ids in their order: the seats as they stand with all that blocks have changed. */
export function seatsToCome(state: ChainState): readonly Uint8Array[] {
  return state.core.seatsToCome.at(-1)?.seats ?? state.core.seats;
}

export function hasSeat(state: ChainState, node: Uint8Array): boolean {
  return includes(state.core.seats, node);
}

/** Node ids whose word admits newcomers in the next block of this state's epoch. @param network its id */
export function admittingIn({ core }: ChainState, network: Uint8Array): readonly Uint8Array[] {
  return admissionCommittee(network, core.epoch, core.seats);
}

/** Of a member whose vote stands in one of the last certificates; while there are few, of every member. */
export function hasVotedLately({ core }: ChainState, { votedIn }: MemberRecord): boolean {
  return core.checkpoint.number < LIMITS.voteSilenceMax || core.checkpoint.number - votedIn < LIMITS.voteSilenceMax;
}

/** The member is gone, with its boxes; its seat is in force until a checkpoint says otherwise. */
export function withoutMember(state: ChainState, record: MemberRecord, standing: 'left' | 'expelled', height: number): Outcome {
  const name = hex(record.node);
  const seats = seatsToCome(state);
  const rest = seats.filter((seat) => hex(seat) !== name);
  if (rest.length === 0) return refused('last-seat', `${record.member.name} has the last seat; a network has at least one`);
  const changed = rest.length === seats.length ? state : withSeats(state, rest, height);
  if (!changed) return tooManyChanges();
  return applied(withRecord({ ...changed, boxes: withoutBoxesOf(changed, name) }, { ...record, standing }));
}

/** Applicants for whom more than two thirds of those have vouched who admit in this epoch become members, as far as seats can change. */
export function withAdmitted(
  state: ChainState,
  { context: { network, networkId }, height }: Pick<Place, 'context' | 'height'>,
): ChainState {
  const { trust } = network.genesis;
  const quorum = quorumOf(admissionCommitteeSize(state.core.seats));
  const hopeful = [...state.members.values()].filter(({ standing, vouchedBy }) => standing === 'applicant' && vouchedBy.length >= quorum);
  if (hopeful.length === 0) return state;
  const committee = admittingIn(state, networkId);
  let admitted = state;
  for (const record of hopeful) {
    const vouching = record.vouchedBy.filter((node) => includes(committee, node) && recordOf(state, node)?.standing === 'member');
    if (vouching.length < quorum) continue;
    const changed = withSeats(admitted, inOrder([...seatsToCome(admitted), record.node]), height);
    const judged = trust && { trust: newcomerTrust(trust, state.core.checkpoint.number) };
    if (changed) admitted = withRecord(changed, { ...record, standing: 'member', ...judged });
  }
  return admitted;
}

/**
 * The seats of a checkpoint come into force.
 * @param checkpointHeight of the block that is the checkpoint. @param height of the block that certifies it
 */
export function withSeatsInForce(state: ChainState, checkpointHeight: number, height: number, epochHeights: number): ChainState {
  const { core } = state;
  const coming = core.seatsToCome.slice(
    Math.max(
      core.seatsToCome.findLastIndex(({ fromHeight }) => fromHeight <= checkpointHeight),
      0,
    ),
  );
  const seats = coming[0]?.seats ?? core.seats;
  if (seats === core.seats) return state;
  const known = new Set(core.seats.map(hex));
  const seated: ChainState = { ...state, core: { ...core, seats, seatsToCome: coming } };
  return seats
    .filter((node) => !known.has(hex(node)))
    .reduce((changed, node) => {
      const record = recordOf(changed, node);
      return record ? withRecord(changed, { ...record, drawsFromEpoch: firstDrawingEpoch(height, epochHeights) }) : changed;
    }, seated);
}

/** Without the member's seat from this block on: it stays a member (§18.6). */
export function withoutSeat(state: ChainState, { node, member }: MemberRecord, height: number): Outcome {
  const rest = seatsToCome(state).filter((seat) => !sameBytes(seat, node));
  if (rest.length === 0) return refused('last-seat', `${member.name} has the last seat; a network has at least one`);
  const changed = withSeats(state, rest, height);
  return changed ? applied(changed) : tooManyChanges();
}

/** With its seat again, as a newcomer's. */
export function withSeatBack(state: ChainState, { node }: MemberRecord, height: number): Outcome {
  const changed = withSeats(state, inOrder([...seatsToCome(state), node]), height);
  return changed ? applied(changed) : tooManyChanges();
}

/** Undefined where too many blocks have changed the seats since the last certified checkpoint. */
function withSeats(state: ChainState, seats: readonly Uint8Array[], height: number): ChainState | undefined {
  const { core } = state;
  const earlier = core.seatsToCome.filter(({ fromHeight }) => fromHeight < height);
  if (earlier.length >= LIMITS.seatChangesMax) return undefined;
  return { ...state, core: { ...core, seatsToCome: [...earlier, { fromHeight: height, seats: [...seats] }] } };
}

function tooManyChanges(): Outcome {
  return refused(
    'seat-changes-full',
    `${LIMITS.seatChangesMax} blocks have changed the seats since the last certified checkpoint; it has to be certified first`,
  );
}

function withoutBoxesOf(state: ChainState, name: string): ChainState['boxes'] {
  let { boxes } = state;
  for (const key of state.boxes.keys()) {
    if (key.startsWith(`${name}/`)) boxes = boxes.without(key);
  }
  return boxes;
}

function includes(seats: readonly Uint8Array[], node: Uint8Array): boolean {
  const name = hex(node);
  return seats.some((seat) => hex(seat) === name);
}

function inOrder(nodes: readonly Uint8Array[]): Uint8Array[] {
  return [...nodes].sort((left, right) => (hex(left) < hex(right) ? -1 : 1));
}
