/**
 * What the box says to its device: one function a message, each on its own topic. Specification §6.1.
 * Nothing is queued while the connection is lost: everything is said again at the next one, or when the device asks.
 */
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { Hello, RunLog, RunProgress, RunState } from '#protocol/box-messages.ts';
import { encodeBulk } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import type { Schema } from '#protocol/schema.ts';
import { topicOf, type BoxUp } from '#protocol/topics.ts';
import type { BoxIdentity } from './identity.ts';
import { telemetrySeconds } from './limits.ts';
import type { Log } from './log.ts';

export type Said = 'said' | 'unsaid';

export class BoxVoice {
  readonly #identity: BoxIdentity;
  readonly #connection: Connection;
  readonly #log: Log;

  constructor(identity: BoxIdentity, connection: Connection, log: Log) {
    this.#identity = identity;
    this.#connection = connection;
    this.#log = log;
  }

  hello(hello: Hello): Promise<Said> {
    return this.#say('hello', Hello, hello);
  }

  state(state: RunState): Promise<Said> {
    return this.#say('state', RunState, state.note === undefined ? state : { ...state, note: plainNote(state.note) });
  }

  progress(progress: RunProgress): Promise<Said> {
    return this.#say('progress', RunProgress, progress, telemetrySeconds);
  }

  log(log: RunLog): Promise<Said> {
    return this.#say('log', RunLog, log);
  }

  need(need: BlobNeed): Promise<Said> {
    return this.#say('need', BlobNeed, need, telemetrySeconds);
  }

  chunk(chunk: BlobChunk): Promise<Said> {
    return this.#say('chunk', BlobChunk, chunk, telemetrySeconds);
  }

  /** Signed bytes as they are. */
  signed(kind: 'evidence' | 'report', envelope: Uint8Array): Promise<Said> {
    return this.#publish(kind, envelope);
  }

  #say<T>(kind: BoxUp, schema: Schema<T>, value: T, expirySeconds?: number): Promise<Said> {
    return this.#publish(kind, encodeBulk(schema, value), expirySeconds);
  }

  async #publish(kind: BoxUp, payload: Uint8Array, expirySeconds?: number): Promise<Said> {
    if (this.#connection.state !== 'connected') return 'unsaid';
    const { networkLabel, device, box } = this.#identity;
    const topic = topicOf(networkLabel, { to: 'box', device, box, direction: 'up', kind });
    const outcome = await this.#connection.publish(topic, payload, expirySeconds === undefined ? {} : { expirySeconds });
    if (outcome !== 'acknowledged') this.#log('unsaid', { kind, outcome });
    return outcome === 'acknowledged' ? 'said' : 'unsaid';
  }
}

/** One line of plain text that a note may be (§2.2), whatever a program or the system said. */
export function plainNote(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, LIMITS.noteCharactersMax)
    .toWellFormed();
}
