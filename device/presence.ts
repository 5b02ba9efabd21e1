/** How a device shows itself: its retained status for everyone, its introduction to each box. Specification §5.5, §6.1. */
import { Introduction } from '#protocol/box-messages.ts';
import { encodeBulk } from '#protocol/codec.ts';
import { DeviceStatus } from '#protocol/status.ts';
import type { Publisher } from './ports.ts';
import { FIRMWARE_VERSION } from './software.ts';

export class Presence {
  readonly #publisher: Publisher;
  readonly #device: string;
  readonly #node: Uint8Array;
  readonly #sinceMs: number;
  #shown: { readonly evidence: Uint8Array | undefined; readonly introduced: Set<string> } | undefined;

  constructor(publisher: Publisher, device: string, node: Uint8Array, sinceMs: number) {
    this.#publisher = publisher;
    this.#device = device;
    this.#node = node;
    this.#sinceMs = sinceMs;
  }

  /** Says what is new: evidence, and boxes that have not been introduced to it. */
  show(evidence: Uint8Array | undefined, boxes: readonly string[]): void {
    if (!this.#shown || this.#shown.evidence !== evidence) {
      this.#shown = { evidence, introduced: new Set() };
      this.#say({
        status: 'online',
        device: this.#device,
        node: this.#node,
        version: FIRMWARE_VERSION,
        sinceMs: this.#sinceMs,
        ...(evidence ? { evidence } : {}),
      });
    }
    if (evidence) this.#introduce(evidence, boxes, this.#shown.introduced);
  }

  /** The broker has lost what it retained: everything is said again. */
  forget(): void {
    this.#shown = undefined;
  }

  leave(): void {
    this.#say({ status: 'offline', device: this.#device });
  }

  #introduce(evidence: Uint8Array, boxes: readonly string[], introduced: Set<string>): void {
    for (const box of boxes.filter((name) => !introduced.has(name))) {
      const topic = { to: 'box', device: this.#device, box, direction: 'down', kind: 'introduction' } as const;
      this.#publisher.publish(topic, encodeBulk(Introduction, { evidence }), { retain: true });
      introduced.add(box);
    }
  }

  #say(status: DeviceStatus): void {
    this.#publisher.publish({ to: 'status', device: this.#device }, encodeBulk(DeviceStatus, status), { retain: true });
  }
}
