/** Following peers: what their announcements tell that this member lacks, and what their answers bring. Pure. Specification §14.2. */
import { ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { certificateArrived } from './certificates.ts';
import { nothingAbove } from './away.ts';
import { broadcast } from './outbox.ts';
import { refuseMessage } from './refusal.ts';
import type { ConsensusState, Peer, Want, Wanted } from './state.ts';
import { blockArrived, isKnown } from './taking.ts';
import { askForBlockSpokenOf, askForCertificates, askForRange, dropWant, peerOf, requestFailed } from './wants.ts';

/** Says where this member stands, when that has changed; who subscribes later hears it too. */
export function announce(state: ConsensusState): void {
  const { last } = state.finality;
  const { position } = state.head;
  const said = `${last.number} ${last.block.key} ${state.head.key}`;
  if (said === state.announced) return;
  state.announced = said;
  const checkpoint = { number: last.number, block: last.block.position.id, height: last.block.position.height };
  const announcement = { checkpoint, head: { id: position.id, height: position.height } };
  broadcast(state.outbox, 'head', encodeStrict(HeadAnnouncement, announcement), true);
}

export function announcementArrived(state: ConsensusState, payload: Uint8Array, from: string): void {
  const decoded = decodeStrict(HeadAnnouncement, payload, LIMITS.signedBytesMax);
  if (decoded.status === 'malformed') {
    refuseMessage(state, { from, kind: 'head' }, decoded);
    return;
  }
  const peer = peerOf(state, from);
  if (!peer) return;
  peer.announcement = decoded.value;
  peer.headKey = hex(decoded.value.head.id);
  peer.announcedMs = state.at.monotonicMs;
}

/** Asks for what the peers have and this member lacks. */
export function followPeers(state: ConsensusState): void {
  for (const peer of state.sync.peers.values()) {
    if (peer.announcement && state.at.monotonicMs >= peer.restUntilMs) followPeer(state, peer, peer.announcement);
  }
}

/** When a peer that is ahead is to be followed, on the monotonic clock. */
export function followUntilMs(state: ConsensusState): number | undefined {
  const due = [...state.sync.peers.values()].flatMap((peer) =>
    isAhead(state, peer) ? [Math.max(peer.restUntilMs, certificateDueMs(state, peer))].filter((ms) => ms > state.at.monotonicMs) : [],
  );
  return due.length === 0 ? undefined : due.reduce((first, next) => Math.min(first, next));
}

function followPeer(state: ConsensusState, peer: Peer, { head, checkpoint }: HeadAnnouncement): void {
  const { root } = state.tree;
  if (!isKnown(state, peer.headKey) && head.height > root.position.height) {
    if (head.height - root.position.height < LIMITS.ancestorsMax) askForBlockSpokenOf(state, head, peer.name);
    else askForRange(state, peer.name);
  }
  const lacksCertificate = checkpoint.number > state.finality.last.number && state.at.monotonicMs >= certificateDueMs(state, peer);
  // Without them a late branch is followed only at the pace of its waits (§12.4).
  if (lacksCertificate) askForCertificates(state, peer.name);
}

function isAhead(state: ConsensusState, { announcement, headKey }: Peer): boolean {
  if (!announcement) return false;
  const { head, checkpoint } = announcement;
  const lacksHead = head.height > state.tree.root.position.height && !isKnown(state, headKey);
  return lacksHead || checkpoint.number > state.finality.last.number;
}

/** Whoever votes comes to the same certificate a moment later, without asking. */
function certificateDueMs({ finality }: ConsensusState, peer: Peer): number {
  return peer.announcedMs + finality.decision.setup.baseMs;
}

/** Only what was asked for is read. */
export function responseArrived(state: ConsensusState, payload: Uint8Array, from: string): void {
  const peer = state.sync.peers.get(from);
  const want = peer?.want === undefined ? undefined : state.sync.wants.get(peer.want);
  if (!peer || !want || want.askedOf !== from) return;
  const decoded = decodeStrict(ChainResponse, payload, LIMITS.packetBytesMax);
  if (decoded.status === 'malformed') {
    refuseMessage(state, { from, kind: 'response' }, decoded);
    requestFailed(state, want);
    return;
  }
  if (takeAnswer(state, peer, want, decoded.value)) dropWant(state, want);
  else {
    requestFailed(state, want);
    if (decoded.value.response === 'nothing') nothingAbove(state, peer, want.wanted);
  }
}

/** @returns whether it answers the question */
function takeAnswer(state: ConsensusState, peer: Peer, { wanted }: Want, answer: ChainResponse): boolean {
  switch (answer.response) {
    case 'blocks':
      return takeBlocks(state, peer, wanted, answer.blocks);
    case 'certificates':
      if (wanted.want !== 'certificates') return false;
      for (const certificate of answer.certificates) certificateArrived(state, certificate, peer.name);
      return answer.certificates.length > 0;
    case 'state':
    case 'nothing':
      peer.cursor = 0;
      return false;
  }
}

/** A range goes on from what is known; anything else holds the block that was asked for. Only then can answers lead to questions. */
function takeBlocks(state: ConsensusState, peer: Peer, wanted: Wanted, blocks: readonly Uint8Array[]): boolean {
  const first = blocks[0];
  peer.cursor = 0;
  if (!first || (wanted.want !== 'range' && wanted.want !== 'block')) return false;
  const read = blocks.map((block) => blockArrived(state, block, peer.name, 'answer'));
  if (wanted.want === 'block') return read.some((block) => block && sameBytes(block.id, wanted.id));
  const known = read[0] && isKnown(state, hex(read[0].id));
  const last = read.at(-1)?.header.height ?? 0;
  if (!known || last < wanted.fromHeight) return false;
  peer.cursor = last;
  return true;
}
