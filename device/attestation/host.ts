/** Performs what attestation decides (machine.ts): asks the TPM, publishes, remembers, reports. Specification §3. */
import { Beacon, BeaconMessage, beaconNonceBytes } from '#protocol/beacon.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { CredentialMessage } from '#protocol/credential.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { sealBody, signingInput } from '#protocol/signed.ts';

import { needsRestart } from '../identity/identity-error.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Clock, Log, Random } from '../ports.ts';
import { startAttestation, step } from './machine.ts';
import type { Attester, Gossip, RecordFile } from './ports.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import type { PeerStanding } from './standing.ts';
import type { AttestationEffect, AttestationEvent, AttestationState, Task } from './state.ts';
import { verificationOf, type Verification } from './verification.ts';

/** An event as whoever dispatches it knows it; the time is added. */
export type News = AttestationEvent extends infer Event ? (Event extends AttestationEvent ? Omit<Event, 'nowMs'> : never) : never;

export interface AttestationRequest {
  readonly network: Network;
  readonly crypto: Crypto;
  readonly attester: Attester;
  readonly gossip: Gossip;
  readonly records: RecordFile;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Newcomers whose keys others activate (§11.5). */
  readonly leftToOthers?: readonly Uint8Array[];
  /** A device stands otherwise than before; also this one, as others will judge it. */
  readonly onStanding: (device: string, standing: PeerStanding) => void;
  /** The program should end: the TPM or the disk is gone. Called at most once. */
  readonly onFailure: (error: unknown) => void;
}

/** No evidence could be made in time. */
export class NoEvidenceError extends Error {
  readonly code = 'ERR_NO_EVIDENCE';
}

/** @throws Error where this device is no member of the network, or its record can't be read */
export async function runAttestation(request: AttestationRequest): Promise<Attestation> {
  const encoded = await request.records.load();
  const record = encoded ? decodeRecord(encoded) : { peers: [] };
  const { network, crypto, attester, clock, leftToOthers = [] } = request;
  const { state, effects } = startAttestation({ network, crypto, node: attester.node, record, leftToOthers, nowMs: clock() });
  return new Attestation(request, state, effects);
}

