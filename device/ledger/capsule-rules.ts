/** What gateways and executors may say of capsules. Pure. Specification §15. */
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { capsuleIdFrom, hasEnded } from '#protocol/capsule.ts';
import { sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { awaitingDraw, endedWith, givenUp, isBoxGone } from './attempts.ts';
import { agendaOf } from './capsule-agenda.ts';
import { capsulesOf } from './capsule-share.ts';
import { recordOf } from './member-identity.ts';
import type { Place } from './position.ts';
import { applied, refused, type Outcome, type Refusal } from './transaction-refusal.ts';

/** By the gateway, which is the author. A capsule that was forgotten is too old to come again. */
export function applySubmission(state: ChainState, by: Uint8Array, action: ActionOf<'submission'>, place: Place): Outcome {
  const { action: _, requestDigest, ...submission } = action;
  const { height, timeMs } = place;
  const id = ownCapsuleId(state, by, action, place);
  if (submission.capsule !== id)
    return refused('capsule-mismatch', `author, request digest and capsule digest make capsule ${id}, not ${submission.capsule}`);
  if (state.capsules.has(submission.capsule)) return refused('capsule-known', `the capsule ${submission.capsule} is ordered already`);
  const fault = timeFault(submission, timeMs) ?? roomFault(state) ?? shareFault(state, by);
  if (fault) return fault;
  const record: CapsuleRecord = { ...submission, gateway: by, orderedHeight: height, attempts: [], awaitsDraw: 'yes' };
  return applied(withCapsule(state, awaitingDraw(record, place)));
}

/**
 * By the gateway: an attempt that does not get anywhere. That alone gives no other box, or a gateway could choose among three: the chain
 * must show that the box is gone, or the executor must leave it unanswered.
 */
export function applyRetry(state: ChainState, by: Uint8Array, { capsule, attempt }: ActionOf<'retry'>, place: Place): Outcome {
  const record = openRecord(state, capsule);
  if (record.status === 'refused') return record;
  const { value } = record;
  if (!sameBytes(value.gateway, by)) return notTheGateway(capsule);
  if (value.awaitsDraw === 'yes') return refused('awaits-draw', `no box is drawn for attempt ${value.attempts.length + 1} yet`);
  if (attempt !== value.attempts.length) return otherAttempt(attempt, value);
  if (isBoxGone(state, value)) return applied(withCapsule(state, givenUp(value, place)));
  if (value.asked) return refused('retry-known', `the executor of attempt ${attempt} was asked at height ${value.asked.height}`);
  const { height, timeMs } = place;
  if (value.answeredHeight !== undefined && height - value.answeredHeight < LIMITS.retryAgainHeights)
    return refused('executor-answered', `the run goes on, its executor has answered at height ${value.answeredHeight}`);
  return applied(withCapsule(state, { ...value, asked: { height, timeMs } }));
}

/** By the executor of the last attempt, whose word alone gives the capsule to another box, or ends it where the gateway is to blame. */
export function applyAnswer(state: ChainState, by: Uint8Array, action: ActionOf<'answer'>, place: Place): Outcome {
  const { capsule, attempt, run, asked } = action;
  const record = openRecord(state, capsule);
  if (record.status === 'refused') return record;
  const { value } = record;
  const fault = attemptFault(value, by, attempt);
  if (fault) return fault;
  const { height } = place;
  switch (run) {
    case 'given-up':
      return applied(withCapsule(state, givenUp(value, place)));
    case 'input-lacking':
      return applied(withCapsule(state, endedWith(value, { state: 'failed', reason: 'blob-missing', height })));
    case 'cancelled':
      return applied(withCapsule(state, endedWith(value, { state: 'cancelled', reason: 'cancelled-by-client', height })));
    case 'goes-on':
      return value.asked && value.asked.height === asked ? applied(withCapsule(state, answered(value, height))) : notAsked(action);
  }
}

/** By the executor of the last attempt. That of a cancelled capsule may still say how its run ended, once. */
export function applyReceipt(state: ChainState, by: Uint8Array, action: ActionOf<'receipt'>, { height }: Place): Outcome {
  const { capsule, attempt, receipt, state: endState, reason } = action;
  const record = state.capsules.get(capsule);
  if (!record) return unknownCapsule(capsule);
  if (record.end && !(record.end.state === 'cancelled' && !record.end.receipt))
    return refused('capsule-ended', `the capsule ${capsule} has ended`);
  const fault = attemptFault(record, by, attempt);
  if (fault) return fault;
  if (!hasEnded(endState)) return refused('not-an-end', `the state is ${endState}; a receipt says how a run ended`);
  return applied(withCapsule(state, endedWith(record, { state: endState, ...(reason && { reason }), receipt, height })));
}

/** By the gateway, on behalf of its client. */
export function applyCancellation(state: ChainState, by: Uint8Array, { capsule }: ActionOf<'cancellation'>, { height }: Place): Outcome {
  const record = openRecord(state, capsule);
  if (record.status === 'refused') return record;
  if (!sameBytes(record.value.gateway, by)) return notTheGateway(capsule);
  const end = { state: 'cancelled', reason: 'cancelled-by-client', height } as const;
  return applied(withCapsule(state, endedWith(record.value, end)));
}

/** So that nobody has the id of another gateway's capsule ordered first. */
function ownCapsuleId(state: ChainState, by: Uint8Array, action: ActionOf<'submission'>, { context }: Place): string {
  const device = recordOf(state, by)?.member.name ?? '';
  return capsuleIdFrom({ network: context.networkId, device, requestDigest: action.requestDigest, capsule: action.digest });
}

/** Of what only the executor of the last attempt may say. */
function attemptFault(record: CapsuleRecord, by: Uint8Array, attempt: number): Refusal | undefined {
  const last = record.attempts.at(-1);
  if (attempt !== record.attempts.length || !last) return otherAttempt(attempt, record);
  if (record.awaitsDraw === 'yes')
    return refused('awaits-draw', `attempt ${attempt} was given up; a box for the next one is not drawn yet`);
  if (sameBytes(last.node, by)) return undefined;
  return refused('not-the-executor', `another member's box was drawn for attempt ${attempt} of ${record.capsule}`);
}

function answered({ asked: _, ...record }: CapsuleRecord, height: number): CapsuleRecord {
  return { ...record, answeredHeight: height };
}

function withCapsule(state: ChainState, record: CapsuleRecord): ChainState {
  return { ...state, capsules: state.capsules.with(record.capsule, record) };
}

function timeFault({ acceptedAtMs, deadlineMs }: Pick<CapsuleRecord, 'acceptedAtMs' | 'deadlineMs'>, timeMs: number): Refusal | undefined {
  if (acceptedAtMs < timeMs - LIMITS.submissionAgeMaxMs)
    return refused(
      'submission-too-old',
      `accepted at ${acceptedAtMs}, block at ${timeMs}; at most ${LIMITS.submissionAgeMaxMs} ms may lie between`,
    );
  if (acceptedAtMs > timeMs + LIMITS.clockSkewMaxMs)
    return refused('submission-too-early', `accepted at ${acceptedAtMs}, ahead of the block at ${timeMs}`);
  if (deadlineMs !== undefined && deadlineMs < timeMs)
    return refused('deadline-passed', `the deadline was ${deadlineMs}; the block is at ${timeMs}`);
  return undefined;
}

function roomFault(state: ChainState): Refusal | undefined {
  if (state.capsules.size < LIMITS.chainCapsulesKeptMax && agendaOf(state.capsules).open < LIMITS.chainCapsulesMax) return undefined;
  return refused(
    'capsules-full',
    `${LIMITS.chainCapsulesMax} capsules wait for their end, or ${LIMITS.chainCapsulesKeptMax} are remembered`,
  );
}

/** So that one gateway can't take the room of all. */
function shareFault(state: ChainState, gateway: Uint8Array): Refusal | undefined {
  const seats = state.core.seats.length;
  const [openMax, keptMax] = [shareOf(LIMITS.chainCapsulesMax, seats), shareOf(LIMITS.chainCapsulesKeptMax, seats)];
  const { open, kept } = capsulesOf(state.capsules, gateway);
  if (open < openMax && kept < keptMax) return undefined;
  return refused(
    'gateway-full',
    `${open} capsules of this gateway wait for their end and ${kept} are remembered; at most ${openMax} may wait and ${keptMax} be remembered`,
  );
}

function shareOf(max: number, seats: number): number {
  return Math.max(Math.floor(max / Math.max(seats, 1)), LIMITS.gatewayCapsulesMin);
}

function openRecord(state: ChainState, capsule: string): { readonly status: 'open'; readonly value: CapsuleRecord } | Refusal {
  const value = state.capsules.get(capsule);
  if (!value) return unknownCapsule(capsule);
  return value.end ? refused('capsule-ended', `the capsule ${capsule} has ended`) : { status: 'open', value };
}

function unknownCapsule(capsule: string): Refusal {
  return refused('capsule-unknown', `the capsule ${capsule} is not known, or was forgotten after its end`);
}

function notAsked({ capsule, asked }: ActionOf<'answer'>): Refusal {
  return refused('not-asked', `the gateway of ${capsule} does not ask at height ${asked ?? 'none'}`);
}

function notTheGateway(capsule: string): Refusal {
  return refused('not-the-gateway', `another member is the gateway of ${capsule}`);
}

function otherAttempt(attempt: number, { attempts }: CapsuleRecord): Refusal {
  return refused('other-attempt', `attempt ${attempt}; the last one is ${attempts.length}`);
}
