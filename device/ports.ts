/** Ports: what the deciding and serving rooms of a device ask of the outside, so that each can be given real or in-memory parts. */
import type { PeerKind, Topic } from '#protocol/topics.ts';

/** Unix time in milliseconds. */
export type Clock = () => number;

/** `bytes` unpredictable bytes. */
export type Random = (bytes: number) => Uint8Array;

/** Ed25519 over a signing input (`#protocol/signed.ts`), by the operational key. */
export type OperationalSigner = (input: Uint8Array) => Uint8Array;

export interface PublishOptions {
  readonly retain?: boolean;
  /** The broker drops the message after this long; MQTT 5 message expiry. */
  readonly expirySeconds?: number;
  readonly contentType?: string;
  readonly correlationData?: Uint8Array;
}

/** Publishes on the device's own broker. What can't be sent now is repeated by the duties of whoever depends on it. */
export interface Publisher {
  publish(topic: Topic, payload: Uint8Array | string, options?: PublishOptions): void;
  /** Publishes where a client asked to be answered, after the gateway has checked that the topic is the client's own. */
  publishTo(topic: string, payload: Uint8Array | string, options?: PublishOptions): void;
}

/**
 * The members of the network one by one, this one among them: what a device says to itself goes the same way as what it
 * says to others. What can't be said now is said again by the duties of whoever depends on it.
 */
export interface Peers {
  /** @param to name of a member. @param payload what only that member may read */
  say(to: string, kind: PeerKind, payload: Uint8Array): void;
}

/** One line an event: a word in the past tense and fields. No secrets; foreign text is made harmless by whoever writes the line. */
export type Log = (event: string, fields?: Readonly<Record<string, string | number | boolean>>) => void;
