/** What attestation needs of the rest of the device: a way to the peers, a place to remember, the TPM. */
import type { AttestationKind } from '#protocol/topics.ts';

import type { Credential } from '../tpm/credential.ts';

/** Publications on this device's own broker, and those of the peers on theirs. */
export interface Gossip {
  /** Replaces what was published under `kind` before; with `retain`, a peer that connects later gets it too. */
  publish(kind: AttestationKind, payload: Uint8Array, retain: boolean): Promise<void>;
  /** `peerName` is the member whose broker the message came from, not what the message says. */
  onMessage(handler: (peerName: string, kind: AttestationKind, payload: Uint8Array) => void): void;
}

/** One record that outlives the program; `save` returns when it is on the disk. `StateFile` of device/identity is one. */
export interface RecordFile {
  load(): Promise<Uint8Array | undefined>;
  save(record: Uint8Array): Promise<void>;
}

/** What the device's chip does for attestation: `Identity` of device/identity. Everything may take seconds and may fail. */
export interface Attester {
  readonly node: Uint8Array;
  signWithAttestationKey(input: Uint8Array): Promise<Uint8Array>;
  closeSecret(secret: Uint8Array, endorsementKey: Uint8Array, attestationKeyName: Uint8Array): Promise<Credential>;
  openSecret(closed: Credential): Promise<Uint8Array>;
  makeEvidence(about: {
    network: Uint8Array;
    beacon: Uint8Array;
    beaconValue: Uint8Array;
    credentials: readonly Uint8Array[];
  }): Promise<Uint8Array>;
}
