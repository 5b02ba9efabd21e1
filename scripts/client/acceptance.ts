/** The device's signed acceptance of a capsule, checked against what was submitted. Specification §7.3. */
import { capsuleIdOf } from '#protocol/capsule.ts';
import { AcceptanceMessage, type Acceptance } from '#protocol/client-messages.ts';
import { sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { openSigned, peekSigned } from '#protocol/signed.ts';

/** What the client knows for itself. */
export interface Submitted {
  readonly network: Uint8Array;
  readonly device: string;
  readonly client: string;
  readonly request: Uint8Array;
  /** Digest of the encoded manifest. */
  readonly digest: Uint8Array;
}

/** The device's operational key, where its evidence was accepted. */
export interface KnownKey {
  readonly node: Uint8Array;
  readonly operationalKey: Uint8Array;
}

export type AcceptanceVerdict =
  | { readonly status: 'accepted'; readonly acceptance: Acceptance; readonly signature: 'checked' | 'unchecked' }
  | { readonly status: 'refused'; readonly reason: 'malformed' | 'bad-signature' | 'other-submission'; readonly detail: string };

/** @param key without it, the signature stays unchecked */
export function judgeAcceptance(encoded: Uint8Array, submitted: Submitted, key: KnownKey | undefined, crypto: Crypto): AcceptanceVerdict {
  const peeked = peekSigned(AcceptanceMessage, encoded);
  if (peeked.status === 'malformed') return { status: 'refused', reason: 'malformed', detail: peeked.detail };
  const acceptance = peeked.value;
  const difference = differenceTo(acceptance, submitted, key);
  if (difference !== undefined) return { status: 'refused', reason: 'other-submission', detail: `the acceptance is of another ${difference}` };
  if (!key) return { status: 'accepted', acceptance, signature: 'unchecked' };
  const opened = openSigned(AcceptanceMessage, encoded, { algorithm: 'ed25519', publicKey: key.operationalKey }, crypto);
  return opened.status === 'refused' ? opened : { status: 'accepted', acceptance: opened.value, signature: 'checked' };
}

function differenceTo(acceptance: Acceptance, submitted: Submitted, key: KnownKey | undefined): string | undefined {
  if (!sameBytes(acceptance.network, submitted.network)) return 'network';
  if (acceptance.device !== submitted.device || (key && !sameBytes(acceptance.node, key.node))) return 'device';
  if (acceptance.client !== submitted.client) return 'client';
  if (!sameBytes(acceptance.request, submitted.request)) return 'request';
  if (!sameBytes(acceptance.digest, submitted.digest)) return 'manifest';
  if (acceptance.capsule !== capsuleIdOf({ ...submitted, capsule: submitted.digest })) return 'capsule';
  return undefined;
}
