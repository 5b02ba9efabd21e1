/**
 * The consensus core: told what happens, it says what is to be done. Pure. Specification §11-14.
 *
 * A step takes its event, settles what follows from it (blocks taken, checkpoints final, the head moved), sees to what this member owes
 * (its own wait, its questions), and ends with the effects in their order: the disk, then the world.
 */
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import type { Action } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { wakeAtMs as votesUntilMs } from '../votes/machine.ts';
import { accuseOfBlocks } from './accusation.ts';
import { requestArrived } from './answers.ts';
import { ballotArrived, takeEarly } from './ballots.ts';
import { certificatesOf, nextFinal } from './certificates.ts';
import { anchorEarlier, sleptMs } from './due.ts';
import { endorseAtMs, endorseHead } from './endorsing.ts';
import type { ConsensusEffect, ConsensusEvent, Instant, MessageKind } from './events.ts';
import { finalise } from './finalising.ts';
import { followForkChoice } from './head.ts';
import { voucherArrived } from './keys.ts';
import { askToJoin, beginJoining, joinAnswered, joinUntilMs } from './joining.ts';
import { broadcast, emptyOutbox, flush, report } from './outbox.ts';
import { addOwnTransaction, sayOwnTransactions, saysAgainMs, transactionArrived } from './pool.ts';
import type { Position } from '../ledger/position.ts';
import { restore } from './restore.ts';
import { refuseAnchor, standingTo } from './starting.ts';
import type { Anchor, ConsensusSetup, ConsensusState, Joining } from './state.ts';
import { announce, announcementArrived, followPeers, followUntilMs, responseArrived } from './sync.ts';
import { blockArrived, heldUntilMs, takeArrivals } from './taking.ts';
import { askTpm, tpmAnswered, tpmFailed, tpmUntilMs } from './tpm-desk.ts';
import { rivalsOf, type TakenBlock } from './tree.ts';
import { tellBlock, tellCandidate, tellVotes } from './votes.ts';
import { drawProved, endCertified, followOwnWait, ownWaitUntilMs, startCertified } from './waiting.ts';
import { peerOf, requestsUntilMs, sendRequests } from './wants.ts';

export type { Anchor, ConsensusSetup, ConsensusState } from './state.ts';

/** What was kept is taken up; the effects say to others what this member may not have been able to say. */
export function startConsensus(setup: ConsensusSetup): { readonly state: ConsensusState; readonly effects: ConsensusEffect[] } {
  const state = restore(setup);
  faceAnchor(state);
  if (state.joining || state.anchorFault) return { state, effects: conclude(state) };
  for (const taken of state.tree.blocks.values()) tellBlock(state, taken);
  settle(state);
  sayOwnBlock(state);
  return { state, effects: conclude(state) };
}

/** Changes `state` by an event. The same state and event give the same effects, to be performed in their order. */
export function step(state: ConsensusState, event: ConsensusEvent): ConsensusEffect[] {
  state.outbox = emptyOutbox();
  if (state.conflict || state.anchorFault) return [];
  wakeUp(state, sleptMs(state.at, event.at, LIMITS.clockSkewMaxMs), event.at);
  state.at = event.at;
  take(state, event);
  settle(state);
  return conclude(state);
}

/** What was made while the machine slept could not be seen (§12.4). */
function wakeUp(state: ConsensusState, ms: number, at: Instant): void {
  if (ms === 0) return;
  anchorEarlier(state.tree, ms);
  state.onlineSinceMs = at.unixMs;
}

export function headOf(state: ConsensusState): Position {
  return state.head.position;
}

export function finalisedOf(state: ConsensusState): {
  readonly position: Position;
  readonly number: number;
  readonly certificate?: FinalityCertificate;
} {
  const { block, number, certificate } = state.finality.last;
  return { position: block.position, number, ...(certificate && { certificate }) };
}

