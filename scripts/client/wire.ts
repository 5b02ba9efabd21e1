/** A client's end of its topics at one device: what it publishes, what it reads, and in which words one speaks of both. Specification §5.1. */
import { encodeBulk, decodeBulk, decodeJson } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Connection, Incoming, PublishOptions, PublishOutcome } from '#protocol/mqtt-port.ts';
import type { Schema } from '#protocol/schema.ts';
import { clientSubtree, parseTopic, topicOf, type ClientAnswer, type ClientRequest, type Topic } from '#protocol/topics.ts';

/** Who speaks with whom. `network`: the 32-byte id; its first 8 bytes stand in topics. */
export interface Parties {
  readonly network: Uint8Array;
  readonly device: string;
  readonly client: string;
}

export interface WireSettings extends Parties {
  readonly connection: Connection;
  /** Where it leads, for people: `mqtts://host:port`. */
  readonly address: string;
  /** For sentences about messages and files that had to be passed over. */
  readonly warn?: (sentence: string) => void;
}

export class Wire {
  readonly #settings: WireSettings;
  readonly #label: string;
  readonly #subtree: string;

  constructor(settings: WireSettings) {
    this.#settings = settings;
    this.#label = settings.network.subarray(0, 8).toHex();
    this.#subtree = clientSubtree(this.#label, settings.device, settings.client);
  }

  get isConnected(): boolean {
    return this.#settings.connection.state === 'connected';
  }

  /** Not the whole subtree: the broker would send back our own uploads, and the retained results of all capsules. */
  async subscribe(kinds: readonly ClientAnswer[], receive: (topic: Topic, message: Incoming) => void): Promise<void> {
    const status = topicOf(this.#label, { to: 'status', device: this.#settings.device });
    await Promise.all([...kinds.map((kind) => `${this.#subtree}${kind}`), status].map((filter) => this.#subscribe(filter, receive)));
  }

  /** What the device says of the chain; the retained word comes first. */
  subscribeToChain(receive: (message: Incoming) => void): Promise<void> {
    const topic = topicOf(this.#label, { to: 'chain', device: this.#settings.device });
    return this.#subscribe(topic, (_topic, message) => receive(message));
  }

  /** The connection renews it. What is published after this call arrives, so nobody has to wait for the broker's answer. */
  subscribeToCapsule(capsule: string, receive: (topic: Topic, message: Incoming) => void): void {
    this.#subscribe(`${this.#subtree}capsules/${capsule}/+`, receive).catch((error: unknown) =>
      this.warn(`the broker does not show this client its capsule ${capsule}: ${String(error)}`),
    );
  }

  /** A request that is answered. */
  ask<T>(kind: ClientRequest, schema: Schema<T>, value: T, correlationData: Uint8Array): Promise<PublishOutcome> {
    return this.send(kind, schema, value, { responseTopic: `${this.#subtree}answer`, correlationData });
  }

  /** What is not sent is lost like any other message: whoever waits for the answer sends again. */
  send<T>(kind: ClientRequest, schema: Schema<T>, value: T, properties: PublishOptions = {}): Promise<PublishOutcome> {
    if (!this.isConnected) return Promise.resolve('dropped');
    const { connection, device, client } = this.#settings;
    const topic = topicOf(this.#label, { to: 'client', device, client, kind });
    return connection.publish(topic, encodeBulk(schema, value), { contentType: 'application/cbor', ...properties });
  }

  /** Reads CBOR or, for capsules that were submitted in JSON, JSON (§2.4); what is neither is passed over with a warning. */
  read<T>(schema: Schema<T>, { topic, payload, contentType }: Incoming): T | undefined {
    const isJson = contentType?.split(';')[0]?.trim() === 'application/json';
    const decoded = (isJson ? decodeJson : decodeBulk)(schema, payload, LIMITS.packetBytesMax);
    if (decoded.status === 'decoded') return decoded.value;
    this.warn(`a message of the device on ${topic} is not understood: ${decoded.detail}`);
    return undefined;
  }

  warn(sentence: string): void {
    this.#settings.warn?.(sentence);
  }

  /** Whom one waits for, in words. */
  situation(): string {
    const { device, address } = this.#settings;
    return `device ${device} (its broker is ${this.isConnected ? '' : 'not '}reached at ${address})`;
  }

  #subscribe(filter: string, receive: (topic: Topic, message: Incoming) => void): Promise<void> {
    return this.#settings.connection.subscribe(filter, (message) => {
      const topic = parseTopic(this.#label, message.topic);
      if (topic) receive(topic, message);
    });
  }
}
