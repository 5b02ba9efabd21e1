/** What a client and a device say to one another. Specification §7.3-§7.5. In CBOR, or in JSON for whoever asks in JSON. */
import { CapsuleId, CapsuleState, EndReason, RequestId } from './capsule.ts';
import { ChainQuestion, ChainView } from './chain/chain-view.ts';
import { CONTROL_OUTCOME } from './control-messages.ts';
import { Digest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { CapsulePath, WRITTEN_MANIFEST_FIELDS } from './manifest.ts';
import { POWER_NOW } from './run-energy.ts';
import { bytes, integer, list, oneOf, optional, struct, text, variant, type Infer } from './schema.ts';
import { signedKind } from './signed.ts';
import { Name } from './topics.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const Detail = text({ max: LIMITS.noteCharactersMax });

/** `submit` in CBOR: a manifest whose files the device asks for where it lacks them. */
export const Submission = struct({ network: Digest, request: RequestId, manifest: bytes({ max: LIMITS.manifestBytesMax }) });

/** `submit` in JSON: the manifest as people write it, with the content of its files inside. */
export const WrittenSubmission = struct({ ...WRITTEN_MANIFEST_FIELDS, request: optional(RequestId) });

export const CancelRequest = struct({ capsule: CapsuleId });

export const Query = variant('query', {
  /** All capsules of this client that the device remembers. */
  list: struct({}),
  /** State, result and receipt of one capsule, published again on its topics. */
  capsule: struct({ capsule: CapsuleId }),
  /** The chain as this device sees it (§14.5). */
  chain: struct({ question: ChainQuestion }),
});

/** Why a device does not do what a client asked. */
export const REFUSALS = [
  'malformed',
  'foreign-network',
  'response-topic-forbidden',
  'unsupported-policy',
  'unknown-runtime',
  'no-box',
  'deadline-passed',
  'queue-full',
  'disk-full',
  'unknown-capsule',
  'already-ended',
  'unknown-block',
  'no-proof',
  'unknown-evidence',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Signed by the device's operational key: "this capsule is mine now and will not be lost" (§7.3). */
export const Acceptance = struct({
  network: Digest,
  node: Digest,
  device: Name,
  client: Name,
  request: RequestId,
  capsule: CapsuleId,
  digest: Digest,
  acceptedAtMs: UnixMs,
});
export const AcceptanceMessage = signedKind('acceptance', Acceptance);

const CapsuleLine = struct({
  capsule: CapsuleId,
  name: text({ max: 80 }),
  state: CapsuleState,
  reason: optional(EndReason),
  submittedAtMs: UnixMs,
  endedAtMs: optional(UnixMs),
  /** Of the receipt of a capsule that has ended with one, as its gateway knows it (§9.4). */
  finality: optional(oneOf('not-final', 'final')),
});

export const Answer = variant('answer', {
  accepted: struct({ capsule: CapsuleId, state: CapsuleState, acceptance: bytes({ max: LIMITS.signedBytesMax }) }),
  cancelling: struct({ capsule: CapsuleId, state: CapsuleState }),
  capsules: struct({ capsules: list(CapsuleLine, { max: 1_000 }) }),
  capsule: CapsuleLine,
  chain: struct({ view: ChainView }),
  /** To a `PowerCommand` (§17.2). */
  control: struct({ request: RequestId, ...CONTROL_OUTCOME }),
  refused: struct({ reason: oneOf(...REFUSALS), detail: Detail }),
});

export const StateNews = struct({
  capsule: CapsuleId,
  state: CapsuleState,
  reason: optional(EndReason),
  detail: optional(Detail),
  /** The box that the chain has drawn, and the device that it belongs to. */
  box: optional(Name),
  device: optional(Name),
  attempt: optional(integer({ min: 1, max: LIMITS.attemptsMax })),
  atMs: UnixMs,
});

/** What a run takes as it goes: power now, energy since it began (§17.4). */
export const EnergyNews = struct({ capsule: CapsuleId, ...POWER_NOW });

export const ProgressNews = struct({ capsule: CapsuleId, permille: integer({ min: 0, max: 1_000 }), note: optional(Detail) });

/** Log text as it comes; the exact bytes are the `stdout` and `stderr` blobs of the result. */
export const LogNews = struct({
  capsule: CapsuleId,
  /** Whose log it is: each attempt's begins at offset 0. */
  attempt: integer({ min: 1, max: LIMITS.attemptsMax }),
  stream: oneOf('stdout', 'stderr'),
  offset: integer({ min: 0, max: LIMITS.logBytesMax }),
  text: text({ max: LIMITS.logChunkBytesMax, multiline: true }),
});

const BlobReference = struct({ digest: Digest, bytes: integer({ min: 0, max: LIMITS.outputBytesMax }) });

export const ResultNews = struct({
  capsule: CapsuleId,
  state: CapsuleState,
  reason: optional(EndReason),
  detail: optional(Detail),
  exitStatus: optional(integer({ min: 0, max: 255 })),
  outputs: list(
    struct({
      path: CapsulePath,
      digest: Digest,
      bytes: integer({ min: 0, max: LIMITS.outputBytesMax }),
      /** The content itself, in JSON and when it is short text. */
      text: optional(text({ max: LIMITS.inlineBytesMax, multiline: true })),
    }),
    { max: LIMITS.outputFilesMax },
  ),
  stdout: optional(BlobReference),
  stderr: optional(BlobReference),
});

export type Submission = Infer<typeof Submission>;
export type WrittenSubmission = Infer<typeof WrittenSubmission>;
export type Query = Infer<typeof Query>;
export type Acceptance = Infer<typeof Acceptance>;
export type Answer = Infer<typeof Answer>;
export type StateNews = Infer<typeof StateNews>;
export type EnergyNews = Infer<typeof EnergyNews>;
export type ProgressNews = Infer<typeof ProgressNews>;
export type LogNews = Infer<typeof LogNews>;
export type ResultNews = Infer<typeof ResultNews>;
export type CapsuleLine = Infer<typeof CapsuleLine>;
