/** What a peer may say in a while, before anything of it is read: messages, bytes, and the size of each kind. Pure. Specification §14.3. */
import { LIMITS } from '#protocol/limits.ts';
import type { GossipKind, PeerKind } from '#protocol/topics.ts';
import { PEER_LIMITS } from './limits.ts';

/** What is left to a peer, and when that was reckoned (ms of a clock that only goes forward). */
export interface Allowance {
  readonly messages: number;
  readonly bytes: number;
  readonly atMs: number;
  /** Messages that were dropped since the peer last kept within its allowance. */
  readonly dropped: number;
}

export type AllowanceVerdict =
  | { readonly status: 'accepted'; readonly allowance: Allowance }
  | { readonly status: 'refused'; readonly reason: 'too-large' | 'too-many' | 'too-much'; readonly allowance: Allowance };

export function fullAllowance(atMs: number): Allowance {
  return { messages: PEER_LIMITS.messageBurst, bytes: PEER_LIMITS.byteBurst, atMs, dropped: 0 };
}

export function judgeArrival(before: Allowance, kind: GossipKind | PeerKind, bytes: number, atMs: number): AllowanceVerdict {
  const left = regained(before, atMs);
  // Pieces of blobs come at the pace of whoever asks for them (§8), which is this device; their number is bounded all the same.
  const costBytes = kind === 'chunk' ? 0 : bytes;
  const reason = bytes > SIZES[kind] ? 'too-large' : left.messages < 1 ? 'too-many' : left.bytes < costBytes ? 'too-much' : undefined;
  if (reason !== undefined) return { status: 'refused', reason, allowance: { ...left, dropped: left.dropped + 1 } };
  return { status: 'accepted', allowance: { ...left, messages: left.messages - 1, bytes: left.bytes - costBytes } };
}

/** Whether reading on from this peer is a waste. */
export function isFlooding({ dropped }: Allowance): boolean {
  return dropped >= PEER_LIMITS.droppedMax;
}

function regained(before: Allowance, atMs: number): Allowance {
  const seconds = Math.max(0, atMs - before.atMs) / 1_000;
  const messages = Math.min(PEER_LIMITS.messageBurst, before.messages + seconds * PEER_LIMITS.messagesPerSecond);
  const bytes = Math.min(PEER_LIMITS.byteBurst, before.bytes + seconds * PEER_LIMITS.bytesPerSecond);
  return { messages, bytes, atMs, dropped: messages >= PEER_LIMITS.messageBurst ? 0 : before.dropped };
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
  response: LIMITS.packetBytesMax,
  order: LIMITS.packetBytesMax,
  news: LIMITS.packetBytesMax,
  need: LIMITS.ballotBytesMax,
  chunk: LIMITS.packetBytesMax,
};
