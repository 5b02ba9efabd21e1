/** Where a peer stands with this device: the verdict that the rest of the firmware and the operator see. Specification §3.8. */
import { sameBytes } from '#protocol/codec.ts';
import type { DiscontinuityReason } from '#protocol/continuity.ts';
import type { EvidenceRefusal, TrustedEvidence } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';

import { DEVICE_LIMITS } from '../limits.ts';

/** Silence is never a verdict: trust ends by itself at `attestedUntilMs`, and nothing worse follows from hearing nothing. */
export type PeerStanding =
  | { readonly verdict: 'trusted'; readonly attestedUntilMs: number; readonly softwareTpm: boolean; readonly operationalKey: Uint8Array }
  | { readonly verdict: 'stale'; readonly reason: 'no-evidence-yet' | 'evidence-expired'; readonly detail: string }
  | { readonly verdict: 'unreachable'; readonly reason: 'nothing-heard'; readonly detail: string }
  | { readonly verdict: 'untrusted'; readonly reason: EvidenceRefusal | 'evidence-of-other-node'; readonly detail: string }
  | { readonly verdict: 'disputed'; readonly reason: DiscontinuityReason; readonly detail: string };

/** What a device remembers of one peer. */
export interface PeerHistory {
  /** Of this run of the program; undefined where nothing was heard yet. */
  readonly heardAtMs: number | undefined;
  readonly trusted: TrustedEvidence | undefined;
  /** Set by evidence that was refused for more than its age; cleared by evidence that is trusted. */
  readonly refused: { readonly reason: EvidenceRefusal | 'evidence-of-other-node'; readonly detail: string } | undefined;
  /** Stays until the peer is enrolled anew with another attestation key. */
  readonly quarantine: { readonly reason: DiscontinuityReason; readonly detail: string } | undefined;
}

export function standingOf(peer: PeerHistory, nowMs: number): PeerStanding {
  if (peer.quarantine) return { verdict: 'disputed', ...peer.quarantine };
  if (peer.refused) return { verdict: 'untrusted', ...peer.refused };
  const attestedUntilMs = peer.trusted && peer.trusted.beaconIssuedAtMs + LIMITS.beaconAgeMaxMs;
  if (peer.trusted && attestedUntilMs !== undefined && nowMs <= attestedUntilMs) {
    return { verdict: 'trusted', attestedUntilMs, softwareTpm: peer.trusted.softwareTpm, operationalKey: peer.trusted.operationalKey };
  }
  return untrustedByAge(peer, nowMs);
}

/** Whether two standings are the same news: a later end of trust is none, another operational key is. */
export function sameStanding(left: PeerStanding | undefined, right: PeerStanding): boolean {
  if (left?.verdict === 'trusted') return right.verdict === 'trusted' && sameBytes(left.operationalKey, right.operationalKey);
  return left !== undefined && right.verdict !== 'trusted' && left.verdict === right.verdict && left.reason === right.reason;
}

function untrustedByAge(peer: PeerHistory, nowMs: number): PeerStanding {
  const silentSeconds = DEVICE_LIMITS.peerSilentMs / 1_000;
  if (peer.heardAtMs === undefined || nowMs - peer.heardAtMs > DEVICE_LIMITS.peerSilentMs) {
    return {
      verdict: 'unreachable',
      reason: 'nothing-heard',
      detail: `nothing was heard from this device for ${silentSeconds} s, or since this one started`,
    };
  }
  return peer.trusted
    ? { verdict: 'stale', reason: 'evidence-expired', detail: 'its latest evidence is too old, and newer has not come' }
    : { verdict: 'stale', reason: 'no-evidence-yet', detail: 'it is there, but has not shown evidence yet' };
}
