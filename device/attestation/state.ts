/** State, events and effects of attestation between devices (machine.ts). Specification §3. */
import type { Continuity } from '#protocol/continuity.ts';
import type { Activation, Answer } from '#protocol/credential.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { MemberKeys } from '#protocol/member-keys.ts';
import type { Network } from '#protocol/network.ts';
import type { AttestationKind } from '#protocol/topics.ts';

import { DEVICE_LIMITS } from '../limits.ts';
import type { AttestationRecord } from './record.ts';
import type { PeerHistory, PeerStanding } from './standing.ts';

export type AttestationEvent = { readonly nowMs: number } & (
  | { readonly type: 'ticked' }
  /** The device's broker is new, or was restarted: what it should retain is gone. */
  | { readonly type: 'broker-connected' }
  /** `from` is the member on whose broker it was published. */
  | { readonly type: 'received'; readonly from: string; readonly kind: AttestationKind; readonly payload: Uint8Array }
  /** Somebody needs evidence that is made now. */
  | { readonly type: 'evidence-requested' }
  /** Newcomers that others admit (§11.5), in the place of those before: this device closes no secret for them. */
  | { readonly type: 'left-to-others'; readonly nodes: readonly Uint8Array[] }
  | { readonly type: 'beacon-made'; readonly envelope: Uint8Array; readonly issuedAtMs: number }
  | {
      readonly type: 'secret-closed';
      readonly subject: string;
      readonly secret: Uint8Array;
      readonly credentialBlob: Uint8Array;
      readonly encryptedSecret: Uint8Array;
    }
  | { readonly type: 'secret-opened'; readonly issuer: string; readonly activation: Activation; readonly secret: Uint8Array }
  | { readonly type: 'credential-made'; readonly subject: string; readonly envelope: Uint8Array }
  | { readonly type: 'evidence-made'; readonly encoded: Uint8Array; readonly beacon: PeerBeacon }
  | { readonly type: 'task-failed'; readonly task: Task }
);

/** What is asked of the TPM; each is asked once at a time, and again some time after it failed. */
export type Task =
  | { readonly task: 'make-beacon' }
  | {
      readonly task: 'close-secret';
      readonly subject: string;
      readonly endorsementKey: Uint8Array;
      readonly attestationKeyName: Uint8Array;
    }
  | { readonly task: 'open-secret'; readonly issuer: string; readonly activation: Activation }
  /** @see CredentialMessage; `body` is what is to be signed. */
  | { readonly task: 'make-credential'; readonly subject: string; readonly body: Uint8Array }
  | { readonly task: 'make-evidence'; readonly beacon: PeerBeacon; readonly credentials: readonly Uint8Array[] };

/** Performed in their order: what must survive is on the disk before anybody hears of it. */
export type AttestationEffect =
  | { readonly effect: 'persist'; readonly record: AttestationRecord }
  /** Retained. */
  | { readonly effect: 'publish'; readonly kind: AttestationKind; readonly payload: Uint8Array }
  | { readonly effect: 'ask'; readonly task: Task }
  /** A device stands otherwise than before; also this one, as it would judge itself. */
  | { readonly effect: 'report'; readonly device: string; readonly standing: PeerStanding }
  /** Something that a peer sent and that was not taken. */
  | { readonly effect: 'note'; readonly device: string; readonly note: string };

export interface PeerBeacon {
  readonly issuer: string;
  readonly envelope: Uint8Array;
  readonly value: Uint8Array;
  readonly issuedAtMs: number;
}

/** A peer as this device knows it. */
export interface Peer {
  readonly name: string;
  readonly node: Uint8Array;
  /** Undefined where the keys that the network file has for it don't hold: it gets no credential. */
  readonly keys: MemberKeys | undefined;
  /** TPMT_PUBLIC. */
  readonly endorsementKey: Uint8Array;
  history: PeerHistory;
  continuity: Continuity | undefined;
  standing: PeerStanding | undefined;
  beacon: PeerBeacon | undefined;
  evidence: { readonly latest: Uint8Array | undefined; readonly waiting: Uint8Array | undefined; readonly judgedAtMs: number };
  /** Our word for it, and before that the secret that it must open. */
  credentialForIt: Uint8Array | undefined;
  challenge: { readonly secret: Uint8Array; readonly activation: Activation } | undefined;
  /** Its word for us, and before that our answer to the secret that it closed. */
  credentialByIt: Uint8Array | undefined;
  activationByIt: Activation | undefined;
  answerToIt: { readonly activation: Activation; readonly answer: Answer } | undefined;
}

export interface AttestationState {
  readonly network: Network;
  readonly networkId: Uint8Array;
  readonly crypto: Crypto;
  readonly self: MemberKeys;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Tasks that were asked (not before Infinity), or failed. */
  readonly tasks: Map<string, { readonly notBeforeMs: number }>;
  /** Node ids in hexadecimal of newcomers that others admit. */
  leftToOthers: ReadonlySet<string>;
  ownStanding: PeerStanding | undefined;
  ownBeacon: { readonly envelope: Uint8Array; readonly issuedAtMs: number } | undefined;
  evidence: { readonly encoded: Uint8Array; readonly beacon: PeerBeacon } | undefined;
  evidenceRequested: boolean;
}

/** Asks for a task unless it is being done, or failed a moment ago. */
export function ask(state: AttestationState, task: Task, nowMs: number): AttestationEffect[] {
  const key = taskKey(task);
  const before = state.tasks.get(key);
  if (before && nowMs < before.notBeforeMs) return [];
  state.tasks.set(key, { notBeforeMs: Infinity });
  return [{ effect: 'ask', task }];
}

export function taskDone(state: AttestationState, task: Pick<Task, 'task'> & { readonly about?: string }): void {
  state.tasks.delete(task.about === undefined ? task.task : `${task.task} ${task.about}`);
}

/** The same is asked again after a while: because it failed, or because a peer can demand it as often as it likes. */
export function taskRests(state: AttestationState, task: Task, nowMs: number): void {
  state.tasks.set(taskKey(task), { notBeforeMs: nowMs + DEVICE_LIMITS.tpmRetryMs });
}

/** What outlives the program. */
export function recordOf(state: AttestationState): AttestationRecord {
  const peers = [...state.peers.values()].map(({ name, credentialForIt, credentialByIt, continuity, history }) => ({
    name,
    ...(credentialForIt && { credentialForIt }),
    ...(credentialByIt && { credentialByIt }),
    ...(continuity && { continuity }),
    ...(history.quarantine && { quarantine: history.quarantine }),
  }));
  return { peers };
}

function taskKey(task: Task): string {
  switch (task.task) {
    case 'make-beacon':
    case 'make-evidence':
      return task.task;
    case 'close-secret':
    case 'make-credential':
      return `${task.task} ${task.subject}`;
    case 'open-secret':
      return `${task.task} ${task.issuer}`;
  }
}
