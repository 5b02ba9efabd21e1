/** What one who has shown the code of a window gets: a certificate in its name, or the reason why not. Specification §5.6. */
import { sameBytes } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { refusedGrant, type GrantRefusal, type PairingGrant, type PairingRequest } from '#protocol/pairing.ts';
import type { HolderKind } from '#protocol/pairing-code.ts';
import type { Authority } from '../mqtt/authority.ts';
import { isP256PublicKey } from '../mqtt/certificate.ts';
import type { PairedName, PairedNames } from './paired-names.ts';
import type { OpenWindow } from './window-folder.ts';

export interface PairingDesk {
  readonly names: PairedNames;
  readonly authority: Authority;
  /** Where clients and boxes connect, `mqtts://host:port`. */
  readonly urls: Readonly<Record<HolderKind, string>>;
  /** The network file. */
  readonly network: Uint8Array;
}

export type DeskOutcome =
  | {
      readonly outcome: 'paired';
      readonly kind: HolderKind;
      readonly name: string;
      /** `first`, `again` with the same keys, or `replaced` another holder of the name. */
      readonly how: 'first' | 'again' | 'replaced';
      /** Fingerprints: SHA-256 of the DER. */
      readonly authority: Uint8Array;
      readonly certificate: Uint8Array;
    }
  | { readonly outcome: 'refused'; readonly kind: HolderKind; readonly name: string; readonly reason: GrantRefusal };

export function answerRequest(
  desk: PairingDesk,
  window: OpenWindow,
  request: PairingRequest,
  nowMs: number,
): { readonly grant: PairingGrant; readonly outcome: DeskOutcome } {
  const { kind, name } = window;
  const holder = desk.names.find(kind, name);
  const objection = objectionTo(desk, window, request, holder);
  if (objection)
    return {
      grant: refusedGrant(objection.reason, objection.detail),
      outcome: { outcome: 'refused', kind, name, reason: objection.reason },
    };
  const { certificate, serial, expiresAt } = desk.authority.certify(kind, name, request.publicKey);
  const record: PairedName = {
    kind,
    name,
    serial: Uint8Array.fromHex(serial),
    fingerprint: blobDigest(certificate),
    key: blobDigest(request.publicKey),
    invitation: window.id,
    pairedAtMs: nowMs,
    expiresAtMs: expiresAt.getTime(),
    ...(request.signingKey ? { signingKey: request.signingKey } : {}),
  };
  if (holder) desk.names.replace(holder, record, nowMs);
  else desk.names.add(record);
  const authority = desk.authority.root('device');
  const network = desk.network.length <= LIMITS.pairingNetworkBytesMax ? { network: desk.network } : {};
  const how = !holder ? 'first' : hasKeys(holder, request) ? 'again' : 'replaced';
  return {
    grant: { status: 'granted', certificate, authority, url: desk.urls[kind], ...network },
    outcome: { outcome: 'paired', kind, name, how, authority: blobDigest(authority), certificate: record.fingerprint },
  };
}

function objectionTo(
  { names }: PairingDesk,
  { kind, name, replace }: OpenWindow,
  request: PairingRequest,
  holder: PairedName | undefined,
): { reason: GrantRefusal; detail: string } | undefined {
  if (!isP256PublicKey(request.publicKey))
    return { reason: 'unsuitable-key', detail: 'the public key must be a P-256 key as SubjectPublicKeyInfo' };
  if (kind === 'box' && !request.signingKey)
    return { reason: 'unsuitable-key', detail: 'a box must have an Ed25519 key for what it signs' };
  if (holder && !replace && !hasKeys(holder, request))
    return {
      reason: 'name-taken',
      detail: `a ${kind} named "${name}" is paired with other keys; choose another name, remove that one, or open the window with --replace`,
    };
  return names.isFull()
    ? { reason: 'registry-full', detail: 'the registry of this device is full; remove names that are not used' }
    : undefined;
}

function hasKeys(holder: PairedName, { publicKey, signingKey }: PairingRequest): boolean {
  const isSame = (left: Uint8Array | undefined, right: Uint8Array | undefined): boolean =>
    left && right ? sameBytes(left, right) : left === right;
  return isSame(holder.key, blobDigest(publicKey)) && isSame(holder.signingKey, signingKey);
}
