/** An anchor: where the chain stood at an epoch's checkpoint, and the roots of its state there, as one digest for layer 1. Specification §20.2. */
import { Digest, domainDigest, uint64 } from '../digest.ts';
import { fixedBytes, integer, struct, type Infer } from '../schema.ts';

const Count = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** For which network, and for which contract of which chain, a chip signs. */
export const AnchorPlace = struct({
  network: Digest,
  /** EIP-155. */
  chainId: Count,
  /** Address of the contract Anchors. */
  anchors: fixedBytes(20),
});
export type AnchorPlace = Infer<typeof AnchorPlace>;

/** What is the same on every chain of layer 1. */
const moment = {
  epoch: Count,
  /** Number of the checkpoint; height, id and chain time (§11.2, Unix ms) of its block. */
  checkpoint: Count,
  height: Count,
  blockId: Digest,
  timeMs: Count,
  seed: Digest,
  membersRoot: Digest,
  verdictsRoot: Digest,
  creditsRoot: Digest,
  /** Leaves of each of the three trees; the first `seats` of them have a seat. */
  members: Count,
  seats: Count,
};
export const AnchorMoment = struct(moment);
export type AnchorMoment = Infer<typeof AnchorMoment>;

export const AnchorHeader = struct({
  ...moment,
  /** The anchor before, or that of a recovery; zeros for epoch 0. */
  previous: Digest,
});
export type AnchorHeader = Infer<typeof AnchorHeader>;

/** What anchor 0 names as the one before. */
export const NO_ANCHOR = new Uint8Array(32);

export function anchorDigest({ network, chainId, anchors }: AnchorPlace, header: AnchorHeader): Uint8Array {
  const { epoch, checkpoint, height, blockId, timeMs, seed, membersRoot, verdictsRoot, creditsRoot, members, seats, previous } = header;
  const when = [uint64(epoch), uint64(checkpoint), uint64(height), blockId, uint64(timeMs), seed];
  const state = [membersRoot, verdictsRoot, creditsRoot, uint64(members), uint64(seats)];
  return domainDigest('anchor', network, uint64(chainId), anchors, ...when, ...state, previous);
}

/** Whether an anchor can come after another: an epoch later, and nothing of it earlier. */
export function follows(before: AnchorMoment, { epoch, checkpoint, height, timeMs }: AnchorMoment): boolean {
  return epoch === before.epoch + 1 && checkpoint >= before.checkpoint && height >= before.height && timeMs >= before.timeMs;
}
