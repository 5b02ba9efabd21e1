/**
 * Pairing: how a client or a box gets its certificate from a device, on the strength of a short code. What travels, what both
 * ends bind their keys to, and what they seal with them. Specification §5.6.
 */
import { expand, extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import type { Aead } from './aead.ts';
import { decodeStrict, encodeStrict, type Decoded } from './codec.ts';
import { blobDigest, Digest, domainDigest, domainPrefix, type Domain } from './digest.ts';
import { LIMITS } from './limits.ts';
import { HOLDER_KINDS, type HolderKind, type PairingCode } from './pairing-code.ts';
import { bytes, fixedBytes, harmless, oneOf, optional, struct, text, variant, type Infer } from './schema.ts';
import { SHARE_BYTES, stretchInput, type Exchange } from './spake2plus.ts';
import { Name } from './topics.ts';

const Certificate = bytes({ min: 1, max: LIMITS.certificateBytesMax });
const Nonce = fixedBytes(32);
const Share = fixedBytes(SHARE_BYTES);
const Confirmation = fixedBytes(32);

/** Why a device does not go on, unsealed: anybody may hear it, and anybody in between may have said it. */
export const PAIRING_REFUSALS = ['malformed', 'out-of-turn', 'closed', 'not-confirmed', 'failed'] as const;
export type PairingRefusal = (typeof PAIRING_REFUSALS)[number];

/** Why one who knows the code gets no certificate. */
export const GRANT_REFUSALS = ['unsuitable-key', 'name-taken', 'registry-full'] as const;
export type GrantRefusal = (typeof GRANT_REFUSALS)[number];

const sentence = text({ max: LIMITS.noteCharactersMax });

/** What a stranger says. */
export const PairingCall = variant('call', {
  greet: struct({ version: oneOf(1), kind: oneOf(...HOLDER_KINDS), name: Name, nonce: Nonce }),
  share: struct({ share: Share }),
  confirm: struct({ confirmation: Confirmation, sealed: bytes({ max: LIMITS.pairingRequestBytesMax }) }),
  /** The device's confirmation does not hold. */
  abandon: struct({}),
});
export type PairingCall = Infer<typeof PairingCall>;

/** What the device says to it. */
export const PairingAnswer = variant('answer', {
  greeting: struct({ network: Digest, device: Name, node: Digest, nonce: Nonce, salt: fixedBytes(32) }),
  share: struct({ share: Share, confirmation: Confirmation }),
  grant: struct({ sealed: bytes({ max: LIMITS.pairingAnswerBytesMax }) }),
  refused: struct({ reason: oneOf(...PAIRING_REFUSALS), detail: sentence }),
});
export type PairingAnswer = Infer<typeof PairingAnswer>;

/** Under seal: what is to be certified. Kind and name stand in the Context. */
export const PairingRequest = struct({
  /** SubjectPublicKeyInfo of a P-256 key for TLS, DER: 91 bytes. */
  publicKey: bytes({ min: 1, max: 128 }),
  /** Ed25519, with which a box signs its evidence and reports; a box must have one. */
  signingKey: optional(fixedBytes(32)),
});
export type PairingRequest = Infer<typeof PairingRequest>;

/** Under seal: what one who showed the code gets. */
export const PairingGrant = variant('status', {
  granted: struct({
    /** DER; its common name is the window's name. */
    certificate: Certificate,
    /** Root of the device's own certificates, DER. */
    authority: Certificate,
    /** Where to connect. */
    url: text({ max: 255, pattern: /^mqtts:\/\/[^\s/]+$/, like: 'a mqtts:// address' }),
    /** Absent when it is too large for one packet. */
    network: optional(bytes({ min: 1, max: LIMITS.pairingNetworkBytesMax })),
  }),
  refused: struct({ reason: oneOf(...GRANT_REFUSALS), detail: sentence }),
});
export type PairingGrant = Infer<typeof PairingGrant>;

/** What both ends must have seen alike. */
export interface Scene {
  readonly network: Uint8Array;
  readonly device: string;
  readonly node: Uint8Array;
  readonly kind: HolderKind;
  readonly name: string;
  readonly proverNonce: Uint8Array;
  readonly verifierNonce: Uint8Array;
  /** The TLS server's, DER: the one that the prover was shown, the device's own. */
  readonly certificate: Uint8Array;
}

/** The exchange of SPAKE2+ that belongs to a scene. */
export function exchangeOf(scene: Scene): Exchange {
  const { network, device, node, kind, name, proverNonce, verifierNonce, certificate } = scene;
  const words = [device, kind, name].map((word) => encoder.encode(word));
  const [deviceName, kindWord, holderName] = words as [Uint8Array, Uint8Array, Uint8Array];
  const context = domainDigest(
    'pairing',
    ...[network, deviceName, node, kindWord, holderName, proverNonce, verifierNonce, blobDigest(certificate)],
  );
  return { context, idProver: proverIdentity(kind, name), idVerifier: node };
}

/** What the memory-hard function gets of a code. @param node id of the device */
export function codeInput(code: PairingCode, kind: HolderKind, name: string, node: Uint8Array): Uint8Array {
  return stretchInput(encoder.encode(code), proverIdentity(kind, name), node);
}

/** The salt that a device names for a kind and a name, whether a window waits for them or not. */
export function pairingSalt(secret: Uint8Array, kind: HolderKind, name: string): Uint8Array {
  return hmac(sha256, secret, proverIdentity(kind, name));
}

export function sealRequest(aead: Aead, shared: Uint8Array, request: PairingRequest): { sealed: Uint8Array; body: Uint8Array } {
  return seal(aead, 'pairing-request', shared, encodeStrict(PairingRequest, request));
}

export function openRequest(aead: Aead, shared: Uint8Array, sealed: Uint8Array): Opened<PairingRequest> {
  const body = aead.open(keyOf('pairing-request', shared), domainPrefix('pairing-request'), sealed);
  return opened(body, (plain) => decodeStrict(PairingRequest, plain, LIMITS.pairingRequestBytesMax));
}

export function sealGrant(aead: Aead, shared: Uint8Array, grant: PairingGrant): { sealed: Uint8Array; body: Uint8Array } {
  return seal(aead, 'pairing-grant', shared, encodeStrict(PairingGrant, grant));
}

export function openGrant(aead: Aead, shared: Uint8Array, sealed: Uint8Array): Opened<PairingGrant> {
  const body = aead.open(keyOf('pairing-grant', shared), domainPrefix('pairing-grant'), sealed);
  return opened(body, (plain) => decodeStrict(PairingGrant, plain, LIMITS.pairingAnswerBytesMax));
}

/** A refusal inside a grant, whatever its detail says. */
export function refusedGrant(reason: GrantRefusal, detail: string): PairingGrant {
  return { status: 'refused', reason, detail: harmless(detail, LIMITS.noteCharactersMax) };
}

/** A refusal as it travels, whatever its detail says. */
export function refusePairing(reason: PairingRefusal, detail: string): Uint8Array {
  return encodeStrict(PairingAnswer, { answer: 'refused', reason, detail: harmless(detail, LIMITS.noteCharactersMax) });
}

export function decodeCall(encoded: Uint8Array): Decoded<PairingCall> {
  return decodeStrict(PairingCall, encoded, LIMITS.pairingRequestBytesMax);
}

/** An answer whose refusal may be shown: its detail is anybody's text. */
export function decodeAnswer(encoded: Uint8Array): Decoded<PairingAnswer> {
  const decoded = decodeStrict(PairingAnswer, encoded, LIMITS.pairingAnswerBytesMax + LIMITS.pairingRequestBytesMax);
  if (decoded.status === 'malformed' || decoded.value.answer !== 'refused') return decoded;
  const { value } = decoded;
  return { status: 'decoded', value: { ...value, detail: harmless(value.detail, LIMITS.noteCharactersMax) } };
}

/** Six digits that are equal at both ends when both speak of the same pairing: `012 345`. */
export function pairingDigits(shared: Uint8Array, request: Uint8Array, grant: Uint8Array): string {
  const mac = hmac(sha256, keyOf('pairing-digits', shared), concatBytes(blobDigest(request), blobDigest(grant)));
  const digits = String(new DataView(mac.buffer, mac.byteOffset).getBigUint64(0) % 1_000_000n).padStart(6, '0');
  return `${digits.slice(0, 3)} ${digits.slice(3)}`;
}

/** Looks at every byte, so that the time it takes tells nothing about where they differ. */
export function sameMac(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (const [index, byte] of left.entries()) difference |= byte ^ (right[index] ?? 0);
  return difference === 0;
}

export type Opened<T> = { readonly status: 'opened'; readonly value: T; readonly body: Uint8Array } | { readonly status: 'unsealed' };

const encoder = new TextEncoder();

function proverIdentity(kind: HolderKind, name: string): Uint8Array {
  return encoder.encode(`${kind}/${name}`);
}

function seal(aead: Aead, domain: Domain, shared: Uint8Array, body: Uint8Array): { sealed: Uint8Array; body: Uint8Array } {
  return { sealed: aead.seal(keyOf(domain, shared), domainPrefix(domain), body), body };
}

function opened<T>(body: Uint8Array | undefined, decode: (body: Uint8Array) => Decoded<T>): Opened<T> {
  const decoded = body && decode(body);
  return body && decoded?.status === 'decoded' ? { status: 'opened', value: decoded.value, body } : { status: 'unsealed' };
}

function keyOf(domain: Domain, shared: Uint8Array): Uint8Array {
  return expand(sha256, extract(sha256, shared), domainPrefix(domain), 32);
}
