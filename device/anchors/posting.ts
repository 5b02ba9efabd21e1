/**
 * What a device does about the posts on one chain of layer 1: brings the next anchor when it is its turn, and speaks against a vote that does not
 * hold. Pure. Specification §20.3, §20.9.
 */
import { orderedBy } from '#protocol/chain/public-draw.ts';
import { sameBytes } from '#protocol/codec.ts';
import { domainDigest, hex } from '#protocol/digest.ts';
import { judgeAnchorVotes, placesIn, type AnchorVotes } from '#protocol/layer1/anchor-post.ts';
import { anchorDigest, type AnchorHeader } from '#protocol/layer1/anchor.ts';
import { leafPath, type LeafPath } from '#protocol/layer1/anchored-state.ts';
import type { MemberLeaf } from '#protocol/layer1/leaf.ts';
import type { Standing } from '../layer1/intention.ts';
import { anchorOf, drawOf, headerOf, votersOf, votesToPost, type AnchorsState } from './anchors-state.ts';
import { ANCHOR_LIMITS } from './limits.ts';

/** The contract at one block, as the endpoints agree on it. */
export interface ContractView {
  /** The anchor that the next one names, and its epoch. */
  readonly tip: { readonly epoch: number; readonly anchor: Uint8Array };
  readonly lastFinal: number;
  /** In wei; what the paying key can fetch. */
  readonly bond: bigint;
  readonly owed: bigint;
}

export interface ShownMember extends LeafPath {
  readonly leaf: MemberLeaf;
}

/** An anchor as it is brought: the header, and votes of a quorum. */
export interface AnchorPost {
  readonly header: AnchorHeader;
  readonly votes: AnchorVotes;
}

export type PostVerdict =
  /** By this device's own anchor, or by another that as many seats have signed: what they say is said. */
  | { readonly status: 'holds'; readonly anchor: 'own' | 'other' }
  /** The vote of this number does not hold by the member at its place. */
  | { readonly status: 'bad'; readonly vote: number; readonly previous: AnchorHeader; readonly member: ShownMember }
  /** This device has not got the anchor before, or none of this epoch yet. */
  | { readonly status: 'unknown' };

/** How many devices come before this one in the order for an anchor; undefined where it has no seat. @param anchor or whatever the turns are for */
export function turnOf({ node }: AnchorsState, anchor: Uint8Array, seats: readonly MemberLeaf[]): number | undefined {
  const order = orderedBy(seats, (leaf) => domainDigest('anchor-turn', anchor, leaf.node));
  const place = order.findIndex((leaf) => sameBytes(leaf.node, node));
  return place < 0 ? undefined : place;
}

/**
 * How long one device leaves a challenge to the one before it: so long that the last in the order is there in a part of the window, for whoever
 * posts chooses the order by its transaction. Nobody waits where the window is not known. @param windowMs of the contract
 */
export function challengeTurnMs(turnMs: number, windowMs: number | undefined, seats: number): number {
  return Math.min(turnMs, (windowMs ?? 0) / ANCHOR_LIMITS.challengesPart / Math.max(1, seats));
}

/** The next anchor, where it has a quorum and follows what stands there. */
export function postToBring(state: AnchorsState, { tip }: ContractView): (AnchorPost & { readonly turn: number }) | undefined {
  const epoch = state.epochs.get(tip.epoch + 1);
  const [header, anchor] = [epoch && headerOf(epoch), anchorOf(state, epoch)];
  if (!epoch || !header || !anchor || !sameBytes(header.previous, tip.anchor)) return undefined;
  const votes = votesToPost(state, epoch);
  const turn = turnOf(state, anchor, epoch.leaves.members.slice(0, epoch.moment.seats));
  return votes && turn !== undefined ? { header, votes, turn } : undefined;
}

/** @param turn of several votes that do not hold, each turn names another */
export function judgePost(state: AnchorsState, { header, votes }: AnchorPost, turn = 0): PostVerdict {
  const before = state.epochs.get(header.epoch - 1);
  const [previous, voters, draw] = [before && headerOf(before), votersOf(state, header.epoch), drawOf(state, header.epoch)];
  if (!before || !previous || !voters || !draw || !sameBytes(header.previous, anchorDigest(state.place, previous)))
    return { status: 'unknown' };
  const anchor = anchorDigest(state.place, header);
  const first = turn % Math.max(1, placesIn(votes.voters).length);
  const verdict = judgeAnchorVotes(state.crypto, { anchor, draw }, votes, (seat) => voters[seat], first);
  if (verdict.status === 'accepted') {
    const own = anchorOf(state, state.epochs.get(header.epoch));
    return own ? { status: 'holds', anchor: sameBytes(own, anchor) ? 'own' : 'other' } : { status: 'unknown' };
  }
  const leaf = 'seat' in verdict ? voters[verdict.seat] : undefined;
  if (!leaf || !('seat' in verdict)) return { status: 'unknown' }; // the contract takes no other form
  return { status: 'bad', vote: verdict.vote, previous, member: { leaf, ...leafPath(before.leaves, 'members', verdict.seat) } };
}

/** What came back is fetched when it is enough for the gas, or when the next post lacks funds. @param next how far that post is */
export function isToFetch({ owed, bond }: ContractView, next: Standing | undefined): boolean {
  const lacksFunds = next?.state === 'waiting' && next.why === 'funds';
  return owed > 0n && (lacksFunds || owed >= bond * ANCHOR_LIMITS.owedBonds);
}

/** A member under the newest final anchor that this device has: to whom layer 1 knows it. */
export function knownMember(
  state: AnchorsState,
  node: Uint8Array,
): { readonly known: AnchorHeader; readonly member: ShownMember } | undefined {
  const final = [...state.epochs.values()].filter((epoch) => epoch.moment.epoch <= state.final).at(-1);
  const known = final && headerOf(final);
  const index = final?.leaves.members.findIndex((leaf) => hex(leaf.node) === hex(node)) ?? -1;
  const leaf = final?.leaves.members[index];
  return final && known && leaf ? { known, member: { leaf, ...leafPath(final.leaves, 'members', index) } } : undefined;
}
