/**
 * Requests that wait for their answer: repeated with the same correlation data until it comes (specification §7.3), so
 * that a broker or device killed in between loses nothing. The device takes a repeated request for the same one.
 */
import { randomBytes } from 'node:crypto';

import type { Answer } from '#protocol/client-messages.ts';
import { hex } from '#protocol/digest.ts';
import type { PublishOutcome } from '#protocol/mqtt-port.ts';
import { ClientFailure } from './failure.ts';
import { CLIENT_LIMITS, type ClientTimes } from './limits.ts';

export interface Request {
  /** What is awaited, to stand after "the device did not": `accept the capsule "render"`. */
  readonly awaited: string;
  /** Sends it once. What is dropped on the way is repeated; what the broker refuses is refused every time. */
  send(correlation: Uint8Array): Promise<PublishOutcome>;
}

/** Three repetitions are enough for any device that runs; whoever waits for more would rather be told. */
const LATE_AFTER_SENT = 4;

interface Pending extends Request {
  readonly correlation: Uint8Array;
  readonly settle: PromiseWithResolvers<Answer>;
  sent: number;
}

export class Requests {
  readonly #pending = new Map<string, Pending>();
  readonly #times: ClientTimes;
  readonly #situation: () => string;
  readonly #warn: (sentence: string) => void;

  /** @param situation who was asked over what, for what is said of a request that nobody answered @param warn while one waits for long */
  constructor(times: ClientTimes, situation: () => string, warn: (sentence: string) => void) {
    this.#times = times;
    this.#situation = situation;
    this.#warn = warn;
  }

  /** @throws ClientFailure `no-answer` when nobody answered in time */
  async ask(request: Request): Promise<Answer> {
    if (this.#pending.size >= CLIENT_LIMITS.requestsMax) {
      throw new ClientFailure('too-many', `${CLIENT_LIMITS.requestsMax} requests wait for an answer already; await some of them first`);
    }
    const pending: Pending = {
      ...request,
      send: request.send.bind(request),
      correlation: randomBytes(16),
      settle: Promise.withResolvers<Answer>(),
      sent: 0,
    };
    const key = hex(pending.correlation);
    this.#pending.set(key, pending);
    const repeat = setInterval(() => {
      this.#send(pending);
      if (pending.sent === LATE_AFTER_SENT) this.#warn(this.#late(pending));
    }, this.#times.repeatMs);
    const limit = setTimeout(() => pending.settle.reject(this.#unanswered(pending)), this.#times.answerWaitMs);
    this.#send(pending);
    try {
      return await pending.settle.promise;
    } finally {
      clearInterval(repeat);
      clearTimeout(limit);
      this.#pending.delete(key);
    }
  }

  /** An answer that nobody waits for (any more) changes nothing. */
  answered(correlation: Uint8Array | undefined, answer: Answer): void {
    if (correlation) this.#pending.get(hex(correlation))?.settle.resolve(answer);
  }

  /** After a reconnection. */
  sendAgain(): void {
    for (const pending of this.#pending.values()) this.#send(pending);
  }

  close(): void {
    for (const { settle } of this.#pending.values())
      settle.reject(new ClientFailure('closed', 'the client was closed while a request waited for its answer'));
  }

  #send(pending: Pending): void {
    pending.sent += 1;
    void pending.send(pending.correlation).then((outcome) => {
      if (outcome === 'refused')
        pending.settle.reject(
          new ClientFailure(
            'forbidden',
            `${this.#situation()}: the broker does not let this client ask; pair it anew if its certificate has expired`,
          ),
        );
    });
  }

  #late({ awaited, sent }: Pending): string {
    const { repeatMs, answerWaitMs } = this.#times;
    const [waited, limit] = [Math.round(((sent - 1) * repeatMs) / 1_000), Math.round(answerWaitMs / 1_000)] as const;
    return `${this.#situation()} did not ${awaited} within ${waited} s; it is asked again, for up to ${limit} s`;
  }

  #unanswered({ awaited, sent }: Pending): ClientFailure {
    const seconds = Math.round(this.#times.answerWaitMs / 1_000);
    return new ClientFailure('no-answer', `${this.#situation()}, asked ${sent} times in ${seconds} s, did not ${awaited}`);
  }
}
