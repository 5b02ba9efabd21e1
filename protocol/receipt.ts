/** Receipts: what ran where, in which measured state, with what result. Specification §9. Checked by `receipt-verifier.ts`. */
import { ReportMessage } from './box-messages.ts';
import { CapsuleId, CapsuleState, DISPUTE_REASONS, EndReason, RequestId } from './capsule.ts';
import { Digest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { BoxKeys } from './measured-box/box-tpm.ts';
import { RunEnergy } from './run-energy.ts';
import { bytes, fixedBytes, integer, list, oneOf, optional, struct, text, type Infer } from './schema.ts';
import { signedKind } from './signed.ts';
import { Name } from './topics.ts';
import { TrustLevel } from './trust-level.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** A challenge of the device and the box's signed answer. */
const Measurement = struct({
  nonce: fixedBytes(32),
  issuedAtMs: UnixMs,
  evidence: bytes({ min: 1, max: LIMITS.boxEvidenceBytesMax }),
});

export const Dispute = struct({ reason: oneOf(...DISPUTE_REASONS), detail: text({ min: 1, max: LIMITS.noteCharactersMax }) });
export type Dispute = Infer<typeof Dispute>;

const Check = struct({ nonce: fixedBytes(32), issuedAtMs: UnixMs, evidence: bytes({ min: 1, max: LIMITS.boxCheckBytesMax }) });

/** Signed by the executor's operational key. The messages it rests on stand in it as they travelled. */
export const Receipt = struct({
  version: oneOf(1),
  network: Digest,
  node: Digest,
  device: Name,
  /** Whether the device's TPM is a real one. A software TPM proves nothing about the machine that runs it. */
  tpm: oneOf('software-tpm', 'hardware-tpm'),
  /** The device that the client gave the capsule to; often another one than the executor (§15). */
  gateway: struct({ node: Digest, device: Name }),
  client: Name,
  request: RequestId,
  capsule: CapsuleId,
  manifest: bytes({ max: LIMITS.manifestBytesMax }),
  attempt: integer({ min: 1, max: LIMITS.attemptsMax }),
  /** The box and its Ed25519 key, which the device took over at pairing. */
  box: struct({
    name: Name,
    key: fixedBytes(32),
    trust: TrustLevel,
    /** Of a box whose TPM the device has activated (§6.5); `references`: SHA-256 of the frozen reference values in strict form. */
    tpm: optional(struct({ keys: BoxKeys, references: optional(Digest) })),
  }),
  acceptedAtMs: UnixMs,
  endedAtMs: UnixMs,
  state: CapsuleState,
  reason: optional(EndReason),
  measuredBefore: Measurement,
  /** At moments that the device drew (§6.6). */
  measuredDuring: optional(list(Check, { max: LIMITS.boxChecksMax })),
  measuredAfter: Measurement,
  report: bytes({ min: 1, max: ReportMessage.bytesMax }),
  /** Where the power of the box is sensed (§17.4). */
  energy: optional(RunEnergy),
  /** What the device holds against the run, whatever the report says (§17.5): then it is the end. */
  disputed: optional(Dispute),
  deviceEvidence: bytes({ min: 1, max: LIMITS.evidenceBytesMax }),
});
export type Receipt = Infer<typeof Receipt>;
export type Measurement = Infer<typeof Measurement>;

export const ReceiptMessage = signedKind('receipt', Receipt, LIMITS.receiptBytesMax);
