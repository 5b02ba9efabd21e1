/**
 * The agent's connection to its device's broker, over mutual TLS 1.3. Specification §5.4. Owner of the `mqtt` package in
 * the agent; `device/mqtt/connection.ts` is its sibling in the firmware, since neither program may hold the other's code
 * and the pure protocol folder no sockets. One set of tests keeps both to the same behaviour.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { MqttClient, type IClientOptions, type IPublishPacket } from 'mqtt';
import { LIMITS } from '#protocol/limits.ts';
import type { Connection, ConnectionState, Incoming, PublishOptions, PublishOutcome, Will } from '#protocol/mqtt-port.ts';
import { isPublishable } from '#protocol/publication.ts';
import {
  closeMs,
  connectMs,
  connectThroughMs,
  keepAliveSeconds,
  outgoingBytesMax,
  outgoingMessagesMax,
  reconnectMaxMs,
  reconnectMinMs,
} from './limits.ts';

export type BrokerAddress = DeviceAddress | OtherAddress;

export interface DeviceAddress {
  /** `mqtts://host:port`. */
  readonly url: string;
  /** The certificate authority of the device, PEM. */
  readonly authority: string | Uint8Array;
  /** Common name of the broker's certificate: the device's name. Addresses may change, so they aren't compared. */
  readonly server: string;
  /** PEM; absent only towards a pairing broker. */
  readonly certificate?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** What carries TLS in place of a TCP connection to `url`: a stream through another broker (§5.7). */
  readonly over?: (() => Duplex) | undefined;
}

/** A broker of somebody else, by which boxes come (§5.7). */
export interface OtherAddress {
  /** `mqtts://host:port`. */
  readonly url: string;
  /** PEM of those who vouch for the certificate of this host; or the SHA-256 of that certificate, 64 lower-case digits. */
  readonly trust: { readonly authority: string } | { readonly fingerprint: string };
  /** Who one is there: a name and its password, or a certificate with its key, PEM. */
  readonly user?: string;
  readonly password?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface ConnectOptions {
  /** Absent: an id that nobody can guess, so that nobody can take the connection over (§5.3). */
  readonly clientId?: string;
  readonly will?: Will;
}

/** No connection in the time given; the message has the last reason. */
export class NotConnected extends Error {
  readonly code = 'not-connected';
}

/** Begins to connect and returns at once; the connection goes on trying until it is closed. */
export function connect(address: BrokerAddress, options: ConnectOptions = {}): Connection {
  const client = new MqttClient(() => openStream(address), clientOptions(address, options));
  const subscriptions = new Map<number, Subscription>();
  const listeners = new Set<(state: ConnectionState, reason: string) => void>();
  const outgoing = new Outgoing();
  let state: ConnectionState = 'connecting';
  let reason = 'no answer yet';

  const enter = (next: ConnectionState): void => {
    if (state === next || state === 'closed') return;
    state = next;
    for (const listener of listeners) listener(next, reason);
  };
  const untilConnected = (waitMs?: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const fail = (): void => reject(new NotConnected(`no connection to ${address.url}: ${reason || state}`));
      const timer = waitMs === undefined ? undefined : setTimeout(() => settle('lost'), waitMs);
      const settle = (next: ConnectionState): void => {
        clearTimeout(timer);
        listeners.delete(listen);
        if (next === 'connected') resolve();
        else fail();
      };
      const listen = (next: ConnectionState): void => {
        if (next === 'connected' || next === 'closed') settle(next);
      };
      listeners.add(listen);
      listen(state);
    });

  client.on('connect', () => {
    client.options.reconnectPeriod = reconnectMinMs;
    reason = '';
    void Promise.all([...subscriptions].map(([identifier, { filter }]) => subscribe(client, identifier, filter))).then(
      () => enter(client.connected ? 'connected' : state),
      (error: unknown) => client.stream.destroy(error instanceof Error ? error : undefined),
    );
  });
  client.on('reconnect', () => {
    client.options.reconnectPeriod = Math.min((client.options.reconnectPeriod ?? 0) * 2, reconnectMaxMs);
  });
  client.on('error', (error) => (reason = reasonOf(error)));
  client.on('disconnect', (packet) => (reason = `the broker ended the connection with reason code ${packet.reasonCode ?? 0}`));
  client.on('close', () => enter('lost'));
  client.on('message', (_topic, _payload, packet) => deliver(packet, subscriptions));
  limitPackets(client);

