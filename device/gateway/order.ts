/**
 * An order: a client's capsule on its way through the chain to a box and back, as its gateway sees it. A pure machine with
 * duties, as `device/hpc/job.ts` is for the executor. Specification §7.2, §15.8.
 *
 * The chain alone says which box has it; the executor's word moves it between `assigned` and `reported`, and only a receipt
 * that was checked, or the chain, the clock and the client, end it.
 */
import { CAPSULE_STATES, CapsuleId, CapsuleState, hasEnded, type EndReason } from '#protocol/capsule.ts';
import { Digest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { fixedBytes, flag, integer, list, oneOf, optional, struct, text, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { End } from '../hpc/job.ts';
import { DEVICE_LIMITS } from '../limits.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const BlobName = text({ min: 64, max: 64 });

/** The member whose box the chain has drawn, and the key with which that box signs; without a key no receipt of it counts. */
const Executor = struct({ node: Digest, device: Name, box: Name, key: optional(fixedBytes(32)) });

/** An order as it is kept in the store, beside what the client has handed over and the receipt. */
export const Order = struct({
  capsule: CapsuleId,
  client: Name,
  state: CapsuleState,
  acceptedAtMs: UnixMs,
  deadlineMs: optional(UnixMs),
  /** Digests (hexadecimal) that the gateway still lacks: of the capsule's files, later of the run's outputs. */
  lacking: list(BlobName, { max: LIMITS.capsuleFilesMax + LIMITS.outputFilesMax }),
  /** The last one that the chain has drawn; 0 before the first. */
  attempt: integer({ min: 0, max: LIMITS.attemptsMax }),
  executor: optional(Executor),
  /** Since when this attempt is with its box, and since when it runs there. */
  drawnAtMs: optional(UnixMs),
  runningSinceMs: optional(UnixMs),
  /** The wall time that the manifest allows. */
  wallMs: integer({ min: 0, max: LIMITS.wallMsMax }),
  /** Why this attempt came to nothing: another box is asked for. */
  failure: optional(End),
  /** Why no box can be drawn for it now; absent where one can. */
  waitsFor: optional(text({ max: LIMITS.noteCharactersMax })),
  end: optional(End),
  /** The end is that of a receipt. */
  receipt: oneOf('none', 'not-final', 'final'),
  cancelling: flag,
  /** The chain knows that nothing is to be done any more. */
  withdrawn: flag,
});

export type Executor = Readonly<Infer<typeof Executor>>;
export type Order = Readonly<Infer<typeof Order>>;

export type OrderEvent =
  | { readonly type: 'blobStored'; readonly digest: string }
  | { readonly type: 'blobRefused'; readonly reason: 'blob-missing' | 'blob-wrong' | 'disk-full'; readonly detail: string }
  /** The head of the chain has this attempt at this box. */
  | { readonly type: 'drawn'; readonly attempt: number; readonly executor: Executor; readonly atMs: number }
  /** The head of the chain has no more than these attempts: the block that drew the box was undone. */
  | { readonly type: 'undrawn'; readonly attempts: number }
  /** A box is to be drawn. `lacking`: why none can be now. */
  | { readonly type: 'boxSought'; readonly lacking: string | undefined }
  /** Where the run stands, as the executor says. */
  | { readonly type: 'runMoved'; readonly state: CapsuleState; readonly atMs: number }
  /** The attempt came to nothing: by the executor's word, its silence, a receipt that doesn't hold, or its expulsion. */
  | { readonly type: 'attemptFailed'; readonly reason: EndReason; readonly detail: string }
  /** The executor of this attempt says on the chain that the run goes on: there will be no other box. */
  | { readonly type: 'answered'; readonly attempt: number }
  /** The chain has an end without a receipt: its executor has given up, for a reason that no other box would mend. */
  | { readonly type: 'endedOnChain'; readonly state: CapsuleState; readonly reason?: EndReason }
  /** Checked and stored; `lacking`: the outputs. */
  | { readonly type: 'receiptAccepted'; readonly state: CapsuleState; readonly reason?: EndReason; readonly lacking: string[] }
  | { readonly type: 'receiptFinal' }
  /** The chain has an end for the capsule, or will take nothing about it any more. */
  | { readonly type: 'withdrawn' }
  | { readonly type: 'cancelAsked' }
  | { readonly type: 'timePassed'; readonly atMs: number };

/** What the gateway owes while an order stands as it does. */
export type OrderDuty =
  /** From the client. */
  | { readonly duty: 'collectInput'; readonly digests: readonly string[] }
  /** On the chain. */
  | { readonly duty: 'submit' }
  | { readonly duty: 'retry'; readonly attempt: number }
  | { readonly duty: 'withdraw' }
  /** To and from the executor. */
  | { readonly duty: 'giveOrder'; readonly executor: Executor }
  | { readonly duty: 'cancelRun'; readonly executor: Executor }
  | { readonly duty: 'collectOutput'; readonly executor: Executor; readonly digests: readonly string[] };

export function newOrder(order: {
  capsule: string;
  client: string;
  acceptedAtMs: number;
  deadlineMs?: number;
  wallMs: number;
  lacking: string[];
}): Order {
  return settleInput({ ...order, state: 'submitted', attempt: 0, receipt: 'none', cancelling: false, withdrawn: false });
}

/** The order after `event`. An event that means nothing in this state changes nothing: the same object comes back. */
export function stepOrder(order: Order, event: OrderEvent): Order {
  return hasEnded(order.state) ? stepEnded(order, event) : stepOpen(order, event);
}

export function orderDuties(order: Order): readonly OrderDuty[] {
  const { executor } = order;
  switch (order.state) {
    case 'submitted':
      return [{ duty: 'collectInput', digests: order.lacking }];
    case 'ordered':
      return [order.failure ? { duty: 'retry', attempt: order.attempt } : { duty: 'submit' }];
    case 'assigned':
    case 'measured':
    case 'running':
      if (!executor) return [];
      if (order.cancelling) return [{ duty: 'cancelRun', executor }];
      return order.state === 'assigned' ? [{ duty: 'giveOrder', executor }] : [];
    case 'reported':
      return executor && order.lacking.length > 0 ? [{ duty: 'collectOutput', executor, digests: order.lacking }] : [];
    default:
      return order.receipt === 'none' && !order.withdrawn ? [{ duty: 'withdraw' }] : [];
  }
}

/** Nothing can change any more. */
export function isSettled(order: Order): boolean {
  return hasEnded(order.state) && (order.receipt === 'final' || order.withdrawn);
}

/** Why it ended, came to nothing, or waits. */
export function whyOf({ state, end, failure, waitsFor }: Order): Partial<End> | undefined {
  if (hasEnded(state)) return end;
  return failure ?? (waitsFor === undefined ? undefined : { detail: waitsFor });
}

/** Whether its client is to be told. */
export function isNews(before: Order, order: Order): boolean {
  const changed = order.state !== before.state || order.attempt !== before.attempt || order.executor !== before.executor;
  return changed || order.waitsFor !== before.waitsFor;
}

/** Whether a box has it, so that its executor's silence means something. */
export function isOut(order: Order): boolean {
  return order.state === 'assigned' || order.state === 'measured' || order.state === 'running' || order.state === 'reported';
}

function stepOpen(order: Order, event: OrderEvent): Order {
  switch (event.type) {
    case 'blobStored':
      return blobStored(order, event.digest);
    case 'blobRefused':
      return blobRefused(order, event);
    case 'drawn':
      return drawn(order, event);
    case 'undrawn':
      return undrawn(order, event.attempts);
    case 'boxSought':
      return boxSought(order, event.lacking);
    case 'runMoved':
      return runMoved(order, event.state, event.atMs);
    case 'attemptFailed':
      return attemptFailed(order, event);
    case 'answered':
      return answered(order, event.attempt);
    case 'endedOnChain':
      return endedOnChain(order, event);
    case 'receiptAccepted':
      return receiptAccepted(order, event);
    case 'cancelAsked':
      return cancelAsked(order);
    case 'timePassed':
      return timePassed(order, event.atMs);
    case 'receiptFinal':
    case 'withdrawn':
      return order;
  }
}

/** An end changes only while its receipt is not final: when the chain has undone it and given the capsule to another box. */
function stepEnded(order: Order, event: OrderEvent): Order {
  if (isSettled(order)) return order;
  switch (event.type) {
    case 'drawn':
      return order.receipt === 'none' || isSameRun(order, event) ? order : drawn(reopened(order), event);
    case 'receiptFinal':
      return order.receipt === 'not-final' ? { ...order, receipt: 'final' } : order;
    case 'withdrawn':
      return order.receipt === 'none' ? { ...order, withdrawn: true } : order;
    default:
      return order;
  }
}

function settleInput(order: Order): Order {
  return order.state === 'submitted' && order.lacking.length === 0 ? { ...order, state: 'ordered' } : order;
}

function blobStored(order: Order, digest: string): Order {
  if (!order.lacking.includes(digest)) return order;
  return settleOutput(settleInput({ ...order, lacking: order.lacking.filter((lacked) => lacked !== digest) }));
}

function settleOutput(order: Order): Order {
  return order.state === 'reported' && order.end && order.lacking.length === 0 ? { ...order, state: order.end.state } : order;
}

function blobRefused(order: Order, { reason, detail }: { reason: EndReason; detail: string }): Order {
  if (order.state === 'submitted') return ended(order, { state: 'failed', reason, detail });
  return order.state === 'reported' ? attemptFailed(order, { reason, detail }) : order;
}

function drawn(order: Order, draw: { attempt: number; executor: Executor; atMs: number }): Order {
  if (order.state === 'submitted' || isSameRun(order, draw)) return order;
  const { failure: _failure, waitsFor: _waits, end: _end, runningSinceMs: _running, ...kept } = order;
  const { attempt, executor, atMs } = draw;
  return { ...kept, state: 'assigned', attempt, executor, drawnAtMs: atMs, lacking: [], receipt: 'none' };
}

/** A failed attempt is still the same one until the chain has drawn the next. */
function isSameRun(order: Order, draw: { attempt: number; executor: Executor }): boolean {
  const { executor } = order;
  if (!executor || order.attempt !== draw.attempt) return false;
  return executor.box === draw.executor.box && executor.device === draw.executor.device && isSame(executor.node, draw.executor.node);
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

function undrawn(order: Order, attempts: number): Order {
  if (order.attempt <= attempts || order.state === 'submitted') return order;
  const { failure: _failure, end: _end, executor: _executor, drawnAtMs: _drawn, runningSinceMs: _running, ...kept } = order;
  return { ...kept, state: 'ordered', attempt: attempts, lacking: [], receipt: 'none' };
}

function boxSought(order: Order, lacking: string | undefined): Order {
  if (order.state !== 'ordered' || order.waitsFor === lacking) return order;
  const { waitsFor: _before, ...kept } = order;
  return lacking === undefined ? kept : { ...kept, waitsFor: lacking };
}

/** Forward only, and never to an end: for that the executor has to show a receipt. */
function runMoved(order: Order, state: CapsuleState, atMs: number): Order {
  const isForward = CAPSULE_STATES.indexOf(state) > CAPSULE_STATES.indexOf(order.state);
  if (!isOut(order) || !isForward) return order;
  if (state === 'measured') return { ...order, state };
  return state === 'running' ? { ...order, state, runningSinceMs: atMs } : order;
}

function attemptFailed(order: Order, { reason, detail }: { reason: EndReason; detail: string }): Order {
  if (!isOut(order)) return order;
  if (order.cancelling) return ended(order, { state: 'cancelled', reason: 'cancelled-by-client' });
  const failure: End = { state: 'failed', reason, detail };
  if (order.attempt >= LIMITS.attemptsMax) return ended(order, failure);
  const { end: _end, ...kept } = order;
  return { ...kept, state: 'ordered', failure, lacking: [], receipt: 'none' };
}

/** Who was only not heard is waited for again; an attempt that failed for another reason was the last one. */
function answered(order: Order, attempt: number): Order {
  const { failure, waitsFor: _waits, ...kept } = order;
  if (order.state !== 'ordered' || !failure || order.attempt !== attempt) return order;
  return failure.reason === 'box-lost' ? { ...kept, state: 'assigned' } : ended(kept, failure);
}

/** What this gateway was told of the failure, or knows of the boxes, says more than the chain. */
function endedOnChain(order: Order, { state, reason }: { state: CapsuleState; reason?: EndReason }): Order {
  if (order.state === 'submitted') return order;
  return ended(order, order.failure ?? (state === 'expired' ? expiry(order) : { state, ...(reason && { reason }) }));
}

function expiry({ waitsFor }: Order): End {
  return { state: 'expired', reason: 'deadline', ...(waitsFor === undefined ? {} : { detail: waitsFor }) };
}

function receiptAccepted(order: Order, { state, reason, lacking }: { state: CapsuleState; reason?: EndReason; lacking: string[] }): Order {
  if (!isOut(order) || order.state === 'reported') return order;
  const end: End = { state, ...(reason === undefined ? {} : { reason }) };
  return settleOutput({ ...order, state: 'reported', end, lacking, receipt: 'not-final' });
}

function cancelAsked(order: Order): Order {
  if (order.state === 'submitted' || order.state === 'ordered') return ended(order, { state: 'cancelled', reason: 'cancelled-by-client' });
  return order.state === 'reported' || order.cancelling ? order : { ...order, cancelling: true };
}

function timePassed(order: Order, atMs: number): Order {
  const notStarted = order.state !== 'running' && order.state !== 'reported';
  if (notStarted && order.deadlineMs !== undefined && atMs > order.deadlineMs) return ended(order, expiry(order));
  const waitedMs = atMs - order.acceptedAtMs;
  if (order.state === 'submitted' && waitedMs > DEVICE_LIMITS.inputWaitMaxMs)
    return ended(order, { state: 'failed', reason: 'blob-missing', detail: 'the client did not deliver the files of its capsule' });
  if (takesTooLong(order, atMs)) return attemptFailed(order, { reason: 'box-lost', detail: 'the run took longer than it may' });
  const retriedMs = order.drawnAtMs === undefined ? 0 : atMs - order.drawnAtMs;
  if (order.state === 'ordered' && order.failure && retriedMs > DEVICE_LIMITS.retryWaitMaxMs) return ended(order, order.failure);
  return order;
}

/** An executor that says for ever that it is about to begin, or about to end. */
function takesTooLong({ state, drawnAtMs = 0, runningSinceMs = 0, wallMs }: Order, atMs: number): boolean {
  if (state === 'assigned' || state === 'measured') return atMs - drawnAtMs > DEVICE_LIMITS.startWaitMaxMs;
  return (state === 'running' || state === 'reported') && atMs - runningSinceMs > wallMs + DEVICE_LIMITS.runSpareMs && runningSinceMs > 0;
}

function reopened(order: Order): Order {
  const { end: _end, ...kept } = order;
  return { ...kept, state: 'ordered', receipt: 'none' };
}

/** An end without a receipt. What was never on the chain needs no withdrawal. */
function ended(order: Order, end: End): Order {
  return { ...order, state: end.state, end, lacking: [], receipt: 'none', withdrawn: order.state === 'submitted' };
}
