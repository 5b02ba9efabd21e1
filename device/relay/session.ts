/**
 * One stream of a box through another broker, at the device: between a connection to that broker and one to the device's own listener.
 * Specification §5.7. What it carries is TLS, which ends at the listener; nothing here reads it.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { encodeBulk } from '#protocol/codec.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { decodeRelayFrame, RelayFrame, type RelayReason } from '#protocol/relay/frames.ts';
import { StreamEnd, type StreamOver } from '#protocol/relay/stream-end.ts';
import { relayTopic, type RelaySession } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';

export interface RelayedStreamParts {
  readonly session: RelaySession;
  /** To the other broker, of this stream alone, and closed with it. */
  readonly connection: Connection;
  /** The listener of the device's own broker. */
  readonly listener: { readonly host: string; readonly port: number };
  /** Of a clock that only goes forward, ms. */
  readonly nowMs: () => number;
  /** Told once. */
  readonly onOver: (how: StreamEnding) => void;
}

/** `broker-refused`: for lack of rights there. */
export type StreamEnding = StreamOver | 'broker-lost' | 'broker-refused';

export class RelayedStream {
  readonly #parts: RelayedStreamParts;
  readonly #end: StreamEnd;
  #socket: Socket | undefined;
  /** Set when it is over: resolves when the other broker has been told. */
  #gone: Promise<void> | undefined;
  readonly beganAtMs: number;

  constructor(parts: RelayedStreamParts) {
    this.#parts = parts;
    this.beganAtMs = parts.nowMs();
    this.#end = new StreamEnd(this.beganAtMs);
    const { connection, session } = parts;
    connection.onState((state) => {
      if (state === 'lost') this.#finish('broker-lost');
    });
    connection
      .subscribe(relayTopic(session, 'up'), (message) => this.#heard(message))
      .then(
        () => this.#openSocket(),
        () => this.#finish('broker-refused'),
      );
  }

  /** `address:port` from which the listener is reached; `undefined` before it is. */
  get source(): string | undefined {
    const { localAddress, localPort } = this.#socket ?? {};
    return localAddress === undefined || localPort === undefined ? undefined : `${localAddress}:${localPort}`;
  }

  timePassed(): void {
    this.#end.timePassed(this.#parts.nowMs());
    this.#flow();
  }

  /** Resolves when the other end can have heard of it. */
  async close(reason: RelayReason): Promise<void> {
    this.#end.close(reason);
    this.#flow();
    await this.#gone;
  }

  #openSocket(): void {
    if (this.#gone) return;
    const { host, port } = this.#parts.listener;
    const socket = connectSocket({ host, port });
    this.#socket = socket.setNoDelay(true);
    socket.once('connect', () => {
      this.#end.admit();
      this.#flow();
    });
    socket.on('data', (bytes: Uint8Array) => {
      this.#end.write(bytes);
      this.#flow();
      if (this.#end.waitingBytes > 0) socket.pause();
    });
    socket.once('error', () => {
      if (socket.pending) this.#end.close('no-window');
    });
    socket.once('close', () => {
      this.#end.finish();
      this.#flow();
    });
  }

  #heard({ payload, retained }: Incoming): void {
    const decoded = decodeRelayFrame(payload);
    if (decoded.status === 'malformed' || retained) return void this.close('malformed');
    for (const bytes of this.#end.hear(decoded.value, this.#parts.nowMs())) this.#handOn(bytes);
    this.#flow();
  }

  /** What the listener's side of the machine has taken counts as handed on. */
  #handOn(bytes: Uint8Array): void {
    this.#socket?.write(bytes, () => {
      this.#end.handedOn(1);
      this.#flow();
    });
  }

  /** Says what is to be said, and follows what has changed by it. */
  #flow(): void {
    if (this.#gone) return;
    const { connection, session, nowMs } = this.#parts;
    for (const frame of this.#end.frames(nowMs()))
      void connection.publish(relayTopic(session, 'down'), encodeBulk(RelayFrame, frame)).then((outcome) => {
        if (outcome !== 'acknowledged') this.#finish(outcome === 'refused' ? 'broker-refused' : 'broker-lost');
      });
    if (this.#end.waitingBytes === 0) this.#socket?.resume();
    if (this.#end.over) this.#finish(this.#end.over);
  }

  #finish(how: StreamEnding): void {
    if (this.#gone) return;
    this.#gone = this.#parts.connection.close();
    this.#socket?.setTimeout(MQTT_LIMITS.closeMs, () => this.#socket?.destroy()).destroySoon();
    this.#parts.onOver(how);
  }
}
