/** What attestation remembers over restarts: words given and received, and each peer's history. Specification §3. */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Continuity } from '#protocol/continuity.ts';
import { LIMITS } from '#protocol/limits.ts';
import { bytes, list, oneOf, optional, struct, text, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';

import { DEVICE_LIMITS } from '../limits.ts';

const Credential = bytes({ min: 1, max: LIMITS.credentialBytesMax });

const RememberedPeer = struct({
  name: Name,
  /** Ours for it. */
  credentialForIt: optional(Credential),
  /** Its for us. */
  credentialByIt: optional(Credential),
  continuity: optional(Continuity),
  quarantine: optional(
    struct({
      reason: oneOf(
        'reset-count-went-back',
        'restart-count-went-back',
        'time-went-back',
        'second-operational-key',
        'operational-key-outlived-reset',
      ),
      detail: text({ max: LIMITS.noteCharactersMax }),
    }),
  ),
});
export type RememberedPeer = Infer<typeof RememberedPeer>;

export const AttestationRecord = struct({ peers: list(RememberedPeer, { max: LIMITS.membersMax }) });
export type AttestationRecord = Infer<typeof AttestationRecord>;

export function encodeRecord(record: AttestationRecord): Uint8Array {
  return encodeStrict(AttestationRecord, record);
}

/** @throws Error where the bytes are no record: the history of peers must not be forgotten in silence */
export function decodeRecord(encoded: Uint8Array): AttestationRecord {
  const decoded = decodeStrict(AttestationRecord, encoded, DEVICE_LIMITS.attestationRecordBytesMax);
  if (decoded.status === 'decoded') return decoded.value;
  throw new Error(`The record of attestation can't be read: ${decoded.detail}`);
}
