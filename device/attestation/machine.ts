/**
 * Attestation between devices, decided: beacons are given, credentials exchanged, evidence shown and judged, for ever.
 * Specification §3. The same state and events give the same effects; the TPM is a party that answers later.
 */
import { judgeBeacon } from '#protocol/beacon.ts';
import { judgeCredential } from '#protocol/credential.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { judgeDeviceEvidence } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { judgeMemberKeys, type MemberKeys } from '#protocol/member-keys.ts';
import { networkId, nodeIdOf, type Member, type Network } from '#protocol/network.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { sameBytes } from '#protocol/codec.ts';

import { DEVICE_LIMITS } from '../limits.ts';
import {
  activationReceived,
  answerReceived,
  credentialMade,
  credentialReceived,
  exchangeDuties,
  publishExchange,
  secretClosed,
  secretOpened,
} from './exchange.ts';
import { evidenceDuty, evidenceReceived } from './peer-evidence.ts';
import type { AttestationRecord, RememberedPeer } from './record.ts';
import { sameStanding, standingOf, type PeerStanding } from './standing.ts';
import {
  ask,
  taskDone,
  taskRests,
  type AttestationEffect,
  type AttestationEvent,
  type AttestationState,
  type Peer,
  type PeerBeacon,
} from './state.ts';

export interface AttestationSetup {
  readonly network: Network;
  readonly crypto: Crypto;
  /** Node id of this device, a member of the network whose keys hold. */
  readonly node: Uint8Array;
  readonly record: AttestationRecord;
  /** Newcomers that others admit (§11.5). */
  readonly leftToOthers?: readonly Uint8Array[];
  readonly nowMs: number;
}

/** @throws Error where this device is no member, or its own keys don't hold: nothing that it does would count */
export function startAttestation(setup: AttestationSetup): { readonly state: AttestationState; readonly effects: AttestationEffect[] } {
  const members = setup.network.members.map((member) => ({ member, keys: judgeKeys(member, setup) }));
  const own = members.find(({ member }) => sameBytes(nodeIdOf(member.endorsementKey), setup.node));
  if (!own)
    throw new Error('This device is not in the network file; make its card and found the network anew, or start it with the right file');
  if (own.keys.status === 'refused') throw new Error(`The network file's keys of this device do not hold: ${own.keys.detail}`);
  const self = own.keys.keys;
  const others = members.filter((one) => one !== own);
  const peers = new Map(
    others.map(({ member, keys }) => [member.name, peerOf(member, keys.status === 'accepted' ? keys.keys : undefined, self, setup)]),
  );
  const { network, crypto } = setup;
  const progress = {
    leftToOthers: new Set(setup.leftToOthers?.map(hex)),
    ownStanding: undefined,
    ownBeacon: undefined,
    evidence: undefined,
    evidenceRequested: false,
  };
  const state: AttestationState = { network, networkId: networkId(network), crypto, self, peers, tasks: new Map(), ...progress };
  return { state, effects: [...publishExchange(state), ...duties(state, setup.nowMs)] };
}

export function step(state: AttestationState, event: AttestationEvent): AttestationEffect[] {
  return [...take(state, event), ...duties(state, event.nowMs)];
}

function take(state: AttestationState, event: AttestationEvent): AttestationEffect[] {
  switch (event.type) {
    case 'ticked':
      return [];
    case 'broker-connected':
      return [...publishBeacon(state), ...publishExchange(state), ...publishEvidence(state)];
    case 'received':
      return received(state, event);
    case 'evidence-requested':
      state.evidenceRequested = true;
      return [];
    case 'left-to-others':
      state.leftToOthers = new Set(event.nodes.map(hex));
      return [];
    case 'beacon-made':
      taskDone(state, { task: 'make-beacon' });
      state.ownBeacon = { envelope: event.envelope, issuedAtMs: event.issuedAtMs };
      return publishBeacon(state);
    case 'secret-closed':
      return secretClosed(state, event);
    case 'secret-opened':
      return secretOpened(state, event);
    case 'credential-made':
      return credentialMade(state, event);
    case 'evidence-made':
      return evidenceMade(state, event);
    case 'task-failed':
      taskRests(state, event.task, event.nowMs);
      return [];
  }
}

