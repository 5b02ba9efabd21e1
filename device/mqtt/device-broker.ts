/** The broker of this device as the firmware wants it: its listeners, whom they trust and whom no more. Specification §5.3. */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import type { NetworkLabel } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { peerTrust, type Authority, type PeerAuthority } from './authority.ts';
import { NOBODY, type BoxPeople } from './access-rights.ts';
import { boxConnectionsMax, deviceBrokerFiles, pairingBrokerFiles, pairingConnectionsMax, type Ports } from './broker-configuration.ts';
import { watchBroker } from './broker-watch.ts';
import { limitConnections } from './connection-limit.ts';
import { startBroker, type Broker, type BrokerEvent } from './broker.ts';
import type { RevokedSerial } from './certificate.ts';
import type { Entry, Surplus } from './connection-tally.ts';

/** Whom the broker trusts, which changes while it runs. */
export interface Trust {
  /** Of the other members. */
  readonly peerAuthorities: readonly PeerAuthority[];
  /** Certificates of names that were removed. */
  readonly revokedClients: readonly RevokedSerial[];
  readonly revokedBoxes: readonly RevokedSerial[];
}

export interface DeviceBrokerOptions {
  /** Folder of the broker's files. */
  readonly folder: string;
  readonly network: NetworkLabel;
  readonly device: string;
  readonly authority: Authority;
  readonly ports: Ports;
  /** Address to listen at; absent means every interface. */
  readonly address?: string;
  /** Absent: no client has a right to boxes. */
  readonly people?: BoxPeople;
  /** Whether boxes come through another broker as well (§5.7). */
  readonly relayed?: boolean;
  /** Told of each certificate that was let in. */
  readonly onEntry?: (entry: Entry) => void;
  readonly onEvent: (event: BrokerEvent) => void;
}

export interface DeviceBroker {
  /** Unix socket of the firmware's own connection, which has all rights. */
  readonly socket: string;
  /**
   * Trusts anew, and restarts: a reload would keep a connection whose certificate was revoked, and an authority that was
   * dropped (notes on Mosquitto 2.0.11). The outage is some ten milliseconds; what matters is sent again.
   */
  trust(trust: Trust): Promise<void>;
  /** Cuts these boxes off but for what they need to prove themselves again, and no others (§17.2). Nobody's connection ends. */
  fence(boxes: readonly string[]): Promise<void>;
  /** Takes nothing from these boxes, and from all others what they may say (§6.7). Nobody's connection ends. */
  silence(boxes: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the broker for clients, boxes and peers. Rejects with `BrokerFailed` when it doesn't come up. */
export async function startDeviceBroker(options: DeviceBrokerOptions, trust: Trust): Promise<DeviceBroker> {
  const place = placeOf(options);
  const people = options.people ?? NOBODY;
  const held = { trust, fenced: [] as readonly string[], silenced: [] as readonly string[] };
  const files = () => {
    const { fenced, silenced } = held;
    return deviceBrokerFiles({ ...place, people, fenced, silenced, ...trustedFiles(options.authority, held.trust) });
  };
  const connectionsMax = MQTT_LIMITS.clientConnectionsMax + boxConnectionsMax(place) + MQTT_LIMITS.peerConnectionsMax;
  const onSurplus = (surplus: Surplus): void => options.onEvent({ event: 'connectionSurplus', ...surplus });
  const limit = limitConnections(place.socket, place.ports, onSurplus, options.onEntry);
  const onEvent = (event: BrokerEvent): void => {
    options.onEvent(event);
    if (event.event === 'brokerSpoke') limit.heard(event.line);
  };
  const broker = await startBroker({ folder: place.folder, files: files(), socket: place.socket, connectionsMax, onEvent });
  const stopBroker = watched(broker, place.socket, MQTT_LIMITS.brokerMemoryBytesMax);
  const stop = async (): Promise<void> => {
    await limit.stop();
    await stopBroker();
  };
  return {
    socket: place.socket,
    trust: (current) => {
      held.trust = current;
      return broker.restart(files());
    },
    fence: (boxes) => {
      held.fenced = boxes;
      return broker.reload(files());
    },
    silence: (boxes) => {
      held.silenced = boxes;
      return broker.reload(files());
    },
    stop,
  };
}

/** Starts the broker at which strangers knock; it runs only while a pairing window is open. */
export async function startPairingBroker(options: DeviceBrokerOptions): Promise<Broker & { readonly socket: string }> {
  const place = placeOf(options);
  const broker = await startBroker({
    folder: place.folder,
    files: pairingBrokerFiles(place),
    socket: place.socket,
    connectionsMax: pairingConnectionsMax(place),
    onEvent: options.onEvent,
  });
  return { ...broker, socket: place.socket, stop: watched(broker, place.socket, MQTT_LIMITS.pairingBrokerMemoryBytesMax) };
}

/** Has the broker watched, and gives back what ends both. */
function watched(broker: Broker, socket: string, memoryBytesMax: number): () => Promise<void> {
  const watch = watchBroker(broker, socket, memoryBytesMax);
  return async () => {
    await watch.stop();
    await broker.stop();
  };
}

function placeOf(options: DeviceBrokerOptions) {
  const folder = resolve(options.folder);
  return {
    network: options.network,
    device: options.device,
    folder,
    socket: socketIn(folder),
    runner: userInfo().username,
    ports: options.ports,
    relayed: options.relayed ?? false,
    serverCertificateFile: resolve(options.authority.server.certificateFile),
    serverKeyFile: resolve(options.authority.server.keyFile),
    ...(options.address === undefined ? {} : { address: options.address }),
  };
}

function trustedFiles(authority: Authority, trust: Trust) {
  return {
    clientAuthorityFile: resolve(authority.rootFile('clients')),
    boxAuthorityFile: resolve(authority.rootFile('boxes')),
    peerAuthorities: peerTrust(trust.peerAuthorities),
    clientRevocations: authority.revocationList('client', trust.revokedClients),
    boxRevocations: authority.revocationList('box', trust.revokedBoxes),
  };
}

/**
 * The folder itself; or, where its path is too long for a socket or has a space, at which Mosquitto 2.0 cuts it, a private
 * folder of this account that its path names.
 */
function socketIn(folder: string): string {
  const near = join(folder, 'firmware.sock');
  if (!/\s/.test(near) && Buffer.byteLength(near) <= MQTT_LIMITS.socketPathBytesMax) return near;
  const label = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const far = join(tmpdir(), `capstan-${userInfo().uid}-${label}`);
  mkdirSync(far, { recursive: true, mode: 0o700 });
  requireOwn(far);
  chmodSync(far, 0o700);
  return join(far, 'firmware.sock');
}

/** Everybody may make names in the folder for temporary files, and whoever reaches the socket has all rights. */
function requireOwn(folder: string): void {
  const found = lstatSync(folder);
  if (found.isDirectory() && found.uid === userInfo().uid) return;
  throw new Error(`${folder} belongs to somebody else; remove it, or choose a shorter state folder without spaces`);
}
