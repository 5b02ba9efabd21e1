/** What follows from a peer's evidence: the judgement of protocol/evidence.ts, held against the peer's history. Specification §3.6. */
import { sameBytes } from '#protocol/codec.ts';
import { judgeContinuity } from '#protocol/continuity.ts';
import { judgeDeviceEvidence, type TrustedEvidence } from '#protocol/evidence.ts';

import { DEVICE_LIMITS } from '../limits.ts';
import { recordOf, type AttestationEffect, type AttestationState, type Peer } from './state.ts';

/** Judges now, or keeps it for later where this peer's evidence was judged a moment ago. */
export function evidenceReceived(state: AttestationState, peer: Peer, payload: Uint8Array, nowMs: number): AttestationEffect[] {
  const { latest, judgedAtMs } = peer.evidence;
  if (latest && sameBytes(latest, payload)) return [];
  if (nowMs - judgedAtMs >= DEVICE_LIMITS.evidenceJudgedEveryMs) return judge(state, peer, payload, nowMs);
  peer.evidence = { ...peer.evidence, waiting: payload };
  return [];
}

/** The evidence that had to wait. */
export function evidenceDuty(state: AttestationState, peer: Peer, nowMs: number): AttestationEffect[] {
  const { waiting, judgedAtMs } = peer.evidence;
  if (!waiting || nowMs - judgedAtMs < DEVICE_LIMITS.evidenceJudgedEveryMs) return [];
  return judge(state, peer, waiting, nowMs);
}

function judge(state: AttestationState, peer: Peer, payload: Uint8Array, nowMs: number): AttestationEffect[] {
  peer.evidence = { latest: payload, waiting: undefined, judgedAtMs: nowMs };
  const verdict = judgeDeviceEvidence(payload, { network: state.network, crypto: state.crypto, atMs: nowMs });
  if (verdict.status === 'trusted')
    return sameBytes(verdict.node, peer.node) ? follow(state, peer, verdict, nowMs) : ofOtherNode(peer, verdict);
  if (isAboutAge(verdict.reason)) return [{ effect: 'note', device: peer.name, note: `its evidence is not of now: ${verdict.detail}` }];
  peer.history = { ...peer.history, refused: { reason: verdict.reason, detail: verdict.detail } };
  return [];
}

/** Old evidence is what a peer's broker retained while the peer was away: no fault of it, and no merit. */
function isAboutAge(reason: string): boolean {
  return reason === 'beacon-too-old' || reason === 'beacon-in-future';
}

function follow(state: AttestationState, peer: Peer, trusted: TrustedEvidence, nowMs: number): AttestationEffect[] {
  const continuity = judgeContinuity(peer.continuity, trusted.clock);
  switch (continuity.status) {
    case 'superseded':
      return [{ effect: 'note', device: peer.name, note: `its evidence is late: ${continuity.detail}` }];
    case 'quarantined':
      peer.history = { ...peer.history, quarantine: { reason: continuity.reason, detail: continuity.detail } };
      return [{ effect: 'persist', record: recordOf(state) }];
    case 'continuous':
      peer.continuity = continuity.memory;
      peer.history = { ...peer.history, trusted, refused: undefined, heardAtMs: nowMs };
      return [{ effect: 'persist', record: recordOf(state) }];
  }
}

function ofOtherNode(peer: Peer, { name }: TrustedEvidence): AttestationEffect[] {
  peer.history = { ...peer.history, refused: { reason: 'evidence-of-other-node', detail: `it shows the evidence of ${name} as its own` } };
  return [];
}