function received(
  state: AttestationState,
  { from, kind, payload, nowMs }: Extract<AttestationEvent, { type: 'received' }>,
): AttestationEffect[] {
  const peer = state.peers.get(from);
  if (!peer) return [{ effect: 'note', device: from, note: 'it is no peer of this network' }];
  switch (kind) {
    case 'beacon':
      return beaconReceived(state, peer, payload, nowMs);
    case 'evidence':
      return evidenceReceived(state, peer, payload, nowMs);
    case 'activation':
      return activationReceived(state, peer, payload);
    case 'answer':
      return answerReceived(state, peer, payload, nowMs);
    case 'credential':
      return credentialReceived(state, peer, payload, nowMs);
  }
}

/** A peer that was away shows the beacon that its broker retained: only a recent one tells that it is there. */
function beaconReceived(state: AttestationState, peer: Peer, payload: Uint8Array, nowMs: number): AttestationEffect[] {
  const verdict = judgeBeacon(payload, state.self.node, { network: state.network, crypto: state.crypto, atMs: nowMs });
  if (verdict.status === 'refused') return [{ effect: 'note', device: peer.name, note: `its beacon is not taken: ${verdict.detail}` }];
  if (verdict.issuer !== peer.name)
    return [{ effect: 'note', device: peer.name, note: `it shows a beacon by ${verdict.issuer}; only its own is taken` }];
  if (peer.beacon && verdict.issuedAtMs <= peer.beacon.issuedAtMs) return [];
  peer.beacon = { issuer: peer.name, envelope: payload, value: verdict.value, issuedAtMs: verdict.issuedAtMs };
  peer.history = { ...peer.history, heardAtMs: nowMs };
  return [];
}

/** This device judges its own evidence as others will, so that its operator learns why they refuse it. */
function evidenceMade(
  state: AttestationState,
  { encoded, beacon, nowMs }: Extract<AttestationEvent, { type: 'evidence-made' }>,
): AttestationEffect[] {
  taskDone(state, { task: 'make-evidence' });
  state.evidence = { encoded, beacon };
  const verdict = judgeDeviceEvidence(encoded, { network: state.network, crypto: state.crypto, atMs: nowMs });
  const history = { heardAtMs: nowMs, quarantine: undefined };
  const standing =
    verdict.status === 'trusted'
      ? standingOf({ ...history, trusted: verdict, refused: undefined }, nowMs)
      : standingOf({ ...history, trusted: undefined, refused: { reason: verdict.reason, detail: verdict.detail } }, nowMs);
  const report = sameStanding(state.ownStanding, standing) ? [] : [{ effect: 'report', device: state.self.name, standing } as const];
  state.ownStanding = standing;
  return [...publishEvidence(state), ...report];
}

function publishBeacon({ ownBeacon }: AttestationState): AttestationEffect[] {
  return ownBeacon ? [{ effect: 'publish', kind: 'beacon', payload: ownBeacon.envelope }] : [];
}

function publishEvidence({ evidence }: AttestationState): AttestationEffect[] {
  return evidence ? [{ effect: 'publish', kind: 'evidence', payload: evidence.encoded }] : [];
}

/** Whatever is due, in a fixed order. */
function duties(state: AttestationState, nowMs: number): AttestationEffect[] {
  const peers = [...state.peers.values()];
  return [
    ...beaconDuty(state, nowMs),
    ...peers.flatMap((peer) => exchangeDuties(state, peer, nowMs)),
    ...peers.flatMap((peer) => evidenceDuty(state, peer, nowMs)),
    ...ownEvidenceDuty(state, nowMs),
    ...peers.flatMap((peer) => reportDuty(peer, nowMs)),
  ];
}

function beaconDuty(state: AttestationState, nowMs: number): AttestationEffect[] {
  const issuedAtMs = state.ownBeacon?.issuedAtMs;
  const due = issuedAtMs === undefined || Math.abs(nowMs - issuedAtMs) >= DEVICE_LIMITS.beaconEveryMs;
  return due ? ask(state, { task: 'make-beacon' }, nowMs) : [];
}

