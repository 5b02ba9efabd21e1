/**
 * The way to a checkpoint that the operator vouches for: its block and what is below it, and a state from there. One peer is asked, one
 * thing at a time; whoever lies or is silent costs one transfer, and another one is asked. Pure. Specification §13.7, §14.2.
 *
 * Everything hangs on the id of the checkpoint's block: it commits to the blocks below, and each of those to its state.
 */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { merkleRoot } from '#protocol/chain/merkle.ts';
import { ChainRequest, ChainResponse } from '#protocol/chain/gossip-messages.ts';
import { transactionId } from '#protocol/chain/transaction.ts';
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { broadcast } from './outbox.ts';
import { refuseMessage } from './refusal.ts';
import { refuseAnchor, tryStart } from './starting.ts';
import type { Anchor, ConsensusState, Joining, Peer, Wanted } from './state.ts';

export function beginJoining(anchor: Anchor): Joining {
  const nothingYet = { path: [], failed: new Set<string>(), vouchers: new Map<string, Uint8Array>() };
  return { anchor, ...nothingYet, transfer: undefined, asked: undefined, restUntilMs: 0 };
}

/** Asks for the next thing, or again where nobody has answered. */
export function askToJoin(state: ConsensusState, joining: Joining): void {
  const { asked } = joining;
  const { monotonicMs } = state.at;
  if (asked && monotonicMs >= asked.deadlineMs) wasSilent(state, joining, asked);
  if (joining.asked || monotonicMs < joining.restUntilMs) return;
  const peer = peerFor(state, joining);
  const wanted = nextWanted(joining, state);
  if (peer && wanted) ask(state, joining, { peer: peer.name, wanted, tries: 1 });
  else if (joining.failed.size > 0) {
    joining.failed.clear();
    joining.restUntilMs = monotonicMs + CONSENSUS_LIMITS.joinRestMs;
  }
}

/** On the monotonic clock; whoever has no peer waits for one. */
export function joinUntilMs({ at }: ConsensusState, { asked, restUntilMs }: Joining): number | undefined {
  if (asked) return asked.deadlineMs;
  return restUntilMs > at.monotonicMs ? restUntilMs : undefined;
}

/** Only what was asked for is read. When all is here, this member starts from the checkpoint: `joining` is gone then. */
export function joinAnswered(state: ConsensusState, joining: Joining, payload: Uint8Array, from: string): void {
  const { asked } = joining;
  if (asked?.peer !== from) return;
  const decoded = decodeStrict(ChainResponse, payload, LIMITS.packetBytesMax);
  joining.asked = undefined;
  const fault = decoded.status === 'malformed' ? decoded : takeAnswer(state, joining, asked.wanted, decoded.value, from);
  if (fault) failed(state, joining, from, fault);
  else if (state.joining && !nextWanted(joining, state)) startWith(state, joining, from);
}

interface Fault {
  readonly reason: string;
  readonly detail: string;
}

/** First where the peer's state stands, then the blocks down to there, which show that it may stand there, then the state, and then nothing. */
function nextWanted({ anchor, path, transfer }: Joining, { setup }: ConsensusState): Wanted | undefined {
  if (!transfer) return { want: 'state', block: anchor.block, offset: 0 };
  const lowest = path.at(-1);
  const isReached = path.some(({ id }) => sameBytes(id, transfer.block)) || sameBytes(lowest?.header.parent ?? none, transfer.block);
  const isDeep = isReached && (lowest?.header.height ?? Infinity) <= Math.max(1, transfer.fromHeight);
  if (!isDeep && !sameBytes(lowest?.header.parent ?? none, setup.ledger.genesis().id))
    return { want: 'block', id: lowest?.header.parent ?? anchor.block, ancestors: LIMITS.ancestorsMax - 1, above: 0 };
  if (transfer.bytes < transfer.total) return { want: 'state', block: transfer.block, offset: transfer.bytes };
  return undefined;
}

const none = new Uint8Array();

function takeAnswer(state: ConsensusState, joining: Joining, wanted: Wanted, answer: ChainResponse, from: string): Fault | undefined {
  if (wanted.want === 'block')
    return answer.response === 'blocks' ? takeBlocks(state, joining, wanted.id, answer.blocks) : lacking('the blocks below the checkpoint');
  if (wanted.want !== 'state') return undefined;
  if (answer.response === 'state') return takePiece(state, joining, wanted.offset, answer, from);
  if (joining.transfer || answer.response !== 'nothing') return lacking('the state');
  // A young chain: nobody has stored a state, and the genesis is near.
  joining.transfer = { peer: from, block: state.setup.ledger.genesis().id, total: 0, pieces: [], bytes: 0, fromHeight: 1 };
  return undefined;
}

