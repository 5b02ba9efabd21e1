/** What gateways and executors may say of capsules. Pure. Specification §15. */
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { hasEnded } from '#protocol/capsule.ts';
import { sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { agendaOf } from './capsule-agenda.ts';
import { capsulesOf } from './capsule-share.ts';
import type { Place } from './position.ts';
import { applied, refused, type Outcome, type Refusal } from './transaction-refusal.ts';

/** By the gateway, which is the author. A capsule that was forgotten is too old to come again. */
export function applySubmission(state: ChainState, by: Uint8Array, action: ActionOf<'submission'>, { height, timeMs }: Place): Outcome {
  const { action: _, ...submission } = action;
  if (state.capsules.has(submission.capsule)) return refused('capsule-known', `the capsule ${submission.capsule} is ordered already`);
  const fault = timeFault(submission, timeMs) ?? roomFault(state) ?? shareFault(state, by);
  if (fault) return fault;
  return applied(withCapsule(state, { ...submission, gateway: by, orderedHeight: height, attempts: [], awaitsDraw: 'yes' }));
}

/** By the gateway: an attempt that did not get anywhere. After the last one the capsule has failed. */
export function applyRetry(state: ChainState, by: Uint8Array, { capsule, attempt }: ActionOf<'retry'>, { height }: Place): Outcome {
  const record = openRecord(state, capsule);
  if (record.status === 'refused') return record;
  const { value } = record;
  if (!sameBytes(value.gateway, by)) return notTheGateway(capsule);
  if (value.awaitsDraw === 'yes') return refused('awaits-draw', `no box is drawn for attempt ${value.attempts.length + 1} yet`);
  if (attempt !== value.attempts.length) return otherAttempt(attempt, value);
  if (attempt < LIMITS.attemptsMax) return applied(withCapsule(state, { ...value, awaitsDraw: 'yes' }));
  return applied(withCapsule(state, { ...value, end: { state: 'failed', reason: 'box-lost', height } }));
}

/** By the executor of the last attempt. That of a cancelled capsule may still say how its run ended, once. */
export function applyReceipt(state: ChainState, by: Uint8Array, action: ActionOf<'receipt'>, { height }: Place): Outcome {
  const { capsule, attempt, receipt, state: endState, reason } = action;
  const record = state.capsules.get(capsule);
  if (!record) return unknownCapsule(capsule);
  if (record.end && !(record.end.state === 'cancelled' && !record.end.receipt))
    return refused('capsule-ended', `the capsule ${capsule} has ended`);
  const last = record.attempts.at(-1);
  if (attempt !== record.attempts.length || !last) return otherAttempt(attempt, record);
  if (record.awaitsDraw === 'yes')
    return refused('awaits-draw', `attempt ${attempt} was given up; a box for the next one is not drawn yet`);
  if (!sameBytes(last.node, by)) return refused('not-the-executor', `another member's box was drawn for attempt ${attempt} of ${capsule}`);
  if (!hasEnded(endState)) return refused('not-an-end', `the state is ${endState}; a receipt says how a run ended`);
  return applied(withCapsule(state, { ...record, end: { state: endState, ...(reason && { reason }), receipt, height } }));
}

/** By the gateway, on behalf of its client. */
export function applyCancellation(state: ChainState, by: Uint8Array, { capsule }: ActionOf<'cancellation'>, { height }: Place): Outcome {
  const record = openRecord(state, capsule);
  if (record.status === 'refused') return record;
  if (!sameBytes(record.value.gateway, by)) return notTheGateway(capsule);
  const end = { state: 'cancelled', reason: 'cancelled-by-client', height } as const;
  return applied(withCapsule(state, { ...record.value, awaitsDraw: 'no', end }));
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

function notTheGateway(capsule: string): Refusal {
  return refused('not-the-gateway', `another member is the gateway of ${capsule}`);
}

function otherAttempt(attempt: number, { attempts }: CapsuleRecord): Refusal {
  return refused('other-attempt', `attempt ${attempt}; the last one is ${attempts.length}`);
}
