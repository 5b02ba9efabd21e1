/**
 * Pairing: how a client or a box gets its certificate from a device, on the strength of an invitation. Specification §5.6.
 *
 * Both ends prove that they hold the invitation's token by authenticating what they say with it; the token itself never
 * travels. A MAC covers the exact bytes of the body and a domain, as a signature would (§2.6).
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeStrict, encodeStrict, readPlain, type Decoded } from './codec.ts';
import { blobDigest, Digest, type Domain } from './digest.ts';
import { LIMITS } from './limits.ts';
import { bytes, fixedBytes, harmless, integer, oneOf, optional, struct, text, variant, type Infer } from './schema.ts';
import { signingInput } from './signed.ts';
import { Name, RESERVED_NAMES } from './topics.ts';

/** What an invitation is for. */
export const HOLDER_KINDS = ['client', 'box'] as const;
export type HolderKind = (typeof HOLDER_KINDS)[number];

export const InvitationId = fixedBytes(16);
export const PairingToken = fixedBytes(32);
const Certificate = bytes({ min: 1, max: LIMITS.certificateBytesMax });
const BrokerUrl = text({ max: 255, pattern: /^mqtts:\/\/[^\s/]+$/, like: 'a mqtts:// address' });
const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** What the owner of a device hands to whoever shall be paired; a secret until it is used. */
export const Invitation = struct({
  version: oneOf(1),
  id: InvitationId,
  kind: oneOf(...HOLDER_KINDS),
  name: Name,
  network: Digest,
  device: Name,
  /** Where the device listens for those who are invited. */
  url: BrokerUrl,
  /** Root of the device's own certificates, DER. */
  authority: Certificate,
  token: PairingToken,
  expiresAtMs: UnixMs,
});
export type Invitation = Infer<typeof Invitation>;

const PairingRequest = struct({
  invitation: InvitationId,
  kind: oneOf(...HOLDER_KINDS),
  name: Name,
  /** SubjectPublicKeyInfo of a P-256 key for TLS, DER: 91 bytes. */
  publicKey: bytes({ min: 1, max: 128 }),
  /** Ed25519, with which a box signs its evidence and reports; a box must have one. */
  signingKey: optional(fixedBytes(32)),
});
export type PairingRequest = Infer<typeof PairingRequest>;

/** What the device gives to one who showed the token. */
export const PairingGrant = struct({
  /** SHA-256 of the request's body: an answer to this request and no other. */
  request: Digest,
  /** DER; its common name is the invitation's name. */
  certificate: Certificate,
  /** Where to connect with it. */
  url: BrokerUrl,
  /** Absent when it is too large for one packet. */
  network: optional(bytes({ min: 1, max: LIMITS.pairingNetworkBytesMax })),
});
export type PairingGrant = Infer<typeof PairingGrant>;

export const PAIRING_REFUSALS = [
  'malformed',
  'unknown-invitation',
  'expired',
  'wrong-token',
  'other-request',
  'unsuitable-key',
  'name-taken',
  'registry-full',
] as const;
export type PairingRefusal = (typeof PAIRING_REFUSALS)[number];

const authenticated = (bytesMax: number) => ({ body: bytes({ max: bytesMax }), mac: fixedBytes(32) });
const SealedRequest = struct(authenticated(LIMITS.pairingRequestBytesMax));
const PairingAnswer = variant('status', {
  granted: struct(authenticated(LIMITS.pairingAnswerBytesMax)),
  refused: struct({ reason: oneOf(...PAIRING_REFUSALS), detail: text({ max: LIMITS.noteCharactersMax }) }),
});

export type RequestVerdict =
  | { readonly status: 'accepted'; readonly request: PairingRequest; readonly digest: Uint8Array }
  | { readonly status: 'refused'; readonly reason: PairingRefusal; readonly detail: string };

export type AnswerVerdict =
  | { readonly status: 'granted'; readonly grant: PairingGrant }
  | { readonly status: 'refused'; readonly reason: PairingRefusal; readonly detail: string };

/** The one line of text in which people carry an invitation: base64url without padding. */
export function formatInvitation(invitation: Invitation): string {
  return encodeStrict(Invitation, invitation).toBase64({ alphabet: 'base64url', omitPadding: true });
}

/** Reads that line; space around it and line breaks inside, which mail programs add, don't matter. */
export function parseInvitation(line: string): Decoded<Invitation> {
  const plain = line.replaceAll(/\s/g, '');
  if (plain.length > LIMITS.invitationCharactersMax || !/^[A-Za-z0-9_-]+$/.test(plain)) {
    return {
      status: 'malformed',
      reason: 'not-as-declared',
      detail: 'an invitation is one line of letters, digits, - and _, as npm run pair has printed it',
    };
  }
  try {
    return decodeStrict(Invitation, Uint8Array.fromBase64(plain, { alphabet: 'base64url' }), LIMITS.invitationCharactersMax);
  } catch {
    return { status: 'malformed', reason: 'not-as-declared', detail: 'the invitation is incomplete; copy the whole line' };
  }
}

