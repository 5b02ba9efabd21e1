/**
 * A device put together: TPM and identity, broker, attestation among peers, jobs, clients. It starts from its state folder
 * and can be killed at any moment; whoever supervises it starts it again.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBulk } from '#protocol/codec.ts';
import { networkId, networkLabel, decodeNetwork, memberOf, type Network } from '#protocol/network.ts';
import { DeviceStatus } from '#protocol/status.ts';
import { topicOf } from '#protocol/topics.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { runAttestation, type Attestation } from './attestation/host.ts';
import { openCapsuleRooms, type CapsuleRooms } from './capsule-rooms.ts';
import { readConfiguration, type DeviceConfiguration } from './configuration.ts';
import type { Chain } from './consensus/chain-port.ts';
import { genesisPosition } from './consensus/genesis.ts';
import { createNodeCrypto } from './crypto-node.ts';
import { joinGossip, type GossipNetwork } from './gossip.ts';
import type { Issuer } from './hpc/receipt-issuer.ts';
import { openIdentity, type Identity } from './identity/identity.ts';
import { StateFile } from './identity/state-file.ts';
import { DEVICE_LIMITS } from './limits.ts';
import { openAuthority, type Authority } from './mqtt/authority.ts';
import { connect } from './mqtt/connection.ts';
import type { BrokerEvent } from './mqtt/broker.ts';
import { startDeviceBroker, type DeviceBroker } from './mqtt/device-broker.ts';
import type { Ports } from './mqtt/broker-configuration.ts';
import { claimPorts } from './mqtt/ports.ts';
import { PairedNames } from './pairing/paired-names.ts';
import { peerAuthoritiesOf, startPairing, type PairingService } from './pairing/pairing-service.ts';
import { joinPeers, type PeerLines } from './peers.ts';
import type { Log, Publisher } from './ports.ts';
import { Presence } from './presence.ts';
import { publisherOn, serve } from './serving.ts';
import { measureSoftware } from './software.ts';
import { BlobStore } from './store/blob-store.ts';
import { forgetOld } from './store/retention.ts';
import { openStore, type Store } from './store/store.ts';

export interface Device {
  readonly name: string;
  stop(): Promise<void>;
}

export interface DeviceRequest {
  readonly stateFolder: string;
  readonly log: Log;
  /** The program should end, so that its supervisor starts it anew: the TPM or the disk is gone. */
  readonly onFailure: (error: unknown) => void;
}

/** @throws Error in a sentence for the operator: no network file, no TPM, another chip, a port that is taken */
export async function startDevice(request: DeviceRequest): Promise<Device> {
  const { stateFolder, log } = request;
  const configuration = readConfiguration(stateFolder);
  const network = readNetwork(stateFolder);
  const crypto = createNodeCrypto();
  const identity = await openIdentity({
    tcti: configuration.tcti,
    folder: stateFolder,
    measurements: await measureSoftware(configuration.board),
    crypto,
  });
  requireSeat(network, identity, configuration);
  const authority = openDeviceAuthority(stateFolder, configuration);
  const ports = await claimPorts(join(stateFolder, 'broker', 'ports.json'), configuration.ports);
  const broker = await openBroker(request, { configuration, network, authority, ports });
  const own = connectOwn(broker, network, configuration.name);
  await own.connected(DEVICE_LIMITS.ownBrokerWaitMs);
  const gossip = joinGossip({ own, network: networkLabel(network), device: configuration.name, authority, log }, network.members);
  const records = new StateFile(join(stateFolder, 'attestation.cbor'), DEVICE_LIMITS.attestationRecordBytesMax);
  const attestation = await runAttestation({
    network,
    crypto,
    attester: identity,
    gossip: gossip.attestation(),
    records,
    clock: Date.now,
    random: randomBytes,
    log,
    onStanding: (device, standing) =>
      log('standing', { device, verdict: standing.verdict, ...('reason' in standing ? { reason: standing.reason } : {}) }),
    onFailure: request.onFailure,
  });
  const running = { configuration, network, crypto, identity, authority, ports, broker, own, gossip, attestation };
  return startWork(request, running);
}

interface Running {
  readonly configuration: DeviceConfiguration;
  readonly network: Network;
  readonly crypto: Crypto;
  readonly identity: Identity;
  readonly authority: Authority;
  readonly ports: Ports;
  readonly broker: DeviceBroker;
  readonly own: Connection;
  readonly gossip: GossipNetwork;
  readonly attestation: Attestation;
}

async function startWork(request: DeviceRequest, running: Running): Promise<Device> {
  const { stateFolder, log } = request;
  const { configuration, network, identity, own } = running;
  const store = openStore(join(stateFolder, 'device.sqlite'));
  const blobs = new BlobStore(join(stateFolder, 'blobs'));
  const publisher = publisherOn(own, networkLabel(network), log);
  const peers = joinPeers(running.gossip, configuration.name);
  const rooms = openRooms(running, { store, blobs, publisher, peers, log });
  await serve(own, { network: networkLabel(network), device: configuration.name }, rooms, log);
  const pairing = await startPairing({
    stateFolder,
    network,
    device: configuration.name,
    host: configuration.hosts[0] ?? 'localhost',
    ports: running.ports,
    ...addressOf(configuration),
    authority: running.authority,
    broker: running.broker,
    members: () => network.members,
    log,
    onClientPaired: (name) => rooms.orders.forgetClient(name),
    onBoxes: (boxes) => rooms.controller.setPairedBoxes(boxes),
  });
  rooms.resume();
  const presence = new Presence(publisher, configuration.name, identity.node, Date.now());
  const keepUp = (): void => {
    presence.show(running.attestation.evidence(), rooms.controller.boxNames());
    rooms.timePassed();
  };
  own.onState((state) => {
    if (state !== 'connected') return;
    presence.forget();
    running.attestation.republish();
    keepUp();
  });
  const timer = setInterval(keepUp, DEVICE_LIMITS.dutyIntervalMs);
  keepUp();
  const tpmTimer = setInterval(() => void identity.checkTpm().catch(request.onFailure), DEVICE_LIMITS.tpmWatchMs);
  const keeping = setInterval(
    () => void forgetOld(store, blobs, Date.now()).then((capsules) => log('oldForgotten', { capsules }), request.onFailure),
    DEVICE_LIMITS.sweepIntervalMs,
  );
  log('deviceStarted', { name: configuration.name, node: identity.node.toHex().slice(0, 16), resetCount: identity.resetCount });
  return {
    name: configuration.name,
    stop: () => stopDevice(running, { store, peers, timers: [timer, tpmTimer, keeping], presence, pairing }),
  };
}