interface Waiter {
  readonly resolve: (evidence: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

export class Attestation {
  readonly #request: AttestationRequest;
  readonly #state: AttestationState;
  readonly #timer: NodeJS.Timeout;
  readonly #asked = new Set<Promise<void>>();
  #waiters: Waiter[] = [];
  #effects: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(request: AttestationRequest, state: AttestationState, effects: readonly AttestationEffect[]) {
    this.#request = request;
    this.#state = state;
    this.#perform(effects);
    request.gossip.onMessage((from, kind, payload) => this.#dispatch({ type: 'received', from, kind, payload }));
    this.#timer = setInterval(() => this.#dispatch({ type: 'ticked' }), DEVICE_LIMITS.attestationTickMs);
  }

  /** How every peer stands, by name. */
  standings(): Map<string, PeerStanding> {
    return new Map([...this.#state.peers.values()].flatMap(({ name, standing }) => (standing ? [[name, standing] as const] : [])));
  }

  /** Whether this device would vouch for the peer with this card. @param card its member digest (§11.5) */
  verificationOf(card: Uint8Array): Verification {
    return verificationOf(this.#state, card);
  }

  /** Newcomers whose keys others activate (§11.5), in the place of those before. */
  leaveToOthers(nodes: readonly Uint8Array[]): void {
    this.#dispatch({ type: 'left-to-others', nodes });
  }

  /** How this device stands in its own judgement; undefined before its first evidence. */
  ownStanding(): PeerStanding | undefined {
    return this.#state.ownStanding;
  }

  /** This device's latest evidence, encoded. */
  evidence(): Uint8Array | undefined {
    return this.#state.evidence?.encoded;
  }

  /** Evidence that the TPM makes after this call. @throws NoEvidenceError where no member gives a beacon, or too few vouch */
  async freshEvidence(): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const waiter = { resolve, reject };
    this.#waiters.push(waiter);
    const timer = setTimeout(() => reject(new NoEvidenceError(this.#whyNoEvidence())), DEVICE_LIMITS.evidenceWaitMs);
    this.#dispatch({ type: 'evidence-requested' });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    }
  }

  /** To be called whenever the device's own broker was started anew: it has lost what it retained. */
  republish(): void {
    this.#dispatch({ type: 'broker-connected' });
  }

  /** Returns when what was begun is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const { reject } of this.#waiters) reject(new NoEvidenceError('the device is stopping'));
    await Promise.all(this.#asked);
    await this.#effects;
  }

  #dispatch(news: News): void {
    if (this.#stopped) return;
    this.#perform(step(this.#state, { ...news, nowMs: this.#request.clock() }));
  }

  #perform(effects: readonly AttestationEffect[]): void {
    for (const effect of effects)
      this.#effects = this.#effects.then(() => this.#performOne(effect)).catch((error: unknown) => this.#fail(error));
  }

  async #performOne(effect: AttestationEffect): Promise<void> {
    if (this.#stopped) return;
    switch (effect.effect) {
      case 'persist':
        return this.#request.records.save(encodeRecord(effect.record));
      case 'publish':
        // Not waited for: the broker may be away, and the TPM has work that does not depend on it.
        return void this.#publish(effect);
      case 'ask':
        return this.#ask(effect.task);
      case 'report':
        return this.#request.onStanding(effect.device, effect.standing);
      case 'note':
        return this.#request.log(`${effect.device}: ${effect.note}`);
    }
  }

  /** What a broker that is away misses is published again by `republish`. */
  async #publish({ kind, payload }: Extract<AttestationEffect, { effect: 'publish' }>): Promise<void> {
    try {
      await this.#request.gossip.publish(kind, payload, true);
    } catch (error) {
      this.#request.log(`${kind} could not be published: ${messageOf(error)}`);
    }
  }

  /** Not waited for: the TPM may take seconds, and answers with an event. */
  #ask(task: Task): void {
    const served = task.task === 'make-evidence' ? this.#waiters.splice(0) : [];
    const asked = this.#do(task, served).catch((error: unknown) => this.#failTask(task, served, error));
    this.#asked.add(asked);
    void asked.finally(() => this.#asked.delete(asked));
  }

  async #do(task: Task, served: readonly Waiter[]): Promise<void> {
    const news = await answerTo(task, this.#request);
    this.#dispatch(news);
    if (news.type === 'evidence-made') for (const { resolve } of served) resolve(news.encoded);
  }

  #failTask(task: Task, served: readonly Waiter[], error: unknown): void {
    this.#waiters.push(...served);
    if (needsRestart(error)) return this.#fail(error);
    this.#request.log(`${task.task} failed, and is tried again: ${messageOf(error)}`);
    this.#dispatch({ type: 'task-failed', task });
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#request.onFailure(error);
  }

  #whyNoEvidence(): string {
    const vouching = [...this.#state.peers.values()].filter(({ credentialByIt }) => credentialByIt).length;
    const needed = this.#state.network.genesis.credentialsMin;
    if (vouching < needed)
      return `${vouching} other members vouch for this device's attestation key yet; ${needed} must, so at least ${needed} peers have to be up`;
    return 'no other member has given a beacon of the last five minutes; at least one peer has to be up';
  }
}

export type TaskPorts = Pick<AttestationRequest, 'attester' | 'network' | 'clock' | 'random'>;

/** What the TPM says to a task. */
export async function answerTo(task: Task, { attester, network, clock, random }: TaskPorts): Promise<News> {
  switch (task.task) {
    case 'make-beacon': {
      const issuedAtMs = clock();
      const body = encodeStrict(Beacon, {
        network: networkId(network),
        issuer: attester.node,
        nonce: random(beaconNonceBytes),
        issuedAtMs,
      });
      return { type: 'beacon-made', envelope: await sign(attester, BeaconMessage.domain, body), issuedAtMs };
    }
    case 'close-secret': {
      const secret = random(secretBytes);
      const { blob, secret: encryptedSecret } = await attester.closeSecret(secret, task.endorsementKey, task.attestationKeyName);
      return { type: 'secret-closed', subject: task.subject, secret, credentialBlob: blob, encryptedSecret };
    }
    case 'open-secret': {
      const { credentialBlob, encryptedSecret } = task.activation;
      const secret = await attester.openSecret({ blob: credentialBlob, secret: encryptedSecret });
      return { type: 'secret-opened', issuer: task.issuer, activation: task.activation, secret };
    }
    case 'make-credential':
      return { type: 'credential-made', subject: task.subject, envelope: await sign(attester, CredentialMessage.domain, task.body) };
    case 'make-evidence': {
      const { beacon, credentials } = task;
      const about = { network: networkId(network), beacon: beacon.envelope, beaconValue: beacon.value, credentials };
      return { type: 'evidence-made', encoded: await attester.makeEvidence(about), beacon };
    }
  }
}

/** The most that TPM2_MakeCredential takes under a SHA-256 endorsement key. */
const secretBytes = 32;

async function sign(attester: Attester, domain: typeof BeaconMessage.domain, body: Uint8Array): Promise<Uint8Array> {
  return sealBody(body, await attester.signWithAttestationKey(signingInput(domain, body)));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
