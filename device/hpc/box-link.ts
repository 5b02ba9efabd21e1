/** What a device says to its boxes, signed by its operational key where a box acts on it. Specification §6.2. */
import { AcknowledgementMessage, AssignmentMessage, CancellationMessage, ChallengeMessage } from '#protocol/box-messages.ts';
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import type { EndReason } from '#protocol/capsule.ts';
import { encodeBulk } from '#protocol/codec.ts';
import type { ClosedSecret } from '#protocol/measured-box/box-tpm.ts';
import { signMessage, type SignedKind } from '#protocol/signed.ts';
import type { BoxDown } from '#protocol/topics.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { OperationalSigner, Publisher } from '../ports.ts';
import type { Measuring } from './job.ts';

/** In whose name the link speaks. */
export interface Speaker {
  readonly network: Uint8Array;
  readonly device: string;
  readonly sign: OperationalSigner;
}

export class BoxLink {
  readonly #publisher: Publisher;
  readonly #speaker: Speaker;

  constructor(publisher: Publisher, speaker: Speaker) {
    this.#publisher = publisher;
    this.#speaker = speaker;
  }

  /** @param how.check during a run: a `BoxCheck` is wanted (§6.6). @param how.activation for a box that has not opened a secret yet */
  challenge(
    box: string,
    run: string,
    { nonce, issuedAtMs }: Measuring,
    how: { check?: true | undefined; activation?: ClosedSecret | undefined } = {},
  ): void {
    const { check, activation } = how;
    const asked = { ...(check ? { check } : {}), ...(activation ? { activation } : {}) };
    this.#say(box, 'challenge', ChallengeMessage, { ...this.#address(box), run, nonce, issuedAtMs, ...asked });
  }

  assign(box: string, run: string, work: { capsule: string; attempt: number; manifest: Uint8Array; assignedAtMs: number }): void {
    this.#say(box, 'assign', AssignmentMessage, { ...this.#address(box), run, ...work });
  }

  cancel(box: string, run: string, reason: EndReason): void {
    this.#say(box, 'cancel', CancellationMessage, { ...this.#address(box), run, reason });
  }

  acknowledge(box: string, run: string): void {
    this.#say(box, 'acknowledge', AcknowledgementMessage, { ...this.#address(box), run });
  }

  need(box: string, need: BlobNeed): void {
    this.#publish(box, 'need', encodeBulk(BlobNeed, need));
  }

  chunk(box: string, chunk: BlobChunk): void {
    this.#publish(box, 'chunk', encodeBulk(BlobChunk, chunk));
  }

  #address(box: string): { network: Uint8Array; device: string; box: string } {
    return { network: this.#speaker.network, device: this.#speaker.device, box };
  }

  #say<T>(box: string, kind: BoxDown, message: SignedKind<T>, value: T): void {
    this.#publish(box, kind, signMessage(message, value, this.#speaker.sign));
  }

  #publish(box: string, kind: BoxDown, payload: Uint8Array): void {
    const topic = { to: 'box', device: this.#speaker.device, box, direction: 'down', kind } as const;
    this.#publisher.publish(topic, payload, { expirySeconds: DEVICE_LIMITS.downExpirySeconds });
  }
}