/** Why a client or box can't have this name, in a sentence, or `undefined` when it can. */
export function objectionToName(name: string): string | undefined {
  const decoded = readPlain(Name, name);
  if (decoded.status === 'malformed') return `a name has 1 to ${LIMITS.nameCharactersMax} lower-case letters, digits and inner hyphens`;
  if (RESERVED_NAMES.includes(name)) return `the name "${name}" has a meaning of its own; ${RESERVED_NAMES.join(', ')} are reserved`;
  return undefined;
}

/** The request of one who holds `invitation`. */
export function sealPairingRequest(
  invitation: Invitation,
  keys: { readonly publicKey: Uint8Array; readonly signingKey?: Uint8Array },
): Uint8Array {
  const { id, kind, name, token } = invitation;
  const body = encodeStrict(PairingRequest, { invitation: id, kind, name, ...keys });
  return encodeStrict(SealedRequest, { body, mac: macOf('pairing-request', token, body) });
}

/** Judges a request that came on the topic of `invitation`. A wrong MAC is the only verdict that counts as an attempt. */
export function judgePairingRequest(encoded: Uint8Array, invitation: Invitation, atMs: number): RequestVerdict {
  const sealed = decodeStrict(SealedRequest, encoded, LIMITS.pairingRequestBytesMax);
  if (sealed.status === 'malformed') return refuse('malformed', sealed.detail);
  if (atMs >= invitation.expiresAtMs) return refuse('expired', 'the invitation has expired; have a new one made');
  const { body, mac } = sealed.value;
  if (!sameMac(mac, macOf('pairing-request', invitation.token, body)))
    return refuse('wrong-token', 'the request was not made with this invitation');
  const request = decodeStrict(PairingRequest, body, LIMITS.pairingRequestBytesMax);
  if (request.status === 'malformed') return refuse('malformed', request.detail);
  const { kind, name, signingKey } = request.value;
  if (!sameInvitation(request.value, invitation))
    return refuse('other-request', `this invitation is for the ${invitation.kind} "${invitation.name}", not for the ${kind} "${name}"`);
  if (kind === 'box' && !signingKey) return refuse('unsuitable-key', 'a box must have an Ed25519 key for what it signs');
  return { status: 'accepted', request: request.value, digest: blobDigest(body) };
}

export function sealPairingGrant(token: Uint8Array, grant: PairingGrant): Uint8Array {
  const body = encodeStrict(PairingGrant, grant);
  return encodeStrict(PairingAnswer, { status: 'granted', body, mac: macOf('pairing-response', token, body) });
}

export function refusePairing(reason: PairingRefusal, detail: string): Uint8Array {
  return encodeStrict(PairingAnswer, { status: 'refused', reason, detail: harmless(detail, LIMITS.noteCharactersMax) });
}

/** Judges the answer to `request`, the sealed bytes that were sent. An answer that doesn't show the token is refused. */
export function judgePairingAnswer(encoded: Uint8Array, request: Uint8Array, token: Uint8Array): AnswerVerdict {
  const answer = decodeStrict(PairingAnswer, encoded, LIMITS.pairingAnswerBytesMax);
  if (answer.status === 'malformed') return refuse('malformed', answer.detail);
  if (answer.value.status === 'refused') return refuse(answer.value.reason, harmless(answer.value.detail, LIMITS.noteCharactersMax));
  const { body, mac } = answer.value;
  if (!sameMac(mac, macOf('pairing-response', token, body)))
    return refuse('wrong-token', 'the answer was not made by a device that knows this invitation');
  const grant = decodeStrict(PairingGrant, body, LIMITS.pairingAnswerBytesMax);
  if (grant.status === 'malformed') return refuse('malformed', grant.detail);
  const sent = decodeStrict(SealedRequest, request, LIMITS.pairingRequestBytesMax);
  const matches = sent.status === 'decoded' && sameMac(grant.value.request, blobDigest(sent.value.body));
  return matches ? { status: 'granted', grant: grant.value } : refuse('other-request', 'the answer is for another request');
}

function sameInvitation(request: PairingRequest, invitation: Invitation): boolean {
  return sameMac(request.invitation, invitation.id) && request.kind === invitation.kind && request.name === invitation.name;
}

function macOf(domain: Domain, token: Uint8Array, body: Uint8Array): Uint8Array {
  return hmac(sha256, token, signingInput(domain, body));
}

/** Looks at every byte, so that the time it takes tells nothing about where they differ. */
function sameMac(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (const [index, byte] of left.entries()) difference |= byte ^ (right[index] ?? 0);
  return difference === 0;
}

function refuse(reason: PairingRefusal, detail: string): { status: 'refused'; reason: PairingRefusal; detail: string } {
  return { status: 'refused', reason, detail };
}
