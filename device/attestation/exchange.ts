/**
 * How members vouch for one another's attestation keys: each closes a secret for every other, and signs a credential for
 * whoever shows that its chip opened it. Specification §3.4.
 *
 * A device publishes lists, retained: what it has closed, what it answers, what it has signed. Each list shrinks as the
 * exchange goes on, and a device that was away finds everything when it comes back.
 */
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { Activations, answerProof, Answers, Credential, CredentialMessage, Credentials, judgeCredential } from '#protocol/credential.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { peekSigned } from '#protocol/signed.ts';

import {
  ask,
  recordOf,
  taskDone,
  taskRests,
  type AttestationEffect,
  type AttestationEvent,
  type AttestationState,
  type Peer,
} from './state.ts';

type EventOf<Type extends AttestationEvent['type']> = Extract<AttestationEvent, { type: Type }>;

/** What is due in the exchange with one peer. */
export function exchangeDuties(state: AttestationState, peer: Peer, nowMs: number): AttestationEffect[] {
  return [...closeDuty(state, peer, nowMs), ...openDuty(state, peer, nowMs)];
}

/** What this device says in the exchange, as it stands. */
export function publishExchange(state: AttestationState): AttestationEffect[] {
  return [publishCredentials(state), publishActivations(state), publishAnswers(state)];
}

export function secretClosed(state: AttestationState, event: EventOf<'secret-closed'>): AttestationEffect[] {
  taskDone(state, { task: 'close-secret', about: event.subject });
  const peer = state.peers.get(event.subject);
  if (!peer || peer.credentialForIt) return [];
  const { secret, credentialBlob, encryptedSecret } = event;
  peer.challenge = { secret, activation: { issuer: state.self.node, subject: peer.node, credentialBlob, encryptedSecret } };
  return [publishActivations(state)];
}

/** A peer's list of closed secrets; the one for us is opened when the TPM is free. */
export function activationReceived(state: AttestationState, peer: Peer, payload: Uint8Array): AttestationEffect[] {
  const offered = decodeStrict(Activations, payload, LIMITS.packetBytesMax);
  if (offered.status === 'malformed') return [note(peer, `its activations are not taken: ${offered.detail}`)];
  peer.activationByIt = offered.value.find(({ issuer, subject }) => sameBytes(subject, state.self.node) && sameBytes(issuer, peer.node));
  return [];
}

export function secretOpened(
  state: AttestationState,
  { issuer, activation, secret, nowMs }: EventOf<'secret-opened'>,
): AttestationEffect[] {
  taskRests(state, { task: 'open-secret', issuer, activation }, nowMs);
  const peer = state.peers.get(issuer);
  if (!peer) return [];
  const about = { network: state.networkId, issuer: peer.node, subject: state.self.node };
  const proof = answerProof(state.crypto, secret, { ...about, attestationKeyName: state.self.attestationKey.name });
  peer.answerToIt = { activation, answer: { issuer: peer.node, subject: state.self.node, proof } };
  return [publishAnswers(state)];
}

export function answerReceived(state: AttestationState, peer: Peer, payload: Uint8Array, nowMs: number): AttestationEffect[] {
  const answers = decodeStrict(Answers, payload, LIMITS.packetBytesMax);
  if (answers.status === 'malformed') return [note(peer, `its answers are not taken: ${answers.detail}`)];
  const answer = answers.value.find(({ issuer, subject }) => sameBytes(issuer, state.self.node) && sameBytes(subject, peer.node));
  const { challenge, keys } = peer;
  if (!answer || !challenge || !keys || peer.credentialForIt) return [];
  const about = { network: state.networkId, issuer: state.self.node, subject: peer.node, attestationKeyName: keys.attestationKey.name };
  if (!sameBytes(answer.proof, answerProof(state.crypto, challenge.secret, about)))
    return [note(peer, 'its answer does not show that its TPM opened our secret')];
  return ask(state, { task: 'make-credential', subject: peer.name, body: credentialBody(state, keys, nowMs) }, nowMs);
}