function openRooms(
  running: Running,
  parts: { store: Store; blobs: BlobStore; publisher: Publisher; peers: PeerLines; log: Log },
): CapsuleRooms {
  const { configuration, network, crypto, identity } = running;
  return openCapsuleRooms({
    ...parts,
    network,
    crypto,
    device: configuration.name,
    node: identity.node,
    chain: chainAtRest(identity.node, network, crypto),
    showChain: () => ({ status: 'refused', reason: 'unknown-block', detail: 'this device shows no chain yet' }),
    issuer: () => issuerOf(running),
    sign: (input: Uint8Array) => identity.sign(input),
    now: Date.now,
    random: (bytes: number) => new Uint8Array(randomBytes(bytes)),
  });
}

/** The chain before its first block, where nothing moves. */
function chainAtRest(node: Uint8Array, network: Network, crypto: Crypto): Chain {
  const genesis = genesisPosition({ network, networkId: networkId(network), crypto });
  return {
    node,
    act: () => undefined,
    head: () => genesis,
    finalised: () => ({ ...genesis, number: 0 }),
    receiptInclusion: () => ({ status: 'unknown' }),
    onChange: () => undefined,
  };
}

/** The device as a receipt names it, when its evidence counts now and a little longer. */
function issuerOf({ attestation, identity, configuration, network }: Running): Issuer | undefined {
  const evidence = attestation.evidence();
  const standing = attestation.ownStanding();
  if (!evidence || standing?.verdict !== 'trusted' || standing.attestedUntilMs < Date.now() + DEVICE_LIMITS.evidenceSpareMs)
    return undefined;
  return {
    network: networkId(network),
    node: identity.node,
    device: configuration.name,
    tpm: standing.softwareTpm ? 'software-tpm' : 'hardware-tpm',
    evidence,
    sign: (input) => identity.sign(input),
  };
}

async function stopDevice(
  running: Running,
  parts: { store: Store; peers: PeerLines; timers: readonly NodeJS.Timeout[]; presence: Presence; pairing: PairingService },
): Promise<void> {
  parts.timers.forEach((timer) => clearInterval(timer));
  parts.peers.close();
  await parts.pairing.stop();
  parts.presence.leave();
  await running.attestation.stop();
  await running.gossip.close();
  await running.own.close();
  await running.broker.stop();
  await running.identity.close();
  parts.store.close();
}

function readNetwork(stateFolder: string): Network {
  const file = join(stateFolder, 'network.cbor');
  if (!existsSync(file)) throw new Error(`${file} is missing: a device needs the network file of the network that it belongs to`);
  const decoded = decodeNetwork(readFileSync(file));
  if (decoded.status === 'malformed') throw new Error(`${file} is no network file: ${decoded.detail}`);
  return decoded.value;
}

function requireSeat(network: Network, identity: Identity, configuration: DeviceConfiguration): void {
  const member = memberOf(network, identity.node);
  if (!member)
    throw new Error(
      `the network ${network.genesis.name} has no seat for the TPM of this device (node ${identity.node.toHex().slice(0, 16)})`,
    );
  if (member.name !== configuration.name)
    throw new Error(`the network knows this device as "${member.name}"; its configuration says "${configuration.name}"`);
}

/** The authorities of a device; also needed before there is a network, for its card. */
export function openDeviceAuthority(stateFolder: string, { name, hosts }: DeviceConfiguration): Authority {
  return openAuthority({ folder: join(stateFolder, 'authority'), device: name, hosts });
}

async function openBroker(
  request: DeviceRequest,
  parts: Pick<Running, 'configuration' | 'network' | 'authority' | 'ports'>,
): Promise<DeviceBroker> {
  const { configuration, network, authority, ports } = parts;
  const names = new PairedNames(request.stateFolder);
  const options = {
    folder: join(request.stateFolder, 'broker'),
    network: networkLabel(network),
    device: configuration.name,
    authority,
    ports,
    ...addressOf(configuration),
    onEvent: ({ event, ...fields }: BrokerEvent) => request.log(event, fields),
  };
  return startDeviceBroker(options, names.trust(peerAuthoritiesOf(network.members, configuration.name)));
}

function addressOf({ address }: DeviceConfiguration): { address?: string } {
  return address === undefined ? {} : { address };
}

/** The firmware's own connection; the broker says "offline" for a device that dies. */
function connectOwn(broker: DeviceBroker, network: Network, device: string): Connection {
  const topic = topicOf(networkLabel(network), { to: 'status', device });
  const payload = encodeBulk(DeviceStatus, { status: 'offline', device });
  return connect({ socket: broker.socket }, { will: { topic, payload, retain: true } });
}
