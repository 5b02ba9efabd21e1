/** The device's signed acceptance of a capsule, checked against what was submitted. Specification §7.3. */
import { capsuleIdOf } from '#protocol/capsule.ts';
import { AcceptanceMessage, type Acceptance } from '#protocol/client-messages.ts';
import { sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { openSigned, peekSigned } from '#protocol/signed.ts';
import type { KnownKey } from './device-trust.ts';

/** What the client knows for itself. */
export interface Submitted {
  readonly network: Uint8Array;
  readonly device: string;
  readonly client: string;
  readonly request: Uint8Array;
  /** Digest of the encoded manifest. */
  readonly digest: Uint8Array;
}

export type AcceptanceVerdict =
  | { readonly status: 'accepted'; readonly acceptance: Acceptance; readonly signature: 'checked' | 'unchecked' }
  | { readonly status: 'refused'; readonly reason: 'malformed' | 'bad-signature' | 'other-submission'; readonly detail: string };

/** @param keys operational keys of the device, any of which may have signed; none: the signature stays unchecked */
export function judgeAcceptance(encoded: Uint8Array, submitted: Submitted, keys: readonly KnownKey[], crypto: Crypto): AcceptanceVerdict {
  const peeked = peekSigned(AcceptanceMessage, encoded);
  if (peeked.status === 'malformed') return { status: 'refused', reason: 'malformed', detail: peeked.detail };
  const acceptance = peeked.value;
  const difference = differenceTo(acceptance, submitted);
  if (difference !== undefined)
    return { status: 'refused', reason: 'other-submission', detail: `the acceptance is of another ${difference}` };
  if (keys.length === 0) return { status: 'accepted', acceptance, signature: 'unchecked' };
  const signed = keys.some(({ node, operationalKey }) => sameBytes(acceptance.node, node) && isSignedBy(encoded, operationalKey, crypto));
  if (signed) return { status: 'accepted', acceptance, signature: 'checked' };
  return { status: 'refused', reason: 'bad-signature', detail: "the acceptance is not signed by the key in the device's evidence" };
}

function isSignedBy(encoded: Uint8Array, publicKey: Uint8Array, crypto: Crypto): boolean {
  return openSigned(AcceptanceMessage, encoded, { algorithm: 'ed25519', publicKey }, crypto).status === 'authentic';
}

function differenceTo(acceptance: Acceptance, submitted: Submitted): string | undefined {
  if (!sameBytes(acceptance.network, submitted.network)) return 'network';
  if (acceptance.device !== submitted.device) return 'device';
  if (acceptance.client !== submitted.client) return 'client';
  if (!sameBytes(acceptance.request, submitted.request)) return 'request';
  if (!sameBytes(acceptance.digest, submitted.digest)) return 'manifest';
  if (acceptance.capsule !== capsuleIdOf({ ...submitted, capsule: submitted.digest })) return 'capsule';
  return undefined;
}
