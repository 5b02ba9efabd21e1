/** The judgement of what a box signed: is this report, this evidence, of the run it claims to be of? Pure. Specification §6. */
import {
  BoxCheckMessage,
  BoxEvidenceMessage,
  ReportMessage,
  type BoxCheck,
  type BoxEvidence,
  type Report,
} from '#protocol/box-messages.ts';
import { sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { domainDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, decodeManifest } from '#protocol/manifest.ts';
import { objectionToReport } from '#protocol/report-judgement.ts';
import { softwareChanges, softwareDigest } from '#protocol/software-state.ts';
import { openSigned } from '#protocol/signed.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { PairedBox } from './box-registry.ts';
import type { Job, Measuring } from './job.ts';

/** Who listens: a box's messages name the network and the device they are for. */
export interface Listener {
  readonly network: Uint8Array;
  readonly device: string;
  readonly crypto: Crypto;
}

export type ReportVerdict =
  | { readonly status: 'accepted'; readonly report: Report }
  /** Not this box's word on this run: it changes nothing. */
  | { readonly status: 'refused'; readonly detail: string }
  /** The box's own word, and one that no receipt can rest on; a box says no other about a run. */
  | { readonly status: 'contradictory'; readonly detail: string };
export type EvidenceVerdict =
  | { readonly status: 'accepted'; readonly evidence: BoxEvidence }
  /** Not an answer to what was asked: late, misdirected or not signed by the box. It changes nothing. */
  | { readonly status: 'ignored'; readonly detail: string }
  /** The box's own answer, and one that its work can't rest on. */
  | { readonly status: 'refused'; readonly detail: string };

/** What a device gave a box to run: the manifest as it travelled, and the box's evidence before the run. */
export interface AssignedRun {
  readonly run: string;
  readonly manifest: Uint8Array;
  readonly evidence?: Uint8Array | undefined;
}

export function judgeReport(encoded: Uint8Array, assigned: AssignedRun, box: PairedBox, listener: Listener): ReportVerdict {
  const opened = openSigned(ReportMessage, encoded, { algorithm: 'ed25519', publicKey: box.signingKey }, listener.crypto);
  if (opened.status === 'refused') return opened;
  const report = opened.value;
  const elsewhere = isElsewhere(report, box, listener);
  if (elsewhere) return elsewhere;
  if (report.run !== assigned.run) return { status: 'refused', detail: `the report is of run ${report.run}, not ${assigned.run}` };
  if (!sameBytes(report.capsule, capsuleDigest(assigned.manifest)))
    return { status: 'refused', detail: 'the report is of another manifest' };
  const objection = objectionToAssigned(report, assigned, box, listener);
  return objection === undefined ? { status: 'accepted', report } : { status: 'contradictory', detail: objection };
}

function objectionToAssigned(report: Report, { manifest, evidence }: AssignedRun, box: PairedBox, listener: Listener): string | undefined {
  const decoded = decodeManifest(manifest);
  if (decoded.status === 'malformed') return decoded.detail;
  const before = evidence && openEvidence(evidence, box, listener);
  return objectionToReport(report, decoded.value, before?.status === 'authentic' ? before.value.software : undefined);
}

/** @param asked.earlier the evidence before the run, when this is the one after it */
export function judgeBoxEvidence(
  encoded: Uint8Array,
  asked: { run: string; measuring: Measuring; earlier?: Uint8Array; atMs: number },
  box: PairedBox,
  listener: Listener,
): EvidenceVerdict {
  const opened = openEvidence(encoded, box, listener);
  if (opened.status === 'refused') return { status: 'ignored', detail: opened.detail };
  const evidence = opened.value;
  const fault = answerFault(evidence, asked, box, listener);
  if (fault) return fault;
  const changed = asked.earlier ? changesSince(asked.earlier, evidence, box, listener) : [];
  if (changed.length === 0) return { status: 'accepted', evidence };
  return { status: 'refused', detail: `the box reports other software after the run than before it: ${changed.join(', ')}` };
}

export type CheckVerdict = { readonly status: 'accepted'; readonly check: BoxCheck } | Exclude<EvidenceVerdict, { status: 'accepted' }>;

/** What a box says during a run (§6.6). @param asked.earlier the evidence before the run */
export function judgeBoxCheck(
  encoded: Uint8Array,
  asked: { run: string; measuring: Measuring; earlier: Uint8Array; atMs: number },
  box: PairedBox,
  listener: Listener,
): CheckVerdict {
  const opened = openSigned(BoxCheckMessage, encoded, { algorithm: 'ed25519', publicKey: box.signingKey }, listener.crypto);
  if (opened.status === 'refused') return { status: 'ignored', detail: opened.detail };
  const check = opened.value;
  const fault = answerFault(check, asked, box, listener);
  if (fault) return fault;
  const earlier = openEvidence(asked.earlier, box, listener);
  const isSame = earlier.status === 'authentic' && sameBytes(softwareDigest(earlier.value.software), check.software);
  if (isSame) return { status: 'accepted', check };
  return { status: 'refused', detail: 'the box reports other software during the run than before it' };
}

/** What is wrong with an answer, whichever it is: signed by the box, but not of this run, this challenge, this moment. */
function answerFault(
  answer: Pick<BoxCheck, 'network' | 'device' | 'box' | 'run' | 'beacon' | 'madeAtMs'>,
  asked: { run: string; measuring: Measuring; atMs: number },
  box: PairedBox,
  listener: Listener,
): Exclude<EvidenceVerdict, { status: 'accepted' }> | undefined {
  const elsewhere = isElsewhere(answer, box, listener);
  if (elsewhere) return { status: 'ignored', detail: elsewhere.detail };
  if (answer.run !== asked.run) return { status: 'ignored', detail: `the evidence is of run ${answer.run}` };
  if (!sameBytes(answer.beacon, domainDigest('beacon-value', listener.network, asked.measuring.nonce)))
    return { status: 'ignored', detail: 'the evidence answers another challenge' };
  if (asked.atMs - asked.measuring.issuedAtMs > LIMITS.beaconAgeMaxMs)
    return { status: 'ignored', detail: 'the evidence came too late after its challenge' };
  const offMs = clockOffset(answer.madeAtMs, asked.measuring.issuedAtMs, asked.atMs);
  if (offMs <= LIMITS.clockSkewMaxMs) return undefined;
  return {
    status: 'refused',
    detail: `the clock of the box differs by ${Math.round(offMs / 1_000)} s from the device's; at most ${LIMITS.clockSkewMaxMs / 1_000} s are accepted`,
  };
}

/** By how much, at least, a moment between asking and answering lies outside of that span by the asker's clock. */
function clockOffset(madeAtMs: number, askedAtMs: number, answeredAtMs: number): number {
  return Math.max(askedAtMs - madeAtMs, madeAtMs - answeredAtMs, 0);
}

function changesSince(earlier: Uint8Array, evidence: BoxEvidence, box: PairedBox, listener: Listener): string[] {
  const opened = openEvidence(earlier, box, listener);
  return opened.status === 'authentic' ? softwareChanges(opened.value.software, evidence.software) : ['signing key'];
}

function openEvidence(encoded: Uint8Array, box: PairedBox, listener: Listener) {
  return openSigned(BoxEvidenceMessage, encoded, { algorithm: 'ed25519', publicKey: box.signingKey }, listener.crypto);
}

function isElsewhere(message: { network: Uint8Array; device: string; box: string }, box: PairedBox, listener: Listener) {
  if (!sameBytes(message.network, listener.network)) return { status: 'refused', detail: 'the message is of another network' } as const;
  if (message.device === listener.device && message.box === box.name) return undefined;
  return { status: 'refused', detail: `the message is of ${message.box} at ${message.device}` } as const;
}

/** What a device knows of a run by its own clock, and since when it has been listening. */
export interface OwnSpan extends Pick<Job, 'assignedAtMs' | 'runningSinceMs'> {
  readonly atMs: number;
  readonly upSinceMs: number;
}

/**
 * Which of a report's times the device knows better: it gave the run to the box, and heard that it runs. What it may have missed while it
 * was away, or the box was, speaks against nobody.
 */
export function spanFault({ startedAtMs, endedAtMs }: Report, own: OwnSpan): string | undefined {
  const { assignedAtMs, runningSinceMs, atMs, upSinceMs } = own;
  if (assignedAtMs === undefined) return undefined;
  const skewMs = LIMITS.clockSkewMaxMs;
  if (startedAtMs < assignedAtMs - skewMs)
    return `the report says that the run began ${assignedAtMs - startedAtMs} ms before the box had it`;
  if (endedAtMs > atMs + skewMs) return `the report says that the run ended ${endedAtMs - atMs} ms after the report came`;
  const latestMs = (runningSinceMs ?? assignedAtMs + DEVICE_LIMITS.boxSilenceMaxMs) + skewMs;
  if (startedAtMs <= latestMs || upSinceMs > assignedAtMs) return undefined;
  return `the report says that the run began ${startedAtMs - latestMs} ms later than the box can have begun it by what it said`;
}
