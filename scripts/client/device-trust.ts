/** What a client makes of its device: the evidence in the device's retained status (specification §5.5), judged against the network file (§3). */
import type { Crypto } from '#protocol/crypto.ts';
import { decodeBulk } from '#protocol/codec.ts';
import { judgeDeviceEvidence, type EvidenceRefusal } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Network } from '#protocol/network.ts';
import { DeviceStatus } from '#protocol/status.ts';

export type DeviceTrust =
  | { readonly status: 'trusted'; readonly node: Uint8Array; readonly operationalKey: Uint8Array; readonly softwareTpm: boolean }
  | { readonly status: 'untrusted'; readonly reason: EvidenceRefusal | 'other-device'; readonly detail: string }
  | { readonly status: 'unknown'; readonly detail: string };

export interface KnownKey {
  readonly node: Uint8Array;
  readonly operationalKey: Uint8Array;
}

const keysMax = 4; // a device has a new key after each reset of its TPM; what it signed before stays true

export class DeviceWatch {
  readonly #device: string;
  readonly #network: Network | undefined;
  readonly #crypto: Crypto;
  #trust: DeviceTrust | undefined;
  #keys: readonly KnownKey[] = [];
  #wake: (() => void)[] = [];

  constructor(device: string, network: Network | undefined, crypto: Crypto) {
    this.#device = device;
    this.#network = network;
    this.#crypto = crypto;
  }

  /** Operational keys that were in trusted evidence while this client was connected, the latest first. */
  get keys(): readonly KnownKey[] {
    return this.#keys;
  }

  /** A message on the device's status topic. */
  received(payload: Uint8Array): void {
    const status = decodeBulk(DeviceStatus, payload, LIMITS.packetBytesMax);
    if (status.status === 'malformed' || status.value.status === 'offline') return;
    const { evidence } = status.value;
    if (!evidence || !this.#network) return;
    this.#trust = judge(evidence, this.#device, this.#network, this.#crypto);
    if (this.#trust.status === 'trusted') this.#keys = [this.#trust, ...this.#keys].slice(0, keysMax);
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** Waits a moment for the retained status. */
  async trust(waitMs: number): Promise<DeviceTrust> {
    if (!this.#network) return { status: 'unknown', detail: 'there is no network file to judge it by' };
    if (!this.#trust) await this.nextStatus(waitMs);
    return this.#trust ?? { status: 'unknown', detail: 'it has shown no evidence yet' };
  }

  /** Resolves at the next status with evidence, or after `waitMs`. */
  nextStatus(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const limit = setTimeout(resolve, waitMs);
      this.#wake.push(() => {
        clearTimeout(limit);
        resolve();
      });
    });
  }
}

function judge(evidence: Uint8Array, device: string, network: Network, crypto: Crypto): DeviceTrust {
  const verdict = judgeDeviceEvidence(evidence, { network, crypto, atMs: Date.now() });
  if (verdict.status === 'untrusted') return verdict;
  if (verdict.name !== device) return { status: 'untrusted', reason: 'other-device', detail: `the evidence is of ${verdict.name}` };
  const { node, operationalKey, softwareTpm } = verdict;
  return { status: 'trusted', node, operationalKey, softwareTpm };
}
