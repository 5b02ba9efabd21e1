/** What a peer may say in a while, before anything of it is read: messages, bytes, and the size of each kind. Pure. Specification §14.3. */
import { LIMITS } from '#protocol/limits.ts';
import type { GossipKind, PeerKind } from '#protocol/topics.ts';
import { fullAllowance as fullAt, regained, spend, withDrop, type Allowance, type Spending } from './allowance.ts';
import { PEER_LIMITS } from './limits.ts';

export type { Allowance } from './allowance.ts';

export type AllowanceVerdict = Spending | { readonly status: 'refused'; readonly reason: 'too-large'; readonly allowance: Allowance };

export function fullAllowance(atMs: number): Allowance {
  return fullAt(PEER_LIMITS, atMs);
}

export function judgeArrival(before: Allowance, kind: GossipKind | PeerKind, bytes: number, atMs: number): AllowanceVerdict {
  if (bytes > SIZES[kind]) return { status: 'refused', reason: 'too-large', allowance: withDrop(regained(before, PEER_LIMITS, atMs)) };
  // Pieces of blobs come at the pace of whoever asks for them (§8), which is this device; their number is bounded all the same.
  return spend(before, PEER_LIMITS, kind === 'chunk' ? 0 : bytes, atMs);
}

/** Whether reading on from this peer is a waste. */
export function isFlooding({ dropped }: Allowance): boolean {
  return dropped >= PEER_LIMITS.droppedMax;
}

/** Bytes of one message of a kind. */
const SIZES: Readonly<Record<GossipKind | PeerKind, number>> = {
  beacon: LIMITS.packetBytesMax,
  evidence: LIMITS.packetBytesMax,
  activation: LIMITS.packetBytesMax,
  answer: LIMITS.packetBytesMax,
  credential: LIMITS.packetBytesMax,
  block: LIMITS.blockBytesMax,
  transaction: LIMITS.transactionBytesMax,
  ballot: LIMITS.proposalBytesMax,
  head: LIMITS.ballotBytesMax,
  request: LIMITS.ballotBytesMax,
  voucher: LIMITS.voucherBytesMax,
  verdict: LIMITS.proposalBytesMax,
  'anchor-votes': LIMITS.anchorVotesBytesMax,
  response: LIMITS.packetBytesMax,
  order: LIMITS.packetBytesMax,
  news: LIMITS.packetBytesMax,
  need: LIMITS.ballotBytesMax,
  chunk: LIMITS.packetBytesMax,
};