export function credentialMade(state: AttestationState, { subject, envelope }: EventOf<'credential-made'>): AttestationEffect[] {
  taskDone(state, { task: 'make-credential', about: subject });
  const peer = state.peers.get(subject);
  if (!peer) return [];
  peer.credentialForIt = envelope;
  peer.challenge?.secret.fill(0);
  peer.challenge = undefined;
  return [{ effect: 'persist', record: recordOf(state) }, publishCredentials(state), publishActivations(state)];
}

/** A peer's list of credentials: ours is kept, whoever it was for. */
export function credentialReceived(state: AttestationState, peer: Peer, payload: Uint8Array, nowMs: number): AttestationEffect[] {
  if (peer.credentialByIt) return [];
  const credentials = decodeStrict(Credentials, payload, LIMITS.packetBytesMax);
  if (credentials.status === 'malformed') return [note(peer, `its credentials are not taken: ${credentials.detail}`)];
  const ours = credentials.value.find((envelope) => isFor(state.self.node, envelope));
  if (!ours) return [];
  const verdict = judgeCredential(ours, state.self, { network: state.network, crypto: state.crypto, atMs: nowMs });
  if (verdict.status === 'refused') return [note(peer, `its credential for us is not taken: ${verdict.detail}`)];
  if (verdict.issuer !== peer.name) return [note(peer, `it shows a credential for us by ${verdict.issuer}; only its own is taken`)];
  peer.credentialByIt = ours;
  return [{ effect: 'persist', record: recordOf(state) }, publishAnswers(state)];
}

function closeDuty(state: AttestationState, peer: Peer, nowMs: number): AttestationEffect[] {
  const { keys, endorsementKey } = peer;
  if (!keys || peer.credentialForIt || peer.challenge || peer.history.quarantine || state.leftToOthers.has(hex(peer.node))) return [];
  return ask(state, { task: 'close-secret', subject: peer.name, endorsementKey, attestationKeyName: keys.attestationKey.name }, nowMs);
}

function openDuty(state: AttestationState, peer: Peer, nowMs: number): AttestationEffect[] {
  const { activationByIt, answerToIt } = peer;
  if (!activationByIt || peer.credentialByIt) return [];
  if (answerToIt && sameBytes(answerToIt.activation.credentialBlob, activationByIt.credentialBlob)) return [];
  return ask(state, { task: 'open-secret', issuer: peer.name, activation: activationByIt }, nowMs);
}

function credentialBody(state: AttestationState, keys: NonNullable<Peer['keys']>, issuedAtMs: number): Uint8Array {
  return encodeStrict(Credential, {
    network: state.networkId,
    issuer: state.self.node,
    subject: keys.node,
    endorsementKeyName: keys.endorsementKey.name,
    attestationKeyName: keys.attestationKey.name,
    vrfKeyDigest: keys.vrfKeyDigest,
    issuedAtMs,
  });
}

function isFor(node: Uint8Array, envelope: Uint8Array): boolean {
  const claimed = peekSigned(CredentialMessage, envelope);
  return claimed.status === 'decoded' && sameBytes(claimed.value.subject, node);
}

function publishActivations(state: AttestationState): AttestationEffect {
  const open = peersOf(state).flatMap(({ challenge }) => (challenge ? [challenge.activation] : []));
  return { effect: 'publish', kind: 'activation', payload: encodeStrict(Activations, open) };
}

function publishAnswers(state: AttestationState): AttestationEffect {
  const open = peersOf(state).flatMap(({ answerToIt, credentialByIt }) => (answerToIt && !credentialByIt ? [answerToIt.answer] : []));
  return { effect: 'publish', kind: 'answer', payload: encodeStrict(Answers, open) };
}

function publishCredentials(state: AttestationState): AttestationEffect {
  const given = peersOf(state).flatMap(({ credentialForIt }) => (credentialForIt ? [credentialForIt] : []));
  return { effect: 'publish', kind: 'credential', payload: encodeStrict(Credentials, given) };
}

function peersOf(state: AttestationState): Peer[] {
  return [...state.peers.values()];
}

function note(peer: Peer, words: string): AttestationEffect {
  return { effect: 'note', device: peer.name, note: words };
}
