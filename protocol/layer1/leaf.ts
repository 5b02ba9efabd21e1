/** What layer 1 holds of each member, and under which digests. Specification §20.1. */
import { integer, flag, oneOf, struct, type Infer } from '../schema.ts';
import { Digest, domainDigest, uint64 } from '../digest.ts';

const Count = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** In the order of their numbers on layer 1. */
export const LEAF_STANDINGS = ['none', 'seat', 'expelled'] as const;
export const LEAF_WORDS = ['none', 'trusted', 'untrusted', 'disputed', 'unreachable'] as const;

/** A member's chip, and what it may do. */
export const MemberLeaf = struct({
  node: Digest,
  /** The point of the attestation key, big-endian. */
  x: Digest,
  y: Digest,
  /** D(`anchor-vrf`, TPMT_PUBLIC of the VRF key). */
  vrf: Digest,
  standing: oneOf(...LEAF_STANDINGS),
  drawsFromEpoch: Count,
});
export type MemberLeaf = Infer<typeof MemberLeaf>;

/** The last verdict on a member. */
export const VerdictLeaf = struct({
  node: Digest,
  slot: Count,
  word: oneOf(...LEAF_WORDS),
  /** Number of a checkpoint. */
  attestedUntil: Count,
  /** Chain time of the block with the judged evidence, Unix ms. */
  judgedAtMs: Count,
  /** Of the judged evidence; zeros where there was none. */
  evidence: Digest,
  /** `judgesDigest`; zeros where layer 1 can't judge the draw. */
  judges: Digest,
  drawnFrom: Count,
});
export type VerdictLeaf = Infer<typeof VerdictLeaf>;

export const CreditLeaf = struct({
  node: Digest,
  credit: Count,
  /** Whether it may be drawn as a judge. */
  eligible: flag,
});
export type CreditLeaf = Infer<typeof CreditLeaf>;

export function memberLeafDigest({ node, x, y, vrf, standing, drawsFromEpoch }: MemberLeaf): Uint8Array {
  return domainDigest('anchor-member', node, x, y, vrf, uint64(LEAF_STANDINGS.indexOf(standing)), uint64(drawsFromEpoch));
}

export function verdictLeafDigest(leaf: VerdictLeaf): Uint8Array {
  const said = [uint64(leaf.slot), uint64(LEAF_WORDS.indexOf(leaf.word)), uint64(leaf.attestedUntil)];
  return domainDigest('anchor-verdict', leaf.node, ...said, uint64(leaf.judgedAtMs), leaf.evidence, leaf.judges, uint64(leaf.drawnFrom));
}

export function creditLeafDigest({ node, credit, eligible }: CreditLeaf): Uint8Array {
  return domainDigest('anchor-credit', node, uint64(credit), uint64(eligible ? 1 : 0));
}

/** @param publicArea TPMT_PUBLIC of the VRF key */
export function vrfKeyDigest(publicArea: Uint8Array): Uint8Array {
  return domainDigest('anchor-vrf', publicArea);
}

/** @param nodes in the order of the draw */
export function judgesDigest(nodes: readonly Uint8Array[]): Uint8Array {
  return domainDigest('anchor-judges', ...nodes);
}
