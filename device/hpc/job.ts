/**
 * A job: one run that the chain has given to a box of this device, as a pure machine. Specification §6.4, §15.3.
 *
 * `stepJob` says what a job becomes when something has happened; `dutiesOf` says what the device owes others while a job
 * stands where it stands. The host stores the job first and then does its duties, and does them again after a silence, a
 * lost connection or a restart: every duty is idempotent, so nothing else is needed to lose nothing.
 */
import { endOf, runIdOf, type Report } from '#protocol/box-messages.ts';
import { CapsuleId, CapsuleState, EndReason, hasEnded, RequestId } from '#protocol/capsule.ts';
import { Digest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { Dispute } from '#protocol/receipt.ts';
import { RunEnergy } from '#protocol/run-energy.ts';
import { bytes, fixedBytes, flag, integer, list, oneOf, optional, struct, text, type Infer, type Struct } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { DEVICE_LIMITS } from '../limits.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const BlobName = text({ min: 64, max: 64 });

/** A challenge to the box and, once it came, the signed answer. */
const Measuring = struct({ nonce: fixedBytes(32), issuedAtMs: UnixMs, evidence: optional(bytes({ max: LIMITS.boxEvidenceBytesMax })) });

export const End = struct({ state: CapsuleState, reason: optional(EndReason), detail: optional(text({ max: LIMITS.noteCharactersMax })) });

/** What the chain says of a run. */
const ASSIGNED = {
  capsule: CapsuleId,
  attempt: integer({ min: 1, max: LIMITS.attemptsMax }),
  box: Name,
  gateway: struct({ node: Digest, device: Name }),
  /** Digest of the capsule, and the blob digest of its manifest. */
  digest: Digest,
  manifest: Digest,
  acceptedAtMs: UnixMs,
  deadlineMs: optional(UnixMs),
};

/** A job as it is kept in the store, beside the manifest and the receipt. */
export const Job = struct({
  ...ASSIGNED,
  state: CapsuleState,
  /** Who asks, as the gateway has said. */
  order: optional(struct({ client: Name, request: RequestId })),
  /** Digests (hexadecimal) that the device still lacks: of the capsule's files, later of the run's outputs. */
  lacking: list(BlobName, { max: LIMITS.capsuleFilesMax + LIMITS.outputFilesMax }),
  before: optional(Measuring),
  after: optional(Measuring),
  /** When the device first gave it to the box, and when the box said that it runs. */
  assignedAtMs: optional(UnixMs),
  runningSinceMs: optional(UnixMs),
  /** Since then: the moments that were drawn, and the checks so far (§6.6). */
  moments: optional(list(UnixMs, { max: LIMITS.boxChecksMax })),
  checks: optional(list(Measuring, { max: LIMITS.boxChecksMax })),
  /** The box's signed report as it travelled. */
  report: optional(bytes({ max: LIMITS.reportBytesMax })),
  end: optional(End),
  /** What the run took, and what the device holds against it (§17.4-17.5). */
  energy: optional(RunEnergy),
  disputed: optional(Dispute),
  endedAtMs: optional(UnixMs),
  cancelling: flag,
  /** Whether the gateway has the receipt and the outputs; `overdue`: it has had its time. */
  delivery: oneOf('owed', 'overdue', 'acknowledged'),
  /** What the chain says of the run; `final`: a checkpoint holds the receipt. */
  standing: oneOf('assigned', 'withdrawn', 'final'),
});

export type Assignment = Readonly<Struct<typeof ASSIGNED>>;
export type Job = Readonly<Infer<typeof Job>>;
export type Measuring = Readonly<Infer<typeof Measuring>>;
export type End = Readonly<Infer<typeof End>>;
export type Given = Pick<Job, 'assignedAtMs' | 'moments'>;

export type JobEvent =
  | { readonly type: 'orderGiven'; readonly client: string; readonly request: Uint8Array; readonly lacking: string[] }
  | { readonly type: 'blobStored'; readonly digest: string }
  | { readonly type: 'blobRefused'; readonly reason: 'blob-missing' | 'blob-wrong' | 'disk-full'; readonly detail: string }
  | { readonly type: 'measuringBegun'; readonly nonce: Uint8Array; readonly atMs: number }
  | { readonly type: 'evidenceAccepted'; readonly nonce: Uint8Array; readonly evidence: Uint8Array; readonly given?: Given }
  | { readonly type: 'evidenceRefused'; readonly detail: string }
  /** The box has shown less than the capsule asks for (§6.4). */
  | { readonly type: 'trustLacking'; readonly detail: string }
  /** `moments`: when the box is to be checked. */
  | { readonly type: 'runStarted'; readonly atMs: number; readonly moments?: readonly number[] }
  | { readonly type: 'runForgotten' }
  | { readonly type: 'boxSilent' }
  /** By control (§17.2). */
  | { readonly type: 'boxCutOff'; readonly reason: 'box-fenced' | 'box-lost'; readonly detail: string }
  | { readonly type: 'disputed'; readonly dispute: Dispute }
  | {
      readonly type: 'reportAccepted';
      readonly bytes: Uint8Array;
      readonly report: Report;
      readonly lacking: string[];
      readonly energy?: RunEnergy | undefined;
      readonly nonce: Uint8Array;
      readonly atMs: number;
    }
  | { readonly type: 'receiptStored'; readonly atMs: number }
  | { readonly type: 'cancelAsked' }
  /** By the gateway. */
  | { readonly type: 'acknowledged' }
  /** The chain has the run no more: it was cancelled, given to another box, or undone with its block. */
  | { readonly type: 'withdrawn' }
  /** What was withdrawn stands on the chain again; the box has been told to forget it. */
  | { readonly type: 'assignedAgain' }
  /** A checkpoint holds the receipt. */
  | { readonly type: 'receiptFinal' }
  | { readonly type: 'timePassed'; readonly atMs: number; readonly nonce: Uint8Array };

/** What the device owes while a job stands as it does. */
export type Duty =
  /** Its state, to the gateway: by this it knows that the executor lives. */
  | { readonly duty: 'tellState' }
  | { readonly duty: 'collectInput'; readonly digests: readonly string[] }
  | { readonly duty: 'beginMeasuring' }
  | { readonly duty: 'challenge'; readonly measuring: Measuring; readonly check?: true }
  | { readonly duty: 'assign' }
  | { readonly duty: 'cancelRun' }
  | { readonly duty: 'collectOutput'; readonly digests: readonly string[] }
  | { readonly duty: 'issueReceipt' }
  | { readonly duty: 'deliverReceipt' }
  /** The receipt's digest on the chain. */
  | { readonly duty: 'settle' }
  /** On the chain that there will be no receipt, so that another box is drawn, or the capsule ends. */
  | { readonly duty: 'giveUp'; readonly run: 'given-up' | 'input-lacking' };

/** Ends of a run that say something about the box rather than the capsule: another attempt may do better. */
const BOX_FAILURES: readonly EndReason[] = ['agent-restarted', 'sandbox-unavailable', 'disk-full', 'blob-wrong', 'blob-missing'];

export function newJob(assignment: Assignment): Job {
  return { ...assignment, state: 'assigned', lacking: [], cancelling: false, delivery: 'owed', standing: 'assigned' };
}

export function runOf({ capsule, attempt }: Job): string {
  return runIdOf(capsule, attempt);
}

/** The job after `event`. An event that means nothing in this state changes nothing: the same object comes back. */
export function stepJob(job: Job, event: JobEvent): Job {
  return hasEnded(job.state) ? stepEnded(job, event) : stepOpen(job, event);
}

export function dutiesOf(job: Job): readonly Duty[] {
  if (isClosed(job)) return [];
  switch (job.state) {
    case 'assigned':
      return [{ duty: 'tellState' }, ...openingDuties(job)];
    case 'measured':
    case 'running':
      return [{ duty: 'tellState' }, { duty: job.cancelling ? 'cancelRun' : 'assign' }, ...checkDuties(job)];
    case 'reported':
      return [{ duty: 'tellState' }, ...closingDuties(job)];
    default:
      return endDuties(job);
  }
}

/** An end that rests on a report goes with a receipt; the others are only said. */
export function hasReceipt(job: Job): boolean {
  return hasEnded(job.state) && job.report !== undefined;
}

/** The box was measured for the run, may have its input, and has not reported. */
export function isOnBox({ state }: Job): boolean {
  return state === 'measured' || state === 'running';
}

/** Nothing is owed to anybody any more. */
export function isClosed(job: Job): boolean {
  if (!hasEnded(job.state)) return false;
  return job.standing === 'withdrawn' || (job.standing === 'final' && job.delivery === 'acknowledged');
}

/** The check that waits for its answer. */
export function openCheck({ checks }: Job): Measuring | undefined {
  return checks?.find(({ evidence }) => evidence === undefined);
}

function checkDuties(job: Job): Duty[] {
  const measuring = openCheck(job);
  return measuring ? [{ duty: 'challenge', measuring, check: true }] : [];
}

function openingDuties(job: Job): Duty[] {
  if (!job.order) return [];
  if (job.lacking.length > 0) return [{ duty: 'collectInput', digests: job.lacking }];
  return [job.before ? { duty: 'challenge', measuring: job.before } : { duty: 'beginMeasuring' }];
}

/** The report and both measurements and all outputs are here. */
function isComplete(job: Job): boolean {
  return job.state === 'reported' && job.lacking.length === 0 && job.after?.evidence !== undefined;
}

function closingDuties(job: Job): Duty[] {
  if (isComplete(job)) return [{ duty: 'issueReceipt' }];
  const duties: Duty[] = [];
  if (job.lacking.length > 0) duties.push({ duty: 'collectOutput', digests: job.lacking });
  if (job.after && !job.after.evidence) duties.push({ duty: 'challenge', measuring: job.after });
  return duties;
}

function endDuties(job: Job): Duty[] {
  if (!hasReceipt(job)) return [{ duty: 'tellState' }, ...(job.state === 'failed' ? [{ duty: 'giveUp', run: faultOf(job) } as const] : [])];
  const duties: Duty[] = [];
  if (job.delivery !== 'acknowledged') duties.push({ duty: 'deliverReceipt' });
  if (job.delivery !== 'owed' && job.standing !== 'final') duties.push({ duty: 'settle' });
  return duties;
}

/** Files that did not come from the gateway are its fault: they must not give it another box. */
function faultOf({ before, end }: Job): 'given-up' | 'input-lacking' {
  const isInput = !before && (end?.reason === 'blob-missing' || end?.reason === 'blob-wrong');
  return isInput ? 'input-lacking' : 'given-up';
}

/** What the executor answers where the gateway says that a run gets nowhere (§15.5); undefined: it says no more than that it gave up. */
export function answerOf(job: Job): 'goes-on' | 'cancelled' | undefined {
  if (!hasEnded(job.state) || hasReceipt(job)) return 'goes-on';
  return job.state === 'cancelled' ? 'cancelled' : undefined;
}

function stepOpen(job: Job, event: JobEvent): Job {
  switch (event.type) {
    case 'orderGiven':
      return orderGiven(job, event);
    case 'blobStored':
      return job.lacking.includes(event.digest) ? { ...job, lacking: job.lacking.filter((lacked) => lacked !== event.digest) } : job;
    case 'blobRefused':
      return job.lacking.length > 0 ? failed(job, event.reason, event.detail) : job;
    case 'measuringBegun':
      return measuringBegun(job, event);
    case 'evidenceAccepted':
      return evidenceAccepted(job, event);
    case 'evidenceRefused':
      return failed(job, 'box-evidence-refused', event.detail);
    case 'trustLacking':
      return failed(job, 'trust-lacking', event.detail);
    case 'runStarted':
      return runStarted(job, event);
    case 'runForgotten':
    case 'boxSilent':
      return failed(job, 'box-lost', `box ${job.box} lost the run`);
    case 'boxCutOff':
      return failed(job, event.reason, event.detail);
    case 'disputed':
      return disputed(job, event.dispute);
    case 'reportAccepted':
      return reportAccepted(job, event);
    case 'receiptStored':
      return job.state === 'reported' && job.end ? { ...job, state: job.end.state, endedAtMs: event.atMs, lacking: [] } : job;
    case 'cancelAsked':
      return cancelAsked(job);
    case 'withdrawn':
      return { ...ended(job, { state: 'cancelled' }), standing: 'withdrawn' };
    case 'timePassed':
      return timePassed(job, event);
    case 'acknowledged':
    case 'assignedAgain':
    case 'receiptFinal':
      return job;
  }
}

/** Of an end only the delivery is left. */
function stepEnded(job: Job, event: JobEvent): Job {
  switch (event.type) {
    case 'acknowledged':
      return hasReceipt(job) && job.delivery !== 'acknowledged' ? { ...job, delivery: 'acknowledged' } : job;
    case 'withdrawn':
      return job.standing === 'assigned' ? { ...job, standing: 'withdrawn' } : job;
    case 'receiptFinal':
      return job.standing === 'final' ? job : { ...job, standing: 'final' };
    case 'assignedAgain':
      return job.standing === 'withdrawn' ? { ...(hasReceipt(job) ? job : forgotten(job)), standing: 'assigned' } : job;
    case 'timePassed':
      return endedPassed(job, event.atMs);
    default:
      return job;
  }
}

function forgotten(job: Job): Job {
  const detail = 'the chain took the run back for a while, and the box has forgotten it';
  return { ...job, state: 'failed', end: { state: 'failed', reason: 'box-lost', detail } };
}

/**
 * A gateway that does not come for its receipt: after a while it goes to the chain all the same, for the network shall not
 * wait; in the end it is not kept any longer.
 */
function endedPassed(job: Job, atMs: number): Job {
  if (!hasReceipt(job) || job.delivery === 'acknowledged' || job.endedAtMs === undefined) return job;
  const waitedMs = atMs - job.endedAtMs;
  if (job.standing === 'final' && waitedMs > DEVICE_LIMITS.retentionMs) return { ...job, delivery: 'acknowledged' };
  return job.delivery === 'owed' && waitedMs > DEVICE_LIMITS.deliveryWaitMaxMs ? { ...job, delivery: 'overdue' } : job;
}

function orderGiven(job: Job, { client, request, lacking }: { client: string; request: Uint8Array; lacking: string[] }): Job {
  return job.state === 'assigned' && !job.order ? { ...job, order: { client, request }, lacking } : job;
}

function measuringBegun(job: Job, { nonce, atMs }: { nonce: Uint8Array; atMs: number }): Job {
  const ready = job.state === 'assigned' && job.order && job.lacking.length === 0 && !job.before;
  return ready ? { ...job, before: { nonce, issuedAtMs: atMs } } : job;
}

function evidenceAccepted(job: Job, answer: JobEvent & { type: 'evidenceAccepted' }): Job {
  if (job.state === 'assigned' && isAnswerTo(job.before, answer.nonce))
    return { ...job, state: 'measured', before: { ...job.before, evidence: answer.evidence }, ...answer.given };
  const check = openCheck(job);
  if (isOnBox(job) && isAnswerTo(check, answer.nonce))
    return { ...job, checks: (job.checks ?? []).map((asked) => (asked === check ? { ...check, evidence: answer.evidence } : asked)) };
  if (job.state === 'reported' && isAnswerTo(job.after, answer.nonce))
    return { ...job, after: { ...job.after, evidence: answer.evidence } };
  return job;
}

function isAnswerTo(measuring: Measuring | undefined, nonce: Uint8Array): measuring is Measuring {
  return measuring !== undefined && measuring.evidence === undefined && measuring.nonce.every((byte, index) => byte === nonce[index]);
}

/** Whatever the box says, it was to be checked since it was given the run: an open check stays, and the rest is drawn anew. */
function runStarted(job: Job, { atMs, moments }: { atMs: number; moments?: readonly number[] }): Job {
  if (job.state !== 'measured') return job;
  const open = openCheck(job);
  return { ...job, state: 'running', runningSinceMs: atMs, checks: open ? [open] : [], ...(moments ? { moments: [...moments] } : {}) };
}

/** Where another attempt may do better, there is no receipt: it would end the capsule. */
function reportAccepted(job: Job, event: JobEvent & { type: 'reportAccepted' }): Job {
  if (job.state !== 'measured' && job.state !== 'running') return job;
  const outcome = endOf(event.report.outcome);
  const end = job.disputed ? endOfDispute(job.disputed) : outcome;
  const mayRetry = job.attempt < LIMITS.attemptsMax && !job.cancelling;
  if (mayRetry && outcome.reason !== undefined && BOX_FAILURES.includes(outcome.reason)) return ended(job, outcome);
  return {
    ...job,
    state: 'reported',
    report: event.bytes,
    lacking: event.lacking,
    // The run ended while a check was on its way: what was not answered says nothing.
    ...(job.checks ? { checks: job.checks.filter(({ evidence }) => evidence !== undefined) } : {}),
    after: { nonce: event.nonce, issuedAtMs: event.atMs },
    ...(event.energy ? { energy: event.energy } : {}),
    end,
  };
}

/** What is held against a run first, stays; whatever it reports, that is its end. */
function disputed(job: Job, dispute: Dispute): Job {
  const isOn = job.state === 'measured' || job.state === 'running' || job.state === 'reported';
  if (!isOn || job.disputed) return job;
  return { ...job, disputed: dispute, ...(job.state === 'reported' ? { end: endOfDispute(dispute) } : {}) };
}

function endOfDispute({ reason, detail }: Dispute): End {
  return { state: 'disputed', reason, detail };
}

function cancelAsked(job: Job): Job {
  if (job.state === 'assigned') return ended(job, { state: 'cancelled', reason: 'cancelled-by-client' });
  return job.state === 'reported' || job.cancelling ? job : { ...job, cancelling: true };
}

function timePassed(job: Job, now: { atMs: number; nonce: Uint8Array }): Job {
  const notStarted = job.state === 'assigned' || job.state === 'measured';
  if (notStarted && job.deadlineMs !== undefined && now.atMs > job.deadlineMs) return ended(job, { state: 'expired', reason: 'deadline' });
  if (isOnBox(job)) return checked(job, now);
  if (job.state === 'assigned' && isStale(job.before, now.atMs)) return { ...job, before: { nonce: now.nonce, issuedAtMs: now.atMs } };
  if (job.state === 'reported' && isStale(job.after, now.atMs)) return { ...job, after: { nonce: now.nonce, issuedAtMs: now.atMs } };
  return job;
}

/** Asks when a drawn moment has come; a box that does not answer for a minute is not what it was. */
function checked(job: Job, { atMs, nonce }: { atMs: number; nonce: Uint8Array }): Job {
  const open = openCheck(job);
  if (isStale(open, atMs)) return failed(job, 'box-evidence-refused', 'the box did not answer a check during the run within a minute');
  const checks = job.checks ?? [];
  const moment = job.moments?.[checks.length];
  if (open || job.cancelling || moment === undefined || atMs < moment) return job;
  return { ...job, checks: [...checks, { nonce, issuedAtMs: atMs }] };
}

function isStale(measuring: Measuring | undefined, atMs: number): boolean {
  return measuring !== undefined && measuring.evidence === undefined && atMs - measuring.issuedAtMs > DEVICE_LIMITS.challengeAgeMaxMs;
}

function failed(job: Job, reason: EndReason, detail: string): Job {
  return ended(job, job.cancelling ? { state: 'cancelled', reason: 'cancelled-by-client' } : { state: 'failed', reason, detail });
}

/** An end without a receipt: what a box may have reported counts for nothing. */
function ended(job: Job, end: End): Job {
  const { report: _report, ...kept } = job;
  return { ...kept, state: end.state, end, lacking: [] };
}
