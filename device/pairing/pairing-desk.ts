/** Where requests to pair are answered: one certificate for one invitation, however often it is asked for. Specification §5.6. */
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import {
  judgePairingRequest,
  refusePairing,
  sealPairingGrant,
  type HolderKind,
  type Invitation,
  type PairingRefusal,
  type PairingRequest,
} from '#protocol/pairing.ts';
import type { Authority } from '../mqtt/authority.ts';
import { isP256PublicKey } from '../mqtt/certificate.ts';
import type { Invitations, Waiting } from './invitations.ts';
import type { PairedNames } from './paired-names.ts';

export interface PairingDesk {
  readonly invitations: Invitations;
  readonly names: PairedNames;
  readonly authority: Authority;
  /** Where clients and boxes connect, `mqtts://host:port`. */
  readonly urls: Readonly<Record<HolderKind, string>>;
  /** The network file. */
  readonly network: Uint8Array;
}

export type DeskOutcome =
  | { readonly outcome: 'paired'; readonly kind: HolderKind; readonly name: string }
  | { readonly outcome: 'repeated' }
  | { readonly outcome: 'refused'; readonly reason: PairingRefusal; readonly detail: string };

export interface DeskAnswer {
  readonly answer: Uint8Array;
  readonly outcome: DeskOutcome;
}

/** @param id the invitation's, from the topic: whoever asks chose it freely */
export function answerPairingRequest(desk: PairingDesk, id: string, encoded: Uint8Array, nowMs: number): DeskAnswer {
  const before = desk.invitations.answerTo(id, encoded);
  if (before) return { answer: before, outcome: { outcome: 'repeated' } };
  const waiting = desk.invitations.find(id);
  if (!waiting)
    return refuse('unknown-invitation', 'there is no such invitation: it was used, withdrawn after wrong attempts, or has expired');
  const verdict = judgePairingRequest(encoded, waiting.invitation, nowMs);
  if (verdict.status === 'refused') return refuseAttempt(desk, id, waiting, verdict);
  const objection = objectionTo(desk, waiting.invitation, verdict.request);
  if (objection) return refuse(objection.reason, objection.detail);
  return pair(desk, id, waiting.invitation, { encoded, ...verdict }, nowMs);
}

function refuseAttempt(
  desk: PairingDesk,
  id: string,
  waiting: Waiting,
  { reason, detail }: { reason: PairingRefusal; detail: string },
): DeskAnswer {
  if (reason !== 'wrong-token') return refuse(reason, detail);
  const left = desk.invitations.countWrongAttempt(id, waiting);
  return refuse(reason, left === 'withdrawn' ? `${detail}; after too many wrong attempts the invitation is withdrawn` : detail);
}

function objectionTo(
  { names }: PairingDesk,
  { kind, name, id }: Invitation,
  request: PairingRequest,
): { reason: PairingRefusal; detail: string } | undefined {
  if (!isP256PublicKey(request.publicKey))
    return { reason: 'unsuitable-key', detail: 'the public key must be a P-256 key as SubjectPublicKeyInfo' };
  const holder = names.find(kind, name);
  // A crash between registry and answer leaves this invitation's own entry behind; its certificate never left the device.
  if (holder && holder.invitation.toHex() !== id.toHex())
    return { reason: 'name-taken', detail: `a ${kind} named "${name}" is paired already; remove it or choose another name` };
  return names.isFull()
    ? { reason: 'registry-full', detail: 'the registry of this device is full; remove names that are not used' }
    : undefined;
}

function pair(
  desk: PairingDesk,
  id: string,
  invitation: Invitation,
  asked: { encoded: Uint8Array; request: PairingRequest; digest: Uint8Array },
  nowMs: number,
): DeskAnswer {
  const { kind, name } = invitation;
  const { publicKey, signingKey } = asked.request;
  const { certificate, serial, expiresAt } = desk.authority.certify(kind, name, publicKey);
  desk.names.add({
    kind,
    name,
    serial: Uint8Array.fromHex(serial),
    fingerprint: blobDigest(certificate),
    invitation: invitation.id,
    pairedAtMs: nowMs,
    expiresAtMs: expiresAt.getTime(),
    ...(signingKey ? { signingKey } : {}),
  });
  const network = desk.network.length <= LIMITS.pairingNetworkBytesMax ? { network: desk.network } : {};
  const answer = sealPairingGrant(invitation.token, { request: asked.digest, certificate, url: desk.urls[kind], ...network });
  desk.invitations.use(id, asked.encoded, answer, nowMs);
  return { answer, outcome: { outcome: 'paired', kind, name } };
}

function refuse(reason: PairingRefusal, detail: string): DeskAnswer {
  return { answer: refusePairing(reason, detail), outcome: { outcome: 'refused', reason, detail } };
}
