/** Digests with a purpose: SHA-256 over a domain and length-framed parts. Specification §2.5. */
import { sha256 } from '@noble/hashes/sha2.js';
import { fixedBytes } from './schema.ts';

/** A SHA-256 digest on the wire: 32 bytes, hexadecimal in JSON. */
export const Digest = fixedBytes(32);

/** SHA-256 of plain bytes: the address of a blob. */
export function blobDigest(content: Uint8Array): Uint8Array {
  return sha256(content);
}

/** What a digest or a signature is for; no two purposes share bytes (§2.5). */
export const DOMAINS = [
  'network',
  'beacon',
  'beacon-value',
  'credential',
  'activation-answer',
  'evidence',
  'evidence-time',
  'operational-key',
  'measured-event',
  'enrolment',
  'capsule',
  'capsule-request',
  'acceptance',
  'introduction',
  'challenge',
  'assignment',
  'cancellation',
  'acknowledgement',
  'box-evidence',
  'box-check',
  'box-quote',
  'box-activation',
  'report',
  'receipt',
  'pairing',
  'pairing-request',
  'pairing-grant',
  'pairing-digits',
  'genesis-block',
  'block',
  'block-header',
  'transaction',
  'action',
  'merkle-leaf',
  'merkle-node',
  'merkle-empty',
  'state',
  'state-entry',
  'state-branch',
  'epoch-seed',
  'epoch-gather',
  'poet-draw',
  'poet-start',
  'poet-end',
  'voucher',
  'ballot',
  'proposal',
  'endorsement',
  'checkpoint',
  'committee',
  'committee-order',
  'proposer',
  'box-order',
  'box-draw',
  'anchor',
  'anchor-member',
  'anchor-vrf',
  'anchor-verdict',
  'anchor-credit',
  'anchor-evidence',
  'anchor-event-log',
  'anchor-judges',
  'anchor-committee',
  'anchor-turn',
  'anchor-stake',
  'anchor-recovery',
  'recovery',
  'recovery-life',
  'member-evidence',
  'admission-committee',
  'verdict-committee',
  'attestation-moment',
  'planted-challenge',
  'verdict',
  'verdict-value',
  'verdict-ballot',
  'verdict-proposal',
] as const;
export type Domain = (typeof DOMAINS)[number];

/** The prefix of every domain-separated message: `capstan/1/<domain>` and a zero byte. */
export function domainPrefix(domain: Domain): Uint8Array {
  return encoder.encode(`capstan/1/${domain}\0`);
}

const encoder = new TextEncoder();

const prefixes = new Map<Domain, Uint8Array>();

/**
 * SHA-256(prefix ‖ for each part: 32-bit big-endian length ‖ part). Framed, so that no two lists of parts collide. Joined before it is
 * hashed: for short parts a call for each costs as much as the hash.
 */
export function domainDigest(domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  const prefix = prefixes.get(domain) ?? domainPrefix(domain);
  prefixes.set(domain, prefix);
  const input = new Uint8Array(parts.reduce((length, part) => length + 4 + part.length, prefix.length));
  input.set(prefix);
  const view = new DataView(input.buffer);
  let at = prefix.length;
  for (const part of parts) {
    view.setUint32(at, part.length);
    input.set(part, at + 4);
    at += 4 + part.length;
  }
  return sha256(input);
}

/** A count or height as a part of a digest: 8 bytes, big-endian. */
export function uint64(value: number): Uint8Array {
  const encoded = new Uint8Array(8);
  new DataView(encoded.buffer).setBigUint64(0, BigInt(value));
  return encoded;
}

/** Lower-case hexadecimal, for people and file names. */
export function hex(value: Uint8Array): string {
  return value.toHex();
}
