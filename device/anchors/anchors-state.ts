/** What a device has of the anchors on one chain of layer 1: its epochs, votes on them, and what other members said. Pure. Specification §20.9. */
import { sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { composeVotes, type AnchorVotes, type VotedAnchor } from '#protocol/layer1/anchor-post.ts';
import { anchorDigest, type AnchorHeader, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import type { AnchoredState } from '#protocol/layer1/anchored-state.ts';
import type { SaidVote } from '#protocol/layer1/anchor-message.ts';
import type { MemberLeaf } from '#protocol/layer1/leaf.ts';

/** An epoch, and the anchor that this device comes to. */
export interface AnchorEpoch extends AnchoredState {
  /** The anchor before, once it is known; with it the anchor is. */
  readonly previous?: Uint8Array;
  /** This device's vote; on the disk before it is said. */
  readonly own?: Uint8Array;
  /** Votes that hold, by the hexadecimal node id; this device's among them. */
  readonly votes: ReadonlyMap<string, Uint8Array>;
}

export interface AnchorsSetup {
  readonly place: AnchorPlace;
  readonly crypto: Crypto;
  /** This device's node id. */
  readonly node: Uint8Array;
}

export interface AnchorsState extends AnchorsSetup {
  /** Ascending, without a gap but where this device was away. */
  readonly epochs: Map<number, AnchorEpoch>;
  /** What each other member said last, by hexadecimal node id. */
  readonly said: Map<string, readonly SaidVote[]>;
  /** Votes that hold, for another anchor of an epoch with the same one before: the first of each node, by `epoch/node`. */
  readonly contrary: Map<string, SaidVote>;
  /** Of these, those whose node has been accused. */
  readonly accused: Set<string>;
  /** Epochs for which the chip is asked. */
  readonly asked: Set<number>;
  /** Whether a vote that was said holds; each is judged once. */
  readonly judged: WeakMap<SaidVote, boolean>;
  /** The last epoch that was seen final on layer 1. */
  final: number;
}

export function headerOf({ moment, previous }: AnchorEpoch): AnchorHeader | undefined {
  return previous && { ...moment, previous };
}

/** The anchor that this device comes to; undefined while the one before is not known. */
export function anchorOf({ place }: AnchorsState, epoch: AnchorEpoch | undefined): Uint8Array | undefined {
  const header = epoch && headerOf(epoch);
  if (!header) return undefined;
  const known = anchors.get(epoch) ?? anchorDigest(place, header);
  anchors.set(epoch, known);
  return known;
}

/** What a member's vote is on. */
export function saidAnchor(place: AnchorPlace, said: SaidVote): Uint8Array {
  const known = anchors.get(said) ?? anchorDigest(place, said.header);
  anchors.set(said, known);
  return known;
}

/** An epoch and a said vote are values of one chain that nobody changes, and are asked for their anchors at every event. */
const anchors = new WeakMap<AnchorEpoch | SaidVote, Uint8Array>();

/** The seats that vote on an epoch, in their order: those of the epoch before. Undefined where this device has not got it. */
export function votersOf({ epochs }: AnchorsState, epoch: number): readonly MemberLeaf[] | undefined {
  const before = epochs.get(epoch - 1);
  return before?.leaves.members.slice(0, before.moment.seats);
}

/** Whose vote on an epoch a node's is; by its own leaves where the epoch before is not here: a chip keeps its key. */
export function voterOf(state: AnchorsState, epoch: number, node: string): MemberLeaf | undefined {
  const members = votersOf(state, epoch) ?? state.epochs.get(epoch)?.leaves.members ?? [];
  const id = Uint8Array.fromHex(node);
  return members.find((leaf) => sameBytes(leaf.node, id));
}

/** What the places of an epoch's committee are drawn by. */
export function drawOf({ epochs }: AnchorsState, epoch: number): VotedAnchor['draw'] | undefined {
  const moment = epochs.get(epoch - 1)?.moment;
  return moment && { seed: moment.seed, seats: moment.seats, epoch };
}

/** The votes with which an epoch can be posted; undefined while there is no quorum. */
export function votesToPost(state: AnchorsState, epoch: AnchorEpoch): AnchorVotes | undefined {
  const [voters, draw] = [votersOf(state, epoch.moment.epoch), drawOf(state, epoch.moment.epoch)];
  if (!voters || !draw) return undefined;
  return composeVotes(draw, (seat) => {
    const voter = voters[seat];
    return voter && epoch.votes.get(hex(voter.node));
  });
}

/** Own votes that may still be needed, the newest last. */
export function ownVotes({ epochs, final }: AnchorsState): SaidVote[] {
  const own = [...epochs.values()].flatMap((epoch) => {
    const header = headerOf(epoch);
    return header && epoch.own && epoch.moment.epoch > final ? [{ header, vote: epoch.own }] : [];
  });
  return own.slice(-LIMITS.anchorsSaidMax);
}

/** On the same anchor but for the one before it. */
export function isOfMoment(place: AnchorPlace, { moment }: AnchorEpoch, said: SaidVote): boolean {
  return sameBytes(anchorDigest(place, { ...moment, previous: said.header.previous }), saidAnchor(place, said));
}