/** An action of this member as a transaction, for `transactionMade`. The same action gives the same bytes (§11.3). */
export function makeAction({ networkId, setup }: ConsensusState, action: Action): Uint8Array {
  return signAction(networkId, { by: setup.node, key: setup.operationalKey }, action, setup.sign);
}

function take(state: ConsensusState, event: ConsensusEvent): void {
  switch (event.type) {
    case 'ticked':
      return;
    case 'received':
      received(state, event);
      return;
    case 'peerReached':
      peerOf(state, event.peer);
      return;
    case 'transactionMade':
      addOwnTransaction(state, event.transaction, event.gossip);
      return;
    case 'drawProved':
      tpmAnswered(state, (task) => task.task === 'prove-draw' && sameBytes(task.alpha, event.alpha));
      drawProved(state, event.alpha, event.proof);
      return;
    case 'startCertified':
      if (tpmAnswered(state, (task) => task.task === 'certify-start' && sameBytes(task.parent, event.parent)))
        startCertified(state, event.parent, event.certificate);
      return;
    case 'endCertified':
      if (tpmAnswered(state, (task) => task.task === 'certify-end' && sameBytes(task.header, event.header))) ended(state, event);
      return;
    case 'voucherMade':
      if (tpmAnswered(state, (task) => task.task === 'make-voucher')) vouched(state, event.voucher);
      return;
    case 'tpmFailed':
      tpmFailed(state, event.task);
      return;
  }
}

function received(state: ConsensusState, { from, kind, payload }: ConsensusEvent & { type: 'received' }): void {
  if (!peerOf(state, from)) return;
  if (state.joining) return receivedWhileJoining(state, state.joining, { from, kind, payload });
  switch (kind) {
    case 'block':
      blockArrived(state, payload, from, 'gossip');
      return;
    case 'transaction':
      transactionArrived(state, payload, from);
      return;
    case 'ballot':
      ballotArrived(state, payload, from);
      return;
    case 'head':
      announcementArrived(state, payload, from);
      return;
    case 'request':
      requestArrived(state, payload, from);
      return;
    case 'response':
      responseArrived(state, payload, from);
      return;
    case 'voucher':
      keyShown(state, payload, from);
      return;
  }
}

/** A chain of which nothing is known here can't be followed; who stands where, and their keys, are needed later. */
function receivedWhileJoining(
  state: ConsensusState,
  joining: Joining,
  { from, kind, payload }: { readonly from: string; readonly kind: MessageKind; readonly payload: Uint8Array },
): void {
  if (kind === 'head') announcementArrived(state, payload, from);
  if (kind === 'request') requestArrived(state, payload, from);
  if (kind === 'voucher') joining.vouchers.set(from, payload);
  if (kind === 'response') joinAnswered(state, joining, payload, from);
  if (state.joining || state.anchorFault) return;
  for (const [peer, voucher] of joining.vouchers) keyShown(state, voucher, peer);
}

/** A checkpoint that the kept chain does not reach is asked for; one that it contradicts ends this member's part, unless one chain of layer 1 alone holds it. */
function faceAnchor(state: ConsensusState): void {
  const { anchor } = state.setup;
  const standing = anchor && standingTo(state, anchor);
  if (anchor && standing?.is === 'not-reached' && beginsAt(state, anchor)) state.joining = beginJoining(anchor);
  if (standing?.is !== 'contradicted') return;
  if (anchor?.from === 'one-chain') report(state.outbox, { report: 'anchorDoubted', detail: standing.detail });
  else refuseAnchor(state, standing.detail);
}

/** Whoever has a chain that is young enough goes on from there, and meets the checkpoint of layer 1 on its way. */
function beginsAt({ finality, at }: ConsensusState, anchor: Anchor): boolean {
  const { number, block } = finality.last;
  return anchor.from === undefined || number === 0 || at.unixMs - block.position.timeMs > CONSENSUS_LIMITS.trustWindowMs;
}

/** Whether the chain that has grown past a checkpoint of layer 1 holds it. */
function meetAnchor(state: ConsensusState, { number: before }: { readonly number: number }): void {
  const { anchor } = state.setup;
  if (anchor && before < anchor.number && state.finality.last.number >= anchor.number) faceAnchor(state);
}

