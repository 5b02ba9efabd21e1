/**
 * Whose word counts on this box: orders are followed only when they are signed by the operational key of the device
 * that the box was paired with, and that key only counts when the device's TPM evidence shows it. Specification §6.2.
 */
import { Introduction } from '#protocol/box-messages.ts';
import { decodeBulk, sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { judgeDeviceEvidence, type EvidenceContext, type EvidenceVerdict } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { openSigned, type SignedKind } from '#protocol/signed.ts';
import type { BoxIdentity } from './identity.ts';
import { orderAgeMaxMs } from './limits.ts';

/** Fields that every order has. */
interface Addressed {
  readonly network: Uint8Array;
  readonly device: string;
  readonly box: string;
  readonly run: string;
}

export type OrderRefusal = 'no-trusted-device' | 'malformed' | 'bad-signature' | 'misaddressed';

export type Order<T> =
  | { readonly status: 'accepted'; readonly order: T }
  | { readonly status: 'refused'; readonly reason: OrderRefusal; readonly detail: string };

export type IntroductionVerdict =
  | { readonly status: 'accepted'; readonly operationalKey: Uint8Array; readonly isNew: boolean }
  | { readonly status: 'refused'; readonly reason: string; readonly detail: string };

export interface OrdersParts {
  readonly identity: BoxIdentity;
  readonly crypto: Crypto;
  /** {@link judgeDeviceEvidence}; a test whose device has no TPM brings its own. */
  readonly judgeEvidence?: (encoded: Uint8Array, context: EvidenceContext) => EvidenceVerdict;
}

export class Orders {
  readonly #parts: OrdersParts;
  /** Operational keys of the device, newest first: the one in use, and the one before it, whose orders may still be on their way. */
  #keys: readonly Uint8Array[] = [];

  constructor(parts: OrdersParts) {
    this.#parts = parts;
  }

  /** Judges the device's evidence and takes its operational key over. @param atMs milliseconds since 1970 */
  introduced(payload: Uint8Array, atMs: number): IntroductionVerdict {
    const { identity, crypto, judgeEvidence = judgeDeviceEvidence } = this.#parts;
    const introduction = decodeBulk(Introduction, payload, LIMITS.packetBytesMax);
    if (introduction.status === 'malformed') return introductionRefused('malformed', introduction.detail);
    const verdict = judgeEvidence(introduction.value.evidence, { network: identity.network, crypto, atMs });
    if (verdict.status === 'untrusted') return introductionRefused(verdict.reason, verdict.detail);
    if (verdict.name !== identity.device)
      return introductionRefused('other-device', `this box belongs to ${identity.device}, the evidence is of ${verdict.name}`);
    return this.#takeOver(verdict.operationalKey);
  }

  /** Opens an order if the device gave it to this box. */
  open<T extends Addressed>(kind: SignedKind<T>, payload: Uint8Array): Order<T> {
    let refusal = refused('no-trusted-device', 'the device has not shown trustworthy evidence yet');
    for (const publicKey of this.#keys) {
      const opened = openSigned(kind, payload, { algorithm: 'ed25519', publicKey }, this.#parts.crypto);
      if (opened.status === 'authentic') return this.#addressed(opened.value);
      refusal = refused(opened.reason, opened.detail);
    }
    return refusal;
  }

  #takeOver(operationalKey: Uint8Array): IntroductionVerdict {
    const isNew = !this.#keys.some((key) => sameBytes(key, operationalKey));
    if (isNew) this.#keys = [operationalKey, ...this.#keys].slice(0, keysMax);
    return { status: 'accepted', operationalKey, isNew };
  }

  #addressed<T extends Addressed>(order: T): Order<T> {
    const { identity } = this.#parts;
    if (!sameBytes(order.network, identity.networkId))
      return refused('misaddressed', `it is for network ${hex(order.network).slice(0, 16)}`);
    if (order.device === identity.device && order.box === identity.box) return { status: 'accepted', order };
    return refused('misaddressed', `it is for box ${order.box} of ${order.device}`);
  }
}

/** Why an order of this moment comes too late or too early to be followed; undefined when it is in time. */
export function untimely(issuedAtMs: number, atMs: number): string | undefined {
  const ageMs = atMs - issuedAtMs;
  if (ageMs > orderAgeMaxMs + LIMITS.clockSkewMaxMs)
    return `it is ${seconds(ageMs)} old; at most ${seconds(orderAgeMaxMs)} are accepted: compare the clocks of device and box`;
  if (ageMs < -LIMITS.clockSkewMaxMs)
    return `it is dated ${seconds(-ageMs)} after now; clocks may differ by ${seconds(LIMITS.clockSkewMaxMs)}`;
  return undefined;
}

const keysMax = 2;

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 1_000)} s`;
}

function refused(reason: OrderRefusal, detail: string): Order<never> {
  return { status: 'refused', reason, detail };
}

function introductionRefused(reason: string, detail: string): IntroductionVerdict {
  return { status: 'refused', reason, detail };
}
