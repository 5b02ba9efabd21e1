/**
 * Signed messages: an envelope of the exact body bytes and a signature over them with a domain. Specification §2.6.
 *
 * As in COSE_Sign1 the signature covers the bytes that travelled; nothing is encoded again before it is checked.
 */
import { decodeStrict, encodeStrict, type Decoded } from './codec.ts';
import type { Crypto } from './crypto.ts';
import { domainPrefix, type Domain } from './digest.ts';
import { bytes, fixedBytes, struct, type Infer, type Schema } from './schema.ts';
import { LIMITS } from './limits.ts';

/** A kind of message that is always signed, with its one domain and its size limit. */
export interface SignedKind<T> {
  readonly domain: Domain;
  readonly body: Schema<T>;
  readonly bytesMax: number;
}

export const Envelope = struct({ body: bytes({ max: LIMITS.receiptBytesMax }), signature: fixedBytes(64) });
export type Envelope = Infer<typeof Envelope>;

/** Whose signature is expected. A P-256 key is a TPM's attestation key; `point` is SEC1 uncompressed, 65 bytes. */
export type VerificationKey =
  | { readonly algorithm: 'ed25519'; readonly publicKey: Uint8Array }
  | { readonly algorithm: 'ecdsa-p256-sha256'; readonly point: Uint8Array };

/** Makes a 64-byte signature: Ed25519 (RFC 8032), or r ‖ s of ECDSA with SHA-256. */
export type Sign = (input: Uint8Array) => Uint8Array;

export type Opened<T> =
  | { readonly status: 'authentic'; readonly value: T; readonly body: Uint8Array }
  | { readonly status: 'refused'; readonly reason: 'malformed' | 'bad-signature'; readonly detail: string };

export function signedKind<T>(domain: Domain, body: Schema<T>, bytesMax: number = LIMITS.signedBytesMax): SignedKind<T> {
  return { domain, body, bytesMax };
}

/** The bytes that are signed: domain prefix ‖ body. */
export function signingInput(domain: Domain, body: Uint8Array): Uint8Array {
  const prefix = domainPrefix(domain);
  const input = new Uint8Array(prefix.length + body.length);
  input.set(prefix);
  input.set(body, prefix.length);
  return input;
}

export function signMessage<T>(kind: SignedKind<T>, value: T, sign: Sign): Uint8Array {
  const body = encodeStrict(kind.body, value);
  return sealBody(body, sign(signingInput(kind.domain, body)));
}

/** For a signer that answers later, such as a TPM: the body, to be signed as `signingInput(kind.domain, body)`. */
export function sealBody(body: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeStrict(Envelope, { body, signature });
}

/** Opens an envelope if `key` signed it for this purpose. */
export function openSigned<T>(kind: SignedKind<T>, encoded: Uint8Array, key: VerificationKey, crypto: Crypto): Opened<T> {
  const envelope = decodeStrict(Envelope, encoded, kind.bytesMax);
  if (envelope.status === 'malformed') return malformed(envelope);
  const { body, signature } = envelope.value;
  if (!verify(key, signingInput(kind.domain, body), signature, crypto)) {
    return { status: 'refused', reason: 'bad-signature', detail: `the signature on this ${kind.domain} is not by the key it should be` };
  }
  const value = decodeStrict(kind.body, body, kind.bytesMax);
  return value.status === 'malformed' ? malformed(value) : { status: 'authentic', value: value.value, body };
}

/** What an envelope says, before anyone knows who signed it: only to find out whose key to check it with. */
export function peekSigned<T>(kind: SignedKind<T>, encoded: Uint8Array): Decoded<T> {
  const read = readSigned(kind, encoded);
  return read.status === 'malformed' ? read : { status: 'decoded', value: read.value.value };
}

/** A message whose form is right, and the signature on it, which nobody has checked. */
export interface ReadMessage<T> {
  readonly value: T;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** `peekSigned` for whoever checks the signature by the same reading, with `isSignedBy`. */
export function readSigned<T>(kind: SignedKind<T>, encoded: Uint8Array): Decoded<ReadMessage<T>> {
  const envelope = decodeStrict(Envelope, encoded, kind.bytesMax);
  if (envelope.status === 'malformed') return envelope;
  const value = decodeStrict(kind.body, envelope.value.body, kind.bytesMax);
  return value.status === 'malformed' ? value : { status: 'decoded', value: { value: value.value, ...envelope.value } };
}

/** Whether `key` signed it for this purpose. */
export function isSignedBy<T>(kind: SignedKind<T>, { body, signature }: ReadMessage<T>, key: VerificationKey, crypto: Crypto): boolean {
  return verify(key, signingInput(kind.domain, body), signature, crypto);
}

function verify(key: VerificationKey, input: Uint8Array, signature: Uint8Array, crypto: Crypto): boolean {
  switch (key.algorithm) {
    case 'ed25519':
      return crypto.verifyEd25519(key.publicKey, input, signature);
    case 'ecdsa-p256-sha256':
      return crypto.verifyEcdsa('P-256', key.point, 'sha256', input, signature);
  }
}

function malformed(verdict: Decoded<unknown> & { status: 'malformed' }): Opened<never> {
  return { status: 'refused', reason: 'malformed', detail: verdict.detail };
}
