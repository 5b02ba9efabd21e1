/** Answers to peers that lack something: one packet, and no more bytes than a peer may have in a second. Pure. Specification §14.2-14.3. */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { ChainRequest, ChainResponse } from '#protocol/chain/gossip-messages.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { respond } from './outbox.ts';
import { refuseMessage } from './refusal.ts';
import type { ConsensusState, Peer } from './state.ts';
import { ancestorOf, finalisedIdAt, pathUp } from './tree.ts';
import { peerOf } from './wants.ts';

const bytesMax = LIMITS.packetBytesMax - CONSENSUS_LIMITS.answerEnvelopeBytes;

export function requestArrived(state: ConsensusState, payload: Uint8Array, from: string): void {
  const decoded = decodeStrict(ChainRequest, payload, LIMITS.signedBytesMax);
  if (decoded.status === 'malformed') {
    refuseMessage(state, { from, kind: 'request' }, decoded);
    return;
  }
  const { to, want } = decoded.value;
  const peer = peerOf(state, from);
  if (hex(to) !== state.self || !peer || !mayAnswer(state, peer)) return;
  const answer = encodeStrict(ChainResponse, answerTo(state, want));
  peer.answerBytes += answer.length;
  respond(state.outbox, from, answer);
}

/** A second's allowance may be overdrawn by one answer. */
function mayAnswer({ at }: ConsensusState, peer: Peer): boolean {
  const regained = Math.floor(((at.monotonicMs - peer.answeredMs) * CONSENSUS_LIMITS.answerBytesPerSecond) / 1_000);
  peer.answerBytes = Math.max(0, peer.answerBytes - regained);
  peer.answeredMs = at.monotonicMs;
  return peer.answerBytes < CONSENSUS_LIMITS.answerBytesPerSecond;
}

function answerTo(state: ConsensusState, want: ChainRequest['want']): ChainResponse {
  switch (want.want) {
    case 'block':
      return blocksAnswer('block', ancestors(state, want.id, want.ancestors, want.above).reverse());
    case 'range':
      return blocksAnswer('range', range(state, want.fromHeight));
    case 'certificates':
      return certificatesAnswer(state, want.fromNumber);
    case 'state':
      return stateAnswer(state, want.block, want.offset);
  }
}

function blocksAnswer(what: 'block' | 'range', blocks: Uint8Array[]): ChainResponse {
  return blocks.length > 0 ? { response: 'blocks', blocks } : { response: 'nothing', what };
}

/** From the block downwards, as many as fit. */
function ancestors({ tree, setup }: ConsensusState, id: Uint8Array, count: number, above: number): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let [next, bytes] = [id, 0];
  while (blocks.length <= count && blocks.length < LIMITS.ancestorsMax) {
    const block = tree.blocks.get(hex(next))?.block ?? archived(setup.archive.block(next));
    bytes += block?.encoded.length ?? Infinity;
    if (!block || bytes > bytesMax || block.header.height <= above) break;
    blocks.push(block.encoded);
    next = block.header.parent;
  }
  return blocks;
}

function archived(encoded: Uint8Array | undefined): ReadBlock | undefined {
  const read = encoded && readBlock(encoded);
  return read?.status === 'decoded' ? read.value : undefined;
}

/** Upwards on the finalised chain and on to the head. */
function range(state: ConsensusState, fromHeight: number): Uint8Array[] {
  const { tree, setup, head } = state;
  const rootHeight = tree.root.position.height;
  const blocks: Uint8Array[] = [];
  let bytes = 0;
  const fits = (encoded: Uint8Array | undefined): encoded is Uint8Array => {
    bytes += encoded?.length ?? Infinity;
    return bytes <= bytesMax && blocks.length < LIMITS.ancestorsMax;
  };
  for (let height = Math.max(1, fromHeight); height <= rootHeight; height += 1) {
    const encoded = setup.archive.blockAt(height);
    if (!fits(encoded)) return blocks;
    blocks.push(encoded);
  }
  const first = ancestorOf(tree, head, Math.max(fromHeight, rootHeight + 1));
  const path = first ? pathUp(tree, tree.root, head).filter(({ position }) => position.height >= fromHeight) : [];
  for (const { block, position } of path) {
    const encoded = block?.encoded ?? setup.archive.block(position.id);
    if (!fits(encoded)) return blocks;
    blocks.push(encoded);
  }
  return blocks;
}

function certificatesAnswer({ finality, setup }: ConsensusState, fromNumber: number): ChainResponse {
  const certificates: FinalityCertificate[] = [];
  let bytes = 0;
  // Those above the last one also: their blocks may be damaged here, and whole there.
  for (let number = Math.max(1, fromNumber); certificates.length < LIMITS.ancestorsMax; number += 1) {
    const certificate = finality.history.get(number)?.certificate ?? setup.archive.certificate(number);
    bytes += certificate ? 256 + certificate.votes.length * 160 : Infinity;
    if (!certificate || bytes > bytesMax) break;
    certificates.push(certificate);
  }
  return certificates.length > 0 ? { response: 'certificates', certificates } : { response: 'nothing', what: 'certificates' };
}

/** Of the block, or of the highest one below it whose state is kept: the asker has the blocks between shown to it. */
function stateAnswer({ setup, tree }: ConsensusState, wanted: Uint8Array, offset: number): ChainResponse {
  const { archive } = setup;
  const height = archived(archive.block(wanted))?.header.height;
  const isFinal = height !== undefined && sameBytes(finalisedIdAt(tree, height) ?? new Uint8Array(), wanted);
  const block = isFinal ? (archive.stateBlockUpTo(height) ?? wanted) : wanted;
  const state = archive.state(block);
  if (!state || offset > state.length) return { response: 'nothing', what: 'state' };
  const piece = state.subarray(offset, offset + LIMITS.chunkBytesMax);
  return { response: 'state', block, offset, total: state.length, piece };
}