  return {
    get state() {
      return state;
    },
    publish: (topic, payload, how = {}) =>
      state === 'closed' ? Promise.resolve('dropped') : outgoing.carry(payload.length, () => send(client, topic, payload, how)),
    async subscribe(filter, handler) {
      const identifier = addHandler(subscriptions, filter, handler);
      if (!client.connected) return untilConnected();
      await subscribe(client, identifier, filter).catch((error: unknown) => {
        if (client.connected) throw error;
        return untilConnected();
      });
    },
    onState: (listener) => void listeners.add(listener),
    connected: untilConnected,
    async close() {
      enter('closed');
      if (client.connected) await outgoing.drained(closeMs);
      await client.endAsync(outgoing.messages > 0 || !client.connected);
      outgoing.drop();
    },
  };
}

interface Subscription {
  readonly filter: string;
  readonly handlers: ((message: Incoming) => void)[];
}

/** A broker keeps one subscription for a filter, the latest; so all handlers of a filter share an identifier. */
function addHandler(subscriptions: Map<number, Subscription>, filter: string, handler: (message: Incoming) => void): number {
  for (const [identifier, subscription] of subscriptions) {
    if (subscription.filter !== filter) continue;
    subscription.handlers.push(handler);
    return identifier;
  }
  const identifier = subscriptions.size + 1;
  subscriptions.set(identifier, { filter, handlers: [handler] });
  return identifier;
}

/** What waits for the broker's acknowledgement: bounded, and settled when the connection is closed. */
class Outgoing {
  #waiting = new Map<(outcome: PublishOutcome) => void, number>();
  #bytes = 0;

  get messages(): number {
    return this.#waiting.size;
  }