function ownEvidenceDuty(state: AttestationState, nowMs: number): AttestationEffect[] {
  const beacon = newestBeacon(state, nowMs);
  const credentials = ownCredentials(state);
  if (!beacon || credentials.length < state.network.genesis.credentialsMin || !isEvidenceDue(state, beacon, nowMs)) return [];
  const asked = ask(state, { task: 'make-evidence', beacon, credentials }, nowMs);
  if (asked.length > 0) state.evidenceRequested = false;
  return asked;
}

/** As many as count. A founder's come first, because who checks a receipt may know no other members than those of the network file. */
function ownCredentials(state: AttestationState): Uint8Array[] {
  const peers = [...state.peers.values()];
  const inOrder = [...peers.filter((peer) => isFounder(state, peer)), ...peers.filter((peer) => !isFounder(state, peer))];
  return inOrder.flatMap(({ credentialByIt }) => credentialByIt ?? []).slice(0, state.network.genesis.credentialsMin);
}

function isFounder({ network }: AttestationState, { node }: Peer): boolean {
  return network.genesis.members.some((founder) => sameBytes(founder, node));
}

function isEvidenceDue(state: AttestationState, newest: PeerBeacon, nowMs: number): boolean {
  const { evidence } = state;
  if (!evidence || state.evidenceRequested) return true;
  const isNewer = newest.issuedAtMs > evidence.beacon.issuedAtMs;
  return isNewer && nowMs - evidence.beacon.issuedAtMs >= DEVICE_LIMITS.evidenceEveryMs;
}

/**
 * Of peers that nothing is held against, and young enough that verifiers will take it. A founder's is preferred, because who
 * checks a receipt may know no other members than those of the network file.
 */
function newestBeacon(state: AttestationState, nowMs: number): PeerBeacon | undefined {
  const usable = [...state.peers.values()]
    .filter(({ history }) => !history.quarantine && !history.refused)
    .filter(({ beacon }) => beacon && nowMs - beacon.issuedAtMs <= LIMITS.beaconAgeMaxMs);
  const founders = usable.filter((peer) => isFounder(state, peer));
  return (founders.length > 0 ? founders : usable)
    .flatMap(({ beacon }) => beacon ?? [])
    .reduce<PeerBeacon | undefined>((newest, beacon) => (newest && newest.issuedAtMs >= beacon.issuedAtMs ? newest : beacon), undefined);
}

function reportDuty(peer: Peer, nowMs: number): AttestationEffect[] {
  const standing: PeerStanding = standingOf(peer.history, nowMs);
  const isNews = !sameStanding(peer.standing, standing);
  peer.standing = standing;
  return isNews ? [{ effect: 'report', device: peer.name, standing }] : [];
}

function judgeKeys(member: Member, { network, crypto, nowMs }: AttestationSetup): ReturnType<typeof judgeMemberKeys> {
  return judgeMemberKeys(member, network.genesis.endorsementAuthorities, { crypto, atMs: nowMs });
}

/** What is remembered counts for the keys that the network file has now: a peer that was enrolled anew begins anew. */
function peerOf(member: Member, keys: MemberKeys | undefined, self: MemberKeys, setup: AttestationSetup): Peer {
  const remembered = setup.record.peers.find(({ name }) => name === member.name);
  const context = { network: setup.network, crypto: setup.crypto, atMs: setup.nowMs };
  const holds = (credential: Uint8Array | undefined, of: MemberKeys | undefined) =>
    credential && of && judgeCredential(credential, of, context).status === 'accepted' ? credential : undefined;
  const past = remembered && isOfSameKey(remembered, member) ? remembered : undefined;
  return {
    name: member.name,
    node: nodeIdOf(member.endorsementKey),
    keys,
    endorsementKey: member.endorsementKey,
    history: { heardAtMs: undefined, trusted: undefined, refused: undefined, quarantine: past?.quarantine },
    continuity: past?.continuity,
    standing: undefined,
    beacon: undefined,
    evidence: { latest: undefined, waiting: undefined, judgedAtMs: 0 },
    credentialForIt: holds(remembered?.credentialForIt, keys),
    challenge: undefined,
    credentialByIt: holds(remembered?.credentialByIt, self),
    activationByIt: undefined,
    answerToIt: undefined,
  };
}

function isOfSameKey({ continuity }: RememberedPeer, { attestationKey }: Member): boolean {
  return continuity !== undefined && sameBytes(continuity.latest.attestationKeyDigest, blobDigest(attestationKey));
}
