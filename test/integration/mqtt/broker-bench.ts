/** A device's real broker in a temporary folder, with certificates for whoever a test needs. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { topicFilter, topicRoot } from '#protocol/topics.ts';
import { openAuthority, type Authority } from '../../../device/mqtt/authority.ts';
import type { BoxPeople } from '../../../device/mqtt/access-rights.ts';
import type { Ports } from '../../../device/mqtt/broker-configuration.ts';
import type { BrokerEvent } from '../../../device/mqtt/broker.ts';
import { issueCertificate, pemOf, publicKeyOf } from '../../../device/mqtt/certificate.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import type { connect as connectAgent } from '../../../hpc-agent/mqtt.ts';
import { startDeviceBroker, type DeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';

export const NETWORK = '0011223344556677';
export const DEVICE = 'alpha';
export const ROOT = topicRoot(NETWORK);

export interface Credential {
  readonly certificate: string;
  readonly key: string;
  readonly serial: Uint8Array;
}

export interface BrokerBench {
  readonly folder: string;
  readonly authority: Authority;
  readonly peerAuthority: Authority;
  readonly ports: Ports;
  readonly broker: DeviceBroker;
  /** The firmware's connection. */
  readonly own: Connection;
  readonly events: BrokerEvent[];
  /** Closed at the end, whatever has failed. */
  readonly open: (() => unknown)[];
  stop(): Promise<void>;
}

export async function startBench(people?: BoxPeople): Promise<BrokerBench> {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-mqtt-'));
  const authority = openAuthority({ folder: join(folder, 'authority'), device: DEVICE, hosts: [] });
  const peerAuthority = openAuthority({ folder: join(folder, 'peer'), device: 'bravo', hosts: [] });
  const ports = await claimPorts(join(folder, 'ports.json'));
  const events: BrokerEvent[] = [];
  const options = {
    folder: join(folder, 'broker'),
    network: NETWORK,
    device: DEVICE,
    authority,
    ports,
    address: '127.0.0.1',
    ...(people ? { people } : {}),
    onEvent: (event: BrokerEvent) => void events.push(event),
  };
  const broker = await startDeviceBroker(options, {
    peerAuthorities: [{ name: 'bravo', root: peerAuthority.root('device') }],
    revokedClients: [],
    revokedBoxes: [],
  });
  const own = connect({ socket: broker.socket });
  await own.connected(5_000);
  const open: (() => unknown)[] = [() => own.close()];
  const stop = async (): Promise<void> => {
    await Promise.all(open.map((close) => close()));
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, authority, peerAuthority, ports, broker, own, events, open, stop };
}

export function credential(bench: BrokerBench, kind: 'client' | 'box', name: string): Credential {
  const key = newKey();
  const { certificate, serial } = bench.authority.certify(kind, name, publicKeyOf(key));
  return { certificate: pemOf('CERTIFICATE', certificate), key: pemKey(key), serial: Uint8Array.fromHex(serial) };
}

/** A certificate of an authority that is nobody's. */
export function foreignCredential(name: string): Credential {
  const root = newKey();
  const serial = Uint8Array.of(0x41, 0x02);
  const validity = { serial, notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 60_000) };
  const authority = issueCertificate(
    { commonName: `Capstan ${DEVICE} clients`, use: 'authority', publicKey: publicKeyOf(root), ...validity },
    { ownKey: root },
  );
  return issuedBy({ certificate: authority, key: root }, name, validity);
}

/** A certificate of the device's own authority for clients whose time is over. */
export function expiredCredential(bench: BrokerBench, name: string): Credential {
  const issuer = { certificate: bench.authority.root('clients'), key: keyOf(join(bench.folder, 'authority', 'clients.key.pem')) };
  return issuedBy(issuer, name, {
    serial: Uint8Array.of(0x42, 0x07),
    notBefore: new Date(Date.now() - 120_000),
    notAfter: new Date(Date.now() - 60_000),
  });
}

