/**
 * A job: one capsule on its way through a device's boxes, as a pure machine. Specification §7.2, §6.4.
 *
 * `stepJob` says what a job becomes when something has happened; `dutiesOf` says what the device owes others while a job
 * stands where it stands. The host stores the job first and then does its duties, and does them again after a silence, a
 * lost connection or a restart: every duty is idempotent, so nothing else is needed to lose nothing.
 */
import { endOf, type Report } from '#protocol/box-messages.ts';
import { CapsuleId, CapsuleState, EndReason, hasEnded } from '#protocol/capsule.ts';
import { LIMITS } from '#protocol/limits.ts';
import { bytes, fixedBytes, flag, integer, list, optional, struct, text, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { DEVICE_LIMITS } from '../limits.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const BlobName = text({ min: 64, max: 64 });

/** A challenge to the box and, once it came, the signed answer. */
const Measuring = struct({ nonce: fixedBytes(32), issuedAtMs: UnixMs, evidence: optional(bytes({ max: LIMITS.boxEvidenceBytesMax })) });

const End = struct({ state: CapsuleState, reason: optional(EndReason), detail: optional(text({ max: LIMITS.noteCharactersMax })) });

/** A job as it is kept in the store. */
export const Job = struct({
  capsule: CapsuleId,
  client: Name,
  state: CapsuleState,
  attempt: integer({ min: 0, max: LIMITS.attemptsMax }),
  acceptedAtMs: UnixMs,
  deadlineMs: optional(UnixMs),
  /** Digests (hexadecimal) that the device still lacks: of the capsule's files, later of the run's outputs. */
  lacking: list(BlobName, { max: LIMITS.capsuleFilesMax + LIMITS.outputFilesMax }),
  box: optional(Name),
  before: optional(Measuring),
  after: optional(Measuring),
  /** The box's signed report as it travelled. */
  report: optional(bytes({ max: LIMITS.reportBytesMax })),
  end: optional(End),
  cancelling: flag,
});

export type Job = Readonly<Infer<typeof Job>>;
export type Measuring = Readonly<Infer<typeof Measuring>>;
export type End = Readonly<Infer<typeof End>>;

export type JobEvent =
  | { readonly type: 'blobStored'; readonly digest: string }
  | { readonly type: 'blobRefused'; readonly reason: 'blob-missing' | 'blob-wrong' | 'disk-full'; readonly detail: string }
  | { readonly type: 'boxDrawn'; readonly box: string; readonly nonce: Uint8Array; readonly atMs: number }
  | { readonly type: 'evidenceAccepted'; readonly nonce: Uint8Array; readonly evidence: Uint8Array }
  | { readonly type: 'evidenceRefused'; readonly detail: string }
  | { readonly type: 'runStarted' }
  | { readonly type: 'runForgotten' }
  | { readonly type: 'boxSilent' }
  | {
      readonly type: 'reportAccepted';
      readonly bytes: Uint8Array;
      readonly report: Report;
      readonly lacking: string[];
      readonly nonce: Uint8Array;
      readonly atMs: number;
    }
  | { readonly type: 'receiptStored' }
  | { readonly type: 'cancelAsked' }
  | { readonly type: 'timePassed'; readonly atMs: number; readonly nonce: Uint8Array };

/** What the device owes while a job stands as it does. */
export type Duty =
  | { readonly duty: 'collectInput'; readonly digests: readonly string[] }
  | { readonly duty: 'drawBox' }
  | { readonly duty: 'challenge'; readonly box: string; readonly measuring: Measuring }
  | { readonly duty: 'assign'; readonly box: string }
  | { readonly duty: 'cancelRun'; readonly box: string }
  | { readonly duty: 'collectOutput'; readonly box: string; readonly digests: readonly string[] }
  | { readonly duty: 'issueReceipt' };

/** A challenge that has waited this long is asked again with a new nonce, so that its answer is always fresh. */
const CHALLENGE_AGE_MAX_MS = 60_000;

/** Ends of a run that say something about the box rather than the capsule: another attempt may do better. */
const BOX_FAILURES: readonly EndReason[] = ['agent-restarted', 'sandbox-unavailable', 'disk-full', 'blob-wrong', 'blob-missing'];

export function newJob(job: { capsule: string; client: string; acceptedAtMs: number; deadlineMs?: number; lacking: string[] }): Job {
  return settleInput({ ...job, state: 'submitted', attempt: 0, cancelling: false });
}

/** The job after `event`. An event that means nothing in this state changes nothing: the same object comes back. */
export function stepJob(job: Job, event: JobEvent): Job {
  if (hasEnded(job.state)) return job;
  switch (event.type) {
    case 'blobStored':
      return blobStored(job, event.digest);
    case 'blobRefused':
      return blobRefused(job, event);
    case 'boxDrawn':
      return job.state === 'ordered' ? assigned(job, event) : job;
    case 'evidenceAccepted':
      return evidenceAccepted(job, event);
    case 'evidenceRefused':
      return isWithBox(job) ? ended(job, { state: 'failed', reason: 'box-evidence-refused', detail: event.detail }) : job;
    case 'runStarted':
      return job.state === 'measured' ? { ...job, state: 'running' } : job;
    case 'runForgotten':
    case 'boxSilent':
      return isWithBox(job) ? nextAttempt(job, { state: 'failed', reason: 'box-lost', detail: `box ${job.box ?? ''} lost the run` }) : job;
    case 'reportAccepted':
      return reportAccepted(job, event);
    case 'receiptStored':
      return job.state === 'reported' && job.end ? { ...job, state: job.end.state, lacking: [] } : job;
    case 'cancelAsked':
      return cancelAsked(job);
    case 'timePassed':
      return timePassed(job, event);
  }
}

export function dutiesOf(job: Job): readonly Duty[] {
  switch (job.state) {
    case 'submitted':
      return [{ duty: 'collectInput', digests: job.lacking }];
    case 'ordered':
      return [{ duty: 'drawBox' }];
    case 'assigned':
      return job.box && job.before ? [{ duty: 'challenge', box: job.box, measuring: job.before }] : [];
    case 'measured':
    case 'running':
      return job.box ? [{ duty: job.cancelling ? 'cancelRun' : 'assign', box: job.box }] : [];
    case 'reported':
      return closingDuties(job);
    default:
      return [];
  }
}

/** The report and both measurements and all outputs are here. */
function isComplete(job: Job): boolean {
  return job.state === 'reported' && job.lacking.length === 0 && job.after?.evidence !== undefined;
}

function closingDuties(job: Job): Duty[] {
  if (isComplete(job)) return [{ duty: 'issueReceipt' }];
  const duties: Duty[] = [];
  if (!job.box) return duties;
  if (job.lacking.length > 0) duties.push({ duty: 'collectOutput', box: job.box, digests: job.lacking });
  if (job.after && !job.after.evidence) duties.push({ duty: 'challenge', box: job.box, measuring: job.after });
  return duties;
}

function isWithBox(job: Job): boolean {
  return job.state === 'assigned' || job.state === 'measured' || job.state === 'running' || job.state === 'reported';
}

function settleInput(job: Job): Job {
  return job.state === 'submitted' && job.lacking.length === 0 ? { ...job, state: 'ordered' } : job;
}

function blobStored(job: Job, digest: string): Job {
  if (!job.lacking.includes(digest)) return job;
  return settleInput({ ...job, lacking: job.lacking.filter((lacked) => lacked !== digest) });
}

function blobRefused(job: Job, refusal: { reason: EndReason; detail: string }): Job {
  if (job.state === 'submitted') return ended(job, { state: 'failed', reason: refusal.reason, detail: refusal.detail });
  return job.state === 'reported' ? nextAttempt(job, { state: 'failed', reason: refusal.reason, detail: refusal.detail }) : job;
}

function assigned(job: Job, drawn: { box: string; nonce: Uint8Array; atMs: number }): Job {
  return { ...job, state: 'assigned', attempt: job.attempt + 1, box: drawn.box, before: { nonce: drawn.nonce, issuedAtMs: drawn.atMs } };
}

function evidenceAccepted(job: Job, answer: { nonce: Uint8Array; evidence: Uint8Array }): Job {
  if (job.state === 'assigned' && isAnswerTo(job.before, answer.nonce)) {
    return { ...job, state: 'measured', before: { ...job.before, evidence: answer.evidence } };
  }
  if (job.state === 'reported' && isAnswerTo(job.after, answer.nonce))
    return { ...job, after: { ...job.after, evidence: answer.evidence } };
  return job;
}

function isAnswerTo(measuring: Measuring | undefined, nonce: Uint8Array): measuring is Measuring {
  return measuring !== undefined && measuring.evidence === undefined && measuring.nonce.every((byte, index) => byte === nonce[index]);
}

function reportAccepted(job: Job, event: { bytes: Uint8Array; report: Report; lacking: string[]; nonce: Uint8Array; atMs: number }): Job {
  if (job.state !== 'measured' && job.state !== 'running') return job;
  const end = endOf(event.report.outcome);
  const retry = end.reason !== undefined && BOX_FAILURES.includes(end.reason) && !job.cancelling;
  if (retry && job.attempt < LIMITS.attemptsMax) return again(job);
  return {
    ...job,
    state: 'reported',
    report: event.bytes,
    lacking: event.lacking,
    after: { nonce: event.nonce, issuedAtMs: event.atMs },
    end,
  };
}

function cancelAsked(job: Job): Job {
  const cancelled: End = { state: 'cancelled', reason: 'cancelled-by-client' };
  if (job.state === 'submitted' || job.state === 'ordered' || job.state === 'assigned') return ended(job, cancelled);
  return job.state === 'reported' || job.cancelling ? job : { ...job, cancelling: true };
}

function timePassed(job: Job, now: { atMs: number; nonce: Uint8Array }): Job {
  const notStarted = job.state === 'submitted' || job.state === 'ordered' || job.state === 'assigned' || job.state === 'measured';
  if (notStarted && job.deadlineMs !== undefined && now.atMs > job.deadlineMs) return ended(job, { state: 'expired', reason: 'deadline' });
  if (job.state === 'submitted' && now.atMs - job.acceptedAtMs > DEVICE_LIMITS.inputWaitMaxMs) {
    return ended(job, { state: 'failed', reason: 'blob-missing', detail: 'the client did not deliver the files of its capsule' });
  }
  if (job.state === 'assigned' && isStale(job.before, now.atMs)) return { ...job, before: { nonce: now.nonce, issuedAtMs: now.atMs } };
  if (job.state === 'reported' && isStale(job.after, now.atMs)) return { ...job, after: { nonce: now.nonce, issuedAtMs: now.atMs } };
  return job;
}

function isStale(measuring: Measuring | undefined, atMs: number): boolean {
  return measuring !== undefined && measuring.evidence === undefined && atMs - measuring.issuedAtMs > CHALLENGE_AGE_MAX_MS;
}

function nextAttempt(job: Job, lastEnd: End): Job {
  if (job.cancelling) return ended(job, { state: 'cancelled', reason: 'cancelled-by-client' });
  return job.attempt >= LIMITS.attemptsMax ? ended(job, lastEnd) : again(job);
}

/** Back in the queue; what the last box said no longer counts. */
function again(job: Job): Job {
  const { box: _box, before: _before, after: _after, report: _report, end: _end, ...kept } = job;
  return { ...kept, state: 'ordered', lacking: [] };
}

/** An end without a receipt: what a box may have reported counts for nothing. */
function ended(job: Job, end: End): Job {
  const { report: _report, ...kept } = job;
  return { ...kept, state: end.state, end, lacking: [] };
}