  carry(bytes: number, send: () => Promise<PublishOutcome>): Promise<PublishOutcome> {
    if (this.messages >= outgoingMessagesMax || this.#bytes + bytes > outgoingBytesMax) return Promise.resolve('dropped');
    return new Promise((resolve) => {
      this.#waiting.set(resolve, bytes);
      this.#bytes += bytes;
      void send().then((outcome) => {
        if (this.#waiting.delete(resolve)) this.#bytes -= bytes;
        resolve(outcome);
      });
    });
  }

  async drained(waitMs: number): Promise<void> {
    const until = performance.now() + waitMs;
    while (this.messages > 0 && performance.now() < until) await sleep(5);
  }

  drop(): void {
    for (const resolve of this.#waiting.keys()) resolve('dropped');
    this.#waiting.clear();
  }
}

async function subscribe(client: MqttClient, identifier: number, filter: string): Promise<void> {
  await client.subscribeAsync(filter, { qos: 1, nl: true, properties: { subscriptionIdentifier: identifier } });
}

function clientOptions(address: BrokerAddress, options: ConnectOptions): IClientOptions {
  return {
    protocolVersion: 5,
    // Otherwise mqtt.js keeps a buffer of each of the 65,536 packet ids: 9 MB.
    writeCache: false,
    clientId: options.clientId ?? randomUUID(),
    clean: true,
    resubscribe: false,
    reconnectOnConnackError: true,
    reconnectPeriod: reconnectMinMs,
    connectTimeout: 'over' in address && address.over ? connectThroughMs : connectMs,
    keepalive: keepAliveSeconds,
    properties: { maximumPacketSize: LIMITS.packetBytesMax },
    ...('trust' in address && address.user !== undefined ? { username: address.user } : {}),
    ...('trust' in address && address.password !== undefined ? { password: address.password } : {}),
    ...(options.will
      ? { will: { topic: options.will.topic, payload: Buffer.from(options.will.payload), retain: options.will.retain, qos: 1 as const } }
      : {}),
  };
}

const TLS = { minVersion: 'TLSv1.3' } as const;
type TlsPlace = typeof TLS & { readonly host: string; readonly port: number };

function openStream(address: BrokerAddress): TLSSocket {
  const { hostname, port } = new URL(address.url);
  const place = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), ...TLS };
  if ('trust' in address) return openToOther(place, address);
  const stream = connectTls({
    ...(address.over ? { socket: address.over(), ...TLS } : place),
    ca: pem(address.authority),
    ...(address.certificate === undefined ? {} : { cert: pem(address.certificate) }),
    ...(address.key === undefined ? {} : { key: pem(address.key) }),
    checkServerIdentity: (_host, certificate) => {
      const name = certificate.subject.CN;
      return name === address.server
        ? undefined
        : brokerFault(`the broker's certificate names "${String(name)}"; it must name "${address.server}"`);
    },
  });
  return stream.setNoDelay(true);
}

/** Nothing is said before its certificate was judged: what is written waits for the handshake, at whose end that happens. */
function openToOther(place: TlsPlace, { url, trust, certificate, key }: OtherAddress): TLSSocket {
  const own = { ...(certificate === undefined ? {} : { cert: certificate }), ...(key === undefined ? {} : { key }) };
  const named = { ...place, ...own, ...(isIP(place.host) === 0 && { servername: place.host }) };
  if ('authority' in trust) return connectTls({ ...named, ca: trust.authority }).setNoDelay(true);
  // The chain is not asked, because the certificate itself is: the handshake shows that the broker holds its key.
  const stream = connectTls({ ...named, rejectUnauthorized: false });
  stream.once('secureConnect', () => {
    const shown = stream.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? 'none';
    if (shown !== trust.fingerprint)
      stream.destroy(brokerFault(`${url} shows the certificate ${shown}; it must be ${trust.fingerprint}, or that one has to be named`));
  });
  return stream.setNoDelay(true);
}

/** A broker that refuses the certificate says why by an alert (RFC 8446 §6.2), which the system's library words for its makers. */
function reasonOf(error: Error & { readonly code?: string | number | undefined }): string {
  const code = String(error.code);
  if (code.endsWith('CERTIFICATE_REVOKED')) return 'the broker has taken this certificate back; pair again (npm run pair)';
  if (code.endsWith('CERTIFICATE_EXPIRED')) return 'this certificate has expired; pair again (npm run pair)';
  return error.message || code;
}

/** The package passes an error of a stream on only when it has a code. */
function brokerFault(message: string): Error {
  return Object.assign(new Error(message), { code: 'broker-fault' });
}

function pem(text: string | Uint8Array): string | Buffer {
  return typeof text === 'string' ? text : Buffer.from(text);
}

async function send(client: MqttClient, topic: string, payload: Uint8Array, how: PublishOptions): Promise<PublishOutcome> {
  if (!isPublishable(topic, payload, how)) return 'refused';
  const { retain = false, atMostOnce = false, expirySeconds, correlationData, ...words } = how;
  if (atMostOnce && !client.connected) return 'dropped';
  const properties: IPublishPacket['properties'] = {
    ...words,
    ...(expirySeconds === undefined ? {} : { messageExpiryInterval: expirySeconds }),
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
  };
  try {
    const qos = atMostOnce ? 0 : 1;
    await client.publishAsync(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.length), { qos, retain, properties });
    return 'acknowledged';
  } catch (error) {
    return error instanceof Error && 'code' in error && typeof error.code === 'number' ? 'refused' : 'dropped';
  }
}

/** The broker says by subscription identifier for whom a message is; a copy comes for each subscription (MQTT 5, 3.3.4). */
function deliver(packet: IPublishPacket, subscriptions: ReadonlyMap<number, Subscription>): void {
  const { subscriptionIdentifier, contentType, responseTopic, correlationData } = packet.properties ?? {};
  const message: Incoming = {
    topic: packet.topic,
    payload: new Uint8Array(Buffer.from(packet.payload)),
    retained: packet.retain,
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData: new Uint8Array(correlationData) }),
  };
  const handlers = [subscriptionIdentifier ?? []].flat().flatMap((identifier) => subscriptions.get(identifier)?.handlers ?? []);
  for (const handler of handlers) {
    try {
      handler(message);
    } catch (fault) {
      queueMicrotask(() => {
        throw fault;
      });
    }
  }
}

/** The package parses packets of any announced length; a broker gone wrong shall not fill our memory with one. */
function limitPackets(client: MqttClient): void {
  let sinceLastPacket = 0;
  client.on('packetreceive', () => (sinceLastPacket = 0));
  const watch = (): void => {
    sinceLastPacket = 0;
    const { stream } = client;
    stream.on('data', (chunk: Uint8Array) => {
      sinceLastPacket += chunk.length;
      if (sinceLastPacket > 2 * LIMITS.packetBytesMax)
        stream.destroy(brokerFault(`the broker sends a packet beyond ${LIMITS.packetBytesMax} bytes`));
    });
  };
  watch();
  client.on('reconnect', () => queueMicrotask(watch));
}
