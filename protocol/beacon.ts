/**
 * Beacons: fresh values that evidence must contain, so that one piece of evidence serves every verifier and a replay is
 * refused by its age. Specification §3.5. Until a network has a chain, a beacon is made by another member.
 */
import { Digest, domainDigest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { attestationKeyOf } from './member-keys.ts';
import { memberOf, networkId, type Network } from './network.ts';
import { fixedBytes, integer, struct, type Infer } from './schema.ts';
import { openSigned, peekSigned, signedKind } from './signed.ts';
import type { Crypto } from './crypto.ts';
import { sameBytes } from './codec.ts';

export const beaconNonceBytes = 32;

/** A moment in ms since 1970, by the clock of whoever wrote it. */
export const Moment = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

export const Beacon = struct({ network: Digest, issuer: Digest, nonce: fixedBytes(beaconNonceBytes), issuedAtMs: Moment });
export type Beacon = Infer<typeof Beacon>;

/** Signed by the issuer's attestation key: the domain's prefix keeps it apart from what a TPM says by itself. */
export const BeaconMessage = signedKind('beacon', Beacon, LIMITS.beaconBytesMax);

/** What evidence contains of a beacon. */
export function beaconValue(network: Uint8Array, nonce: Uint8Array): Uint8Array {
  return domainDigest('beacon-value', network, nonce);
}

export interface BeaconContext {
  readonly network: Network;
  readonly crypto: Crypto;
  readonly atMs: number;
  readonly beaconAgeMaxMs?: number;
}

export type BeaconRefusal =
  | 'beacon-malformed'
  | 'beacon-of-other-network'
  | 'beacon-issuer-unknown'
  | 'beacon-signature-wrong'
  | 'beacon-by-subject'
  | 'beacon-too-old'
  | 'beacon-in-future';

export type BeaconVerdict =
  | { readonly status: 'accepted'; readonly issuer: string; readonly value: Uint8Array; readonly issuedAtMs: number }
  | { readonly status: 'refused'; readonly reason: BeaconRefusal; readonly detail: string };

/** Whether a beacon is by a member other than `subject` (a node id) and recent at `atMs`. */
export function judgeBeacon(encoded: Uint8Array, subject: Uint8Array, context: BeaconContext): BeaconVerdict {
  const claimed = peekSigned(BeaconMessage, encoded);
  if (claimed.status === 'malformed') return refused('beacon-malformed', claimed.detail);
  const network = networkId(context.network);
  if (!sameBytes(claimed.value.network, network)) return refused('beacon-of-other-network', 'the beacon belongs to another network');
  const issuer = memberOf(context.network, claimed.value.issuer);
  const key = issuer && attestationKeyOf(issuer, context.crypto);
  if (!issuer || !key) return refused('beacon-issuer-unknown', 'the beacon was made by nobody in the network file');
  const opened = openSigned(BeaconMessage, encoded, { algorithm: 'ecdsa-p256-sha256', point: key.point }, context.crypto);
  if (opened.status === 'refused') return refused('beacon-signature-wrong', `${opened.detail}, ${issuer.name}'s`);
  if (sameBytes(opened.value.issuer, subject))
    return refused('beacon-by-subject', `${issuer.name} made the beacon itself; another member must`);
  return judgeAge(opened.value, issuer.name, network, context);
}

function judgeAge({ issuedAtMs, nonce }: Beacon, issuer: string, network: Uint8Array, context: BeaconContext): BeaconVerdict {
  const ageMaxMs = context.beaconAgeMaxMs ?? LIMITS.beaconAgeMaxMs;
  const ageMs = context.atMs - issuedAtMs;
  if (ageMs > ageMaxMs + LIMITS.clockSkewMaxMs)
    return refused('beacon-too-old', `the beacon is ${seconds(ageMs)} old; at most ${seconds(ageMaxMs)} are accepted`);
  if (ageMs < -LIMITS.clockSkewMaxMs)
    return refused(
      'beacon-in-future',
      `the beacon is dated ${seconds(-ageMs)} after now; clocks may differ by ${seconds(LIMITS.clockSkewMaxMs)}`,
    );
  return { status: 'accepted', issuer, value: beaconValue(network, nonce), issuedAtMs };
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 1_000)} s`;
}

function refused(reason: BeaconRefusal, detail: string): BeaconVerdict {
  return { status: 'refused', reason, detail };
}