function lacking(what: string): Fault {
  return { reason: 'nothing-to-join-with', detail: `it does not have ${what}` };
}

/** Downwards from the one that was asked for: each id says what the next one is. */
function takeBlocks(state: ConsensusState, { path, anchor }: Joining, id: Uint8Array, blocks: readonly Uint8Array[]): Fault | undefined {
  let next = id;
  for (const encoded of blocks.toReversed()) {
    const block = readWhole(encoded);
    if (!block || !sameBytes(block.id, next)) return { reason: 'other-block', detail: `${hex(next)} was asked for; this is another block` };
    if (path.length === 0 && block.header.height !== anchor.height) {
      refuseAnchor(state, `the block ${hex(next)} has height ${block.header.height}, and not ${anchor.height}; correct the height`);
      return undefined;
    }
    if (path.length === CONSENSUS_LIMITS.joinBlocksMax)
      return { reason: 'state-too-deep', detail: `its state is not at one of the ${path.length} blocks below the checkpoint` };
    path.push(block);
    next = block.header.parent;
  }
  return path.length === 0 ? lacking('the block of the checkpoint') : undefined;
}

function readWhole(encoded: Uint8Array): ReadBlock | undefined {
  const read = readBlock(encoded);
  if (read.status === 'malformed') return undefined;
  const { header, transactions } = read.value;
  return sameBytes(merkleRoot(transactions.map(transactionId)), header.transactions) ? read.value : undefined;
}

type Piece = Extract<ChainResponse, { response: 'state' }>;

/** Pieces come in order and are as long as they can be, so that many small ones hold nobody up. */
function takePiece(state: ConsensusState, joining: Joining, offset: number, answer: Piece, from: string): Fault | undefined {
  const { block, total, piece } = answer;
  const begun = joining.transfer;
  if (begun && (!sameBytes(block, begun.block) || total !== begun.total))
    return { reason: 'other-state', detail: 'the piece is of another state than the ones before' };
  const length = Math.min(LIMITS.chunkBytesMax, total - offset);
  if (answer.offset !== offset || piece.length !== length || length <= 0)
    return {
      reason: 'piece-wrong',
      detail: `${piece.length} bytes from ${answer.offset} of ${total}; it must be ${length} from ${offset}`,
    };
  const transfer = begun ?? { peer: from, block, total, pieces: [], bytes: 0, fromHeight: Infinity };
  transfer.pieces.push(piece.slice());
  transfer.bytes += piece.length;
  joining.transfer = transfer;
  // Answers beyond the allowance of §14.3 would not come.
  joining.restUntilMs = state.at.monotonicMs + CONSENSUS_LIMITS.joinPieceEveryMs;
  return undefined;
}

function startWith(state: ConsensusState, joining: Joining, from: string): void {
  const outcome = tryStart(state, joining);
  if (outcome.status === 'refused') failed(state, joining, from, outcome);
}

function peerFor({ sync }: ConsensusState, { transfer, failed: hasFailed, anchor }: Joining): Peer | undefined {
  const current = transfer && sync.peers.get(transfer.peer);
  if (current) return current;
  const able = [...sync.peers.values()].filter(
    ({ name, announcement }) => !hasFailed.has(name) && (announcement?.checkpoint.height ?? Infinity) >= anchor.height,
  );
  return able.sort((left, right) => right.heardMs - left.heardMs)[0];
}

function ask({ outbox, at }: ConsensusState, joining: Joining, question: { peer: string; wanted: Wanted; tries: number }): void {
  joining.asked = { ...question, deadlineMs: at.monotonicMs + CONSENSUS_LIMITS.requestMs };
  broadcast(outbox, 'request', encodeStrict(ChainRequest, { to: Uint8Array.fromHex(question.peer), want: question.wanted }));
}

/** An answer may have been lost with a connection. */
function wasSilent(state: ConsensusState, joining: Joining, { peer, wanted, tries }: NonNullable<Joining['asked']>): void {
  if (tries < CONSENSUS_LIMITS.joinTries) ask(state, joining, { peer, wanted, tries: tries + 1 });
  else failed(state, joining, peer, { reason: 'silent', detail: `it was asked ${tries} times and did not answer` });
}

/** The blocks are good whoever gave them; the state is not known to be. */
function failed(state: ConsensusState, joining: Joining, peer: string, fault: Fault): void {
  joining.failed.add(peer);
  joining.transfer = undefined;
  joining.asked = undefined;
  refuseMessage(state, { from: peer, kind: 'response' }, fault);
}
