/** What a device and its box say to one another. Specification §6. Signed where a receipt or an act rests on it. */
import { CapsuleId, EndReason } from './capsule.ts';
import { Digest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { CapsulePath } from './manifest.ts';
import { BoxKeys, BoxTpmEvidence, ClosedSecret } from './measured-box/box-tpm.ts';
import { bytes, fixedBytes, flag, integer, list, oneOf, optional, struct, text, variant, type Infer } from './schema.ts';
import { signedKind } from './signed.ts';
import { Name } from './topics.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const Note = text({ max: LIMITS.noteCharactersMax });
const Word = text({ max: 80 });
const Attempt = integer({ min: 1, max: LIMITS.attemptsMax });

/** One run of a capsule on a box: `<capsule id>.<attempt>`. */
export const RunId = text({ min: 34, max: 34, pattern: /^[0-9a-f]{32}\.[1-9]$/, like: 'a capsule id, a dot and the attempt' });

export function runIdOf(capsule: string, attempt: number): string {
  return `${capsule}.${attempt}`;
}

const RuntimeFound = struct({ name: Word, version: Word, digest: Digest });

/** What the agent says about the machine and itself (§6.3): a report, not a measurement, for no TPM vouches for it. */
export const SoftwareState = struct({
  agent: Digest,
  kernel: Word,
  /** SHA-256 of the kernel's command line, and of the sorted list of installed packages with their versions. */
  commandLine: Digest,
  packages: Digest,
  bootId: Word,
  runtimes: list(RuntimeFound, { max: LIMITS.runtimesMax }),
  /** How capsules are kept apart and held to their limits, in words such as `bubblewrap`, `cgroup-v2`. */
  isolation: list(Word, { max: 16 }),
});

/** Retained, from the device: its evidence, by which the box learns whose signature to expect (§6.2). */
export const Introduction = struct({ evidence: bytes({ max: LIMITS.evidenceBytesMax }) });

/** From the box at every connection: what it is and which runs it still holds. */
export const Hello = struct({
  software: SoftwareState,
  processors: integer({ min: 1, max: 65_536 }),
  memoryBytes: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  /** For how long its system is up (§17.5). */
  uptimeS: optional(integer({ min: 0, max: 4_294_967_295 })),
  runs: list(RunId, { max: 64 }),
  /** Of a box with a TPM (§6.5). */
  tpm: optional(BoxKeys),
});

/** Signed by the device: "say now what you are". The beacon of box evidence is made from `nonce` (§6.3). */
export const Challenge = struct({
  network: Digest,
  device: Name,
  box: Name,
  run: RunId,
  nonce: fixedBytes(32),
  issuedAtMs: UnixMs,
  /** During a run: a `BoxCheck` is wanted (§6.6). */
  check: optional(flag),
  /** Closed for the keys in the hello, until the box has opened one (§6.5). */
  activation: optional(ClosedSecret),
});
export const ChallengeMessage = signedKind('challenge', Challenge);

/** Signed by the box. `beacon` = domain digest `beacon-value` of network id and the challenge's nonce. */
export const BoxEvidence = struct({
  network: Digest,
  device: Name,
  box: Name,
  run: RunId,
  beacon: Digest,
  software: SoftwareState,
  madeAtMs: UnixMs,
  tpm: optional(BoxTpmEvidence),
});
export const BoxEvidenceMessage = signedKind('box-evidence', BoxEvidence, LIMITS.boxEvidenceBytesMax);

/** Signed by the box during a run (§6.6): as `BoxEvidence`, with the digest of its software (`softwareDigest`). */
export const BoxCheck = struct({
  network: Digest,
  device: Name,
  box: Name,
  run: RunId,
  beacon: Digest,
  software: Digest,
  madeAtMs: UnixMs,
  tpm: optional(BoxTpmEvidence),
});
export const BoxCheckMessage = signedKind('box-check', BoxCheck, LIMITS.boxCheckBytesMax);

/** Signed by the device: "run this". Repeated until the box says it has it. */
export const Assignment = struct({
  network: Digest,
  device: Name,
  box: Name,
  run: RunId,
  capsule: CapsuleId,
  attempt: Attempt,
  manifest: bytes({ max: LIMITS.manifestBytesMax }),
  assignedAtMs: UnixMs,
});
export const AssignmentMessage = signedKind('assignment', Assignment, LIMITS.manifestBytesMax + 4_096);

/** Signed by the device: "stop this run". */
export const Cancellation = struct({ network: Digest, device: Name, box: Name, run: RunId, reason: EndReason });
export const CancellationMessage = signedKind('cancellation', Cancellation);

/** Signed by the device: "I have stored the report and all outputs; forget this run". */
export const Acknowledgement = struct({ network: Digest, device: Name, box: Name, run: RunId });
export const AcknowledgementMessage = signedKind('acknowledgement', Acknowledgement);

/** Where a run stands on the box. `unknown`: the box has no memory of it. */
export const RunState = struct({ run: RunId, state: oneOf('fetching', 'running', 'reported', 'unknown'), note: optional(Note) });

export const RunProgress = struct({ run: RunId, permille: integer({ min: 0, max: 1_000 }), note: optional(Note) });

/** A piece of a run's output stream, from byte `offset` of it. */
export const RunLog = struct({
  run: RunId,
  stream: oneOf('stdout', 'stderr'),
  offset: integer({ min: 0, max: LIMITS.logBytesMax }),
  content: bytes({ max: LIMITS.logChunkBytesMax }),
});

/** How a run ended. */
export const Outcome = variant('outcome', {
  exited: struct({ status: integer({ min: 0, max: 255 }) }),
  killed: struct({ reason: EndReason, signal: optional(Word) }),
  failed: struct({ reason: EndReason, detail: Note }),
});

/** How a capsule ends when its only run ended so (§7.2). */
export function endOf(outcome: Infer<typeof Outcome>): { state: 'agreed' | 'failed' | 'cancelled'; reason?: EndReason } {
  if (outcome.outcome === 'exited') return outcome.status === 0 ? { state: 'agreed' } : { state: 'failed', reason: 'exit-status' };
  return { state: outcome.reason === 'cancelled-by-client' ? 'cancelled' : 'failed', reason: outcome.reason };
}

const BlobReference = struct({ digest: Digest, bytes: integer({ min: 0, max: LIMITS.outputBytesMax }) });

/** Signed by the box: what a run was, used and left. Repeated until acknowledged. */
export const Report = struct({
  network: Digest,
  device: Name,
  box: Name,
  run: RunId,
  /** Digest of the manifest that was run. */
  capsule: Digest,
  outcome: Outcome,
  startedAtMs: UnixMs,
  endedAtMs: UnixMs,
  usage: struct({ wallMs: UnixMs, cpuMs: UnixMs, memoryBytesMax: UnixMs }),
  outputs: list(struct({ path: CapsulePath, digest: Digest, bytes: integer({ min: 0, max: LIMITS.outputBytesMax }) }), {
    max: LIMITS.outputFilesMax,
  }),
  stdout: BlobReference,
  stderr: BlobReference,
});
export const ReportMessage = signedKind('report', Report, LIMITS.reportBytesMax);

export type SoftwareState = Infer<typeof SoftwareState>;
export type Hello = Infer<typeof Hello>;
export type Challenge = Infer<typeof Challenge>;
export type BoxEvidence = Infer<typeof BoxEvidence>;
export type BoxCheck = Infer<typeof BoxCheck>;
export type Assignment = Infer<typeof Assignment>;
export type Cancellation = Infer<typeof Cancellation>;
export type RunState = Infer<typeof RunState>;
export type RunProgress = Infer<typeof RunProgress>;
export type RunLog = Infer<typeof RunLog>;
export type Outcome = Infer<typeof Outcome>;
export type Report = Infer<typeof Report>;
