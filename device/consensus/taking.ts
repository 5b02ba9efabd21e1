/** How a block that arrives becomes a taken one: read, judged on its parent, held until it is due. Pure. Specification §11.2, §12.4. */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { sameBytes } from '#protocol/codec.ts';
import { merkleRoot } from '#protocol/chain/merkle.ts';
import { transactionId } from '#protocol/chain/transaction.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { remember } from './bounded.ts';
import { anchorOf, datedMs } from './due.ts';
import { addOrphan, adoptOrphans, dropBranch } from './orphans.ts';
import { broadcast, persist, report } from './outbox.ts';
import { refuseMessage } from './refusal.ts';
import { isHeardOut, noteFailedChecks } from './scrutiny.ts';
import type { Arrival, Arrivals, BlockSource, ConsensusState, HeldBlock } from './state.ts';
import { askForBlock } from './wants.ts';
import { isThin, thinBelow } from './thinning.ts';
import { branchOf, growTree, rivalsOf, type TakenBlock } from './tree.ts';

/** @returns the block, if its bytes are one that was not taken before */
export function blockArrived(state: ConsensusState, payload: Uint8Array, from: string, source: BlockSource): ReadBlock | undefined {
  const digest = hex(blobDigest(payload));
  if (source === 'gossip' && state.arrivals.seen.has(digest)) return undefined;
  const read = readBlock(payload);
  if (read.status === 'malformed') {
    refuseMessage(state, { from, kind: source === 'answer' ? 'response' : 'block' }, read);
    return undefined;
  }
  const block = read.value;
  // The id says nothing about the transactions: with others in their place a good block could be made a refused one.
  if (!sameBytes(merkleRoot(block.transactions.map(transactionId)), block.header.transactions)) {
    const detail = 'the transactions are not those that the header commits to';
    refuseMessage(state, { from, kind: source === 'answer' ? 'response' : 'block' }, { reason: 'transactions-differ', detail });
    return undefined;
  }
  const key = hex(block.id);
  if (!isKnown(state, key) && block.header.height > state.tree.root.position.height) place(state, { block, key, from, source });
  return block;
}

function nextArrival({ queue }: Arrivals): Arrival | undefined {
  const [next] = queue.values();
  if (next) queue.delete(next.key);
  return next;
}

/** Taken, to be judged, held, waiting for its parent, or refused before. */
export function isKnown({ tree, arrivals }: ConsensusState, key: string): boolean {
  return (
    tree.blocks.has(key) || arrivals.queue.has(key) || arrivals.held.has(key) || arrivals.orphans.has(key) || arrivals.refused.has(key)
  );
}

/** Takes whatever can be taken at this moment. @returns the taken blocks, parents first */
export function takeArrivals(state: ConsensusState): TakenBlock[] {
  const taken: TakenBlock[] = [];
  for (;;) {
    const arrival = nextArrival(state.arrivals);
    const held = arrival ? consider(state, arrival) : nextDue(state);
    if (held) taken.push(take(state, held));
    else if (!arrival) return taken;
  }
}

/** When the next held block may be taken, on the monotonic clock. */
export function heldUntilMs(state: ConsensusState): number | undefined {
  const due = [...state.arrivals.held.values()].flatMap((held) => dueMs(state, held) ?? []);
  return due.length === 0 ? undefined : due.reduce((first, next) => Math.min(first, next));
}

/** On a taken block it is judged; on one that can't be taken it can't be either; on any other it waits. */
function place(state: ConsensusState, arrival: Arrival): void {
  const { arrivals, tree } = state;
  const parent = hex(arrival.block.header.parent);
  if (tree.blocks.has(parent) || arrivals.queue.has(parent)) {
    arrivals.queue.set(arrival.key, arrival);
    return;
  }
  if (arrivals.refused.has(parent)) {
    remember(arrivals.refused, arrival.key, CONSENSUS_LIMITS.refusedMax);
    return;
  }
  const missing = addOrphan(state, arrival);
  if (missing && arrival.source !== 'kept') askForBlock(state, missing, arrival.from);
}

/** @returns the block if it is good and can be taken at once */
function consider(state: ConsensusState, arrival: Arrival): HeldBlock | undefined {
  const { tree, arrivals } = state;
  const parent = tree.blocks.get(hex(arrival.block.header.parent));
  if (!parent) place(state, arrival);
  if (!parent || tree.blocks.has(arrival.key) || arrivals.held.has(arrival.key)) return undefined;
  if (isOneTooMany(state, arrival)) {
    restFrom(state, arrival);
    return undefined;
  }
  if (arrival.source === 'gossip' && !isHeardOut(state, arrival.from)) return undefined;
  const verdict = state.setup.ledger.judgeBlock(arrival.block, parent.position, branchOf(tree, parent));
  if (verdict.status === 'refused') {
    refuseBlock(state, arrival, verdict.reason, verdict.detail);
    return undefined;
  }
  const { position, waitMs } = verdict;
  const judged: HeldBlock = { ...arrival, position, waitMs, seenMs: state.at.monotonicMs };
  if ((dueMs(state, judged) ?? Infinity) <= state.at.monotonicMs) return judged;
  hold(state, judged);
  return undefined;
}