function keyShown(state: ConsensusState, payload: Uint8Array, from: string): void {
  const node = voucherArrived(state, payload, from);
  if (node !== undefined) takeEarly(state, { node });
}

function ended(state: ConsensusState, { header, certificate }: ConsensusEvent & { type: 'endCertified' }): void {
  const block = endCertified(state, header, certificate);
  if (block) blockArrived(state, block.encoded, state.self, 'self');
}

function vouched(state: ConsensusState, voucher: Uint8Array): void {
  state.ownVoucher = voucher;
  broadcast(state.outbox, 'voucher', voucher, true);
  keyShown(state, voucher, state.self);
}

/** Everything that follows by itself, until nothing does. */
function settle(state: ConsensusState): void {
  while (!state.conflict && !state.joining && !state.anchorFault) {
    const taken = takeArrivals(state);
    for (const block of taken) blockTaken(state, block);
    const wanted = wantedOf(state);
    const final = nextFinal(state);
    const before = state.finality.last;
    if (final) finalise(state, final.certificate, final.block);
    meetAnchor(state, before);
    const moved = followForkChoice(state, taken);
    tellCandidate(state);
    if ((votesUntilMs(state.finality.decision) ?? Infinity) <= state.at.monotonicMs)
      tellVotes(state, { type: 'ticked', nowMs: state.at.monotonicMs });
    if (taken.length === 0 && !final && !moved && wantedOf(state) === wanted && !isDecidedHere(state)) return;
  }
}

/** How many blocks wait no longer than the next pass. */
function wantedOf({ arrivals }: ConsensusState): number {
  return arrivals.forced.size + arrivals.certified.size;
}

/** Whether a decision waits for nothing but the next pass. */
function isDecidedHere({ finality, tree }: ConsensusState): boolean {
  return finality.decided !== undefined && tree.blocks.has(finality.decided.value.toHex());
}

function blockTaken(state: ConsensusState, taken: TakenBlock): void {
  tellBlock(state, taken);
  certificatesOf(state, taken);
  if (taken.block && rivalsOf(state.tree, taken.block).length > 1) accuseOfBlocks(state, taken);
}

/** What this member owes and lacks, and then the effects. */
function conclude(state: ConsensusState): ConsensusEffect[] {
  if (state.conflict || state.anchorFault)
    return flush({ ...emptyOutbox(), records: state.outbox.records, reports: state.outbox.reports }, undefined);
  if (state.joining) {
    askToJoin(state, state.joining);
    return flush(state.outbox, joinUntilMs(state, state.joining));
  }
  endorseHead(state);
  followOwnWait(state);
  askTpm(state);
  announce(state);
  sayOwnTransactions(state);
  followPeers(state);
  sendRequests(state);
  return flush(state.outbox, wakeAtMs(state));
}

/** Nothing is due before; never at once, since what is due at this moment is done. */
function wakeAtMs(state: ConsensusState): number | undefined {
  const due = [
    ...[heldUntilMs(state), ownWaitUntilMs(state), tpmUntilMs(state), requestsUntilMs(state), followUntilMs(state), saysAgainMs(state)],
    ...[votesUntilMs(state.finality.decision), endorseAtMs(state)],
  ].filter((atMs) => atMs !== undefined);
  return due.length === 0 ? undefined : Math.max(Math.min(...due), state.at.monotonicMs + 1);
}

/** A block that was stored and perhaps never heard of. */
function sayOwnBlock({ tree, outbox, self }: ConsensusState): void {
  const own = [...tree.blocks.values()].filter(({ block }) => block?.header.node.toHex() === self);
  const latest = own.reduce<TakenBlock | undefined>(
    (best, next) => (best && best.position.height > next.position.height ? best : next),
    undefined,
  );
  if (latest?.block) broadcast(outbox, 'block', latest.block.encoded);
}
