/** Makes evidence part by part with a genuine chip, so that a test can put one wrong part in. */
import { Beacon, BeaconMessage } from '#protocol/beacon.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import {
  DeviceEvidence,
  encodeDeviceEvidence,
  evidenceQualifier,
  judgeDeviceEvidence,
  type EvidenceSubject,
  type EvidenceVerdict,
} from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { peekSigned } from '#protocol/signed.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import type { Identity } from '../../../device/identity/identity.ts';
import { beaconBy, credentialBy, crypto, type Bench } from './bench.ts';

/** Honest evidence of alpha, taken apart. */
export interface Evidence {
  readonly parts: DeviceEvidence;
  readonly subject: EvidenceSubject;
  readonly qualifier: Uint8Array;
  readonly timeQualifier: Uint8Array;
}

export async function honestEvidence({ devices: [alpha, bravo, charlie], network }: Bench): Promise<Evidence> {
  const credentials = [
    await credentialBy(bravo.identity, alpha.identity, network),
    await credentialBy(charlie.identity, alpha.identity, network),
  ];
  return evidenceOf(alpha.identity, bravo.identity, network, credentials);
}

export async function evidenceOf(
  identity: Identity,
  issuer: Identity,
  network: Network,
  credentials: readonly Uint8Array[],
  issuedAtMs = Date.now(),
): Promise<Evidence> {
  const beacon = await beaconBy(issuer, network, issuedAtMs);
  const encoded = await identity.makeEvidence({
    network: networkId(network),
    beacon: beacon.envelope,
    beaconValue: beacon.value,
    credentials,
  });
  const decoded = decodeStrict(DeviceEvidence, encoded, LIMITS.evidenceBytesMax);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  const subject = { network: networkId(network), beaconValue: beacon.value, node: identity.node, operationalKey: identity.operationalKey };
  return {
    parts: decoded.value,
    subject,
    qualifier: evidenceQualifier('evidence', subject),
    timeQualifier: evidenceQualifier('evidence-time', subject),
  };
}

/** Honest evidence with some parts replaced, judged at the time of its beacon or `afterMs` later. */
export function judged(network: Network, evidence: Evidence, changes: Partial<DeviceEvidence> = {}, afterMs = 0): EvidenceVerdict {
  const atMs = beaconTime(evidence.parts.beacon) + afterMs;
  return judgeDeviceEvidence(encodeDeviceEvidence({ ...evidence.parts, ...changes }), { network, crypto, atMs });
}

/** The reason for which it was refused, or `trusted`. */
export function outcome(verdict: EvidenceVerdict): string {
  return verdict.status === 'trusted' ? 'trusted' : verdict.reason;
}

/** r ‖ s as TPMT_SIGNATURE of ECDSA with SHA-256. */
export function tpmSignature(fixed: Uint8Array): Uint8Array {
  return Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r: fixed.slice(0, 32), s: fixed.slice(32) });
}

export function beaconTime(envelope: Uint8Array): number {
  const beacon = peekSigned(BeaconMessage, envelope);
  if (beacon.status === 'malformed') throw new Error(beacon.detail);
  return beacon.value.issuedAtMs;
}

/** What a genuine beacon says, encoded anew. */
export function encodedBeacon(beacon: Beacon): Uint8Array {
  return encodeStrict(Beacon, beacon);
}