/** Who answers with bad blocks is not asked again for a while. */
function refuseBlock(state: ConsensusState, arrival: Arrival, reason: string, detail: string): void {
  const { outbox, arrivals, sync, at } = state;
  const { key, from, block, source } = arrival;
  noteFailedChecks(state, from, 1 + block.transactions.length);
  remember(arrivals.refused, key, CONSENSUS_LIMITS.refusedMax);
  const peer = source === 'answer' ? sync.peers.get(from) : undefined;
  if (peer) peer.restUntilMs = at.monotonicMs + CONSENSUS_LIMITS.wantRestMs;
  dropBranch(arrivals, key);
  report(outbox, { report: 'blockRefused', from, height: block.header.height, reason, detail });
}

/** An equivocator makes as many blocks of a height as it likes; more than a few are taken only when somebody rests on them. */
function isOneTooMany(state: ConsensusState, arrival: Arrival): boolean {
  const { tree, arrivals } = state;
  const { key, block, source } = arrival;
  const isOurs = source === 'kept' || source === 'self';
  if (isOurs || arrivals.forced.has(key) || arrivals.asked.has(key) || arrivals.childrenOf.has(key)) return false;
  // Of a branch that starts so far below, its head is spoken of, and asked for.
  const parent = tree.blocks.get(hex(block.header.parent));
  if (source === 'gossip' && parent && isThin(parent)) return true;
  return rivalsOf(tree, block).length >= CONSENSUS_LIMITS.rivalBlocksMax && !isHeadOfAnother(state, arrival);
}

/** Who stands on a block that is not taken is not asked for it all the time. */
function restFrom({ sync, at }: ConsensusState, { key, from }: Arrival): void {
  const peer = sync.peers.get(from);
  if (peer?.headKey === key) peer.restUntilMs = at.monotonicMs + CONSENSUS_LIMITS.wantRestMs;
}

/** One block of a leader and height for each peer that says it stands on it; the leader's own word is worth nothing. */
function isHeadOfAnother({ sync }: ConsensusState, { key, block }: Arrival): boolean {
  const leader = hex(block.header.node);
  const slot = `${leader} ${block.header.height}`;
  const peer = [...sync.peers.values()].find(({ name, headKey, lifted }) => headKey === key && name !== leader && !lifted.has(slot));
  if (!peer) return false;
  remember(peer.lifted, slot, CONSENSUS_LIMITS.liftedSlotsMax);
  return true;
}

/** Made while this member was away, or taken on the word of a certificate or of half of the voters (§12.4). */
function countsFromDate({ arrivals, onlineSinceMs }: ConsensusState, { key, source, position }: HeldBlock): boolean {
  return source === 'kept' || arrivals.forced.has(key) || position.timeMs < onlineSinceMs;
}

/** When a judged block may be taken; undefined when its parent is gone. Half of the voters override the wait, a certificate its date as well. */
function dueMs({ tree, at, arrivals }: ConsensusState, { key, block, waitMs, source }: HeldBlock): number | undefined {
  const parent = tree.blocks.get(hex(block.header.parent));
  if (!parent) return undefined;
  if (source === 'kept' || source === 'self' || arrivals.certified.has(key)) return at.monotonicMs;
  const datedMs = at.monotonicMs + block.header.timeMs - LIMITS.clockSkewMaxMs - at.unixMs;
  return arrivals.forced.has(key) ? Math.max(at.monotonicMs, datedMs) : Math.max(parent.anchorMs + waitMs, datedMs);
}

/** Of a peer that sends too many, and of all, the one that is due last goes. */
function hold(state: ConsensusState, judged: HeldBlock): void {
  const { held } = state.arrivals;
  held.set(judged.key, judged);
  const ofPeer = [...held.values()].filter(({ from }) => from === judged.from);
  const crowd = ofPeer.length > CONSENSUS_LIMITS.heldPerPeerMax ? ofPeer : [...held.values()];
  if (crowd !== ofPeer && crowd.length <= CONSENSUS_LIMITS.heldMax) return;
  const due = (one: HeldBlock): number => dueMs(state, one) ?? Infinity;
  held.delete(crowd.reduce((last, next) => (due(next) > due(last) ? next : last)).key);
}

function nextDue(state: ConsensusState): HeldBlock | undefined {
  for (const held of state.arrivals.held.values()) {
    const due = dueMs(state, held);
    if (due !== undefined && due > state.at.monotonicMs) continue;
    state.arrivals.held.delete(held.key);
    if (due !== undefined) return held;
  }
  return undefined;
}

function take(state: ConsensusState, judged: HeldBlock): TakenBlock {
  const { tree, arrivals, outbox, at } = state;
  const { block, key, position, waitMs, seenMs, source } = judged;
  const parent = hex(block.header.parent);
  const earliestMs = (tree.blocks.get(parent)?.anchorMs ?? seenMs) + waitMs;
  const anchorMs = anchorOf(
    earliestMs,
    countsFromDate(state, judged) ? Math.min(seenMs, datedMs(position.timeMs, at)) : seenMs,
    state.toleranceMs,
  );
  const taken: TakenBlock = { key, parent, position, block, waitMs, seenMs, earliestMs, anchorMs };
  growTree(tree, taken);
  thinBelow(tree, taken, state.setup.ledger);
  remember(arrivals.seen, hex(blobDigest(block.encoded)), CONSENSUS_LIMITS.seenMax);
  arrivals.forced.delete(key);
  arrivals.certified.delete(key);
  arrivals.asked.delete(key);
  for (const orphan of adoptOrphans(arrivals, key)) arrivals.queue.set(orphan.key, orphan);
  if (source !== 'kept') persist(outbox, { record: 'block', block, own: source === 'self' });
  if (source === 'self' || source === 'gossip') broadcast(outbox, 'block', block.encoded);
  return taken;
}