export function peerCredential(bench: BrokerBench): Credential {
  const { certificateFile, keyFile } = bench.peerAuthority.peer;
  return { certificate: readFileSync(certificateFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), serial: Uint8Array.of() };
}

/** A certificate of the peer's authority in a name of the peer's choice. */
export function peerNamed(bench: BrokerBench, name: string): Credential {
  const issuer = { certificate: bench.peerAuthority.root('device'), key: keyOf(join(bench.folder, 'peer', 'device.key.pem')) };
  return issuedBy(issuer, name, {
    serial: Uint8Array.of(0x43, 0x01),
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 60_000),
  });
}

export function addressOf(bench: BrokerBench, listener: keyof Ports, holder?: Credential) {
  return {
    url: `mqtts://127.0.0.1:${bench.ports[listener]}`,
    authority: readFileSync(bench.authority.rootFile('device'), 'utf8'),
    server: DEVICE,
    ...(holder ? { certificate: holder.certificate, key: holder.key } : {}),
  };
}

/** A connection as our programs make it; the agent has an adapter of its own. */
export async function joinAt(
  bench: BrokerBench,
  listener: keyof Ports,
  holder: Credential,
  open: typeof connect | typeof connectAgent = connect,
): Promise<Connection> {
  const connection = open(addressOf(bench, listener, holder));
  bench.open.push(() => connection.close());
  await connection.connected(5_000);
  return connection;
}

/** A connection with whatever options an attacker likes. */
export async function attack(
  bench: BrokerBench,
  listener: keyof Ports,
  holder: Credential,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtts://127.0.0.1:${bench.ports[listener]}`, {
    protocolVersion: 5,
    ca: readFileSync(bench.authority.rootFile('device')),
    cert: holder.certificate,
    key: holder.key,
    rejectUnauthorized: true,
    reconnectPeriod: 0,
    connectTimeout: 3_000,
    ...options,
  });
  bench.open.push(() => client.end(true));
  return client;
}

/** Resolves with what the server makes of a TLS handshake: in TLS 1.3 its refusal comes after the handshake. */
export function handshake(
  bench: BrokerBench,
  listener: keyof Ports,
  how: { holder?: Credential; maxVersion?: 'TLSv1.2' | 'TLSv1.3' },
): Promise<string> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connectTls({
      host: '127.0.0.1',
      port: bench.ports[listener],
      ca: readFileSync(bench.authority.rootFile('device')),
      ...(how.holder ? { cert: how.holder.certificate, key: how.holder.key } : {}),
      ...(how.maxVersion ? { maxVersion: how.maxVersion, minVersion: how.maxVersion } : {}),
    });
    const connectPacket = Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 0);
    socket.once('secureConnect', () => socket.write(connectPacket));
    socket.once('data', (data: Uint8Array) => end(data[0] === 0x20 ? 'accepted' : 'answered'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.once('close', () => end('closed'));
    const end = (outcome: string): void => {
      socket.destroy();
      resolve(outcome);
    };
  });
}

/** All that the firmware's connection sees from now on. */
export async function watchAll(bench: BrokerBench): Promise<Incoming[]> {
  const seen: Incoming[] = [];
  await bench.own.subscribe(topicFilter(NETWORK, '#'), (message) => void seen.push(message));
  return seen;
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

function issuedBy(
  issuer: Parameters<typeof issueCertificate>[1],
  commonName: string,
  validity: { serial: Uint8Array; notBefore: Date; notAfter: Date },
): Credential {
  const key = newKey();
  const certificate = issueCertificate({ commonName, use: 'client', publicKey: publicKeyOf(key), ...validity }, issuer);
  return { certificate: pemOf('CERTIFICATE', certificate), key: pemKey(key), serial: validity.serial };
}

function newKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function keyOf(file: string) {
  return createPrivateKey(readFileSync(file));
}

function pemKey(key: ReturnType<typeof newKey>): string {
  return key.export({ format: 'pem', type: 'pkcs8' });
}
