/**
 * A device put together: TPM and identity, broker, attestation among peers, jobs, clients. It starts from its state folder
 * and can be killed at any moment; whoever supervises it starts it again.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { encodeBulk, sameBytes } from '#protocol/codec.ts';
import { networkId, networkLabel, nodeIdOf, type Member, type Network } from '#protocol/network.ts';
import { DeviceStatus } from '#protocol/status.ts';
import { topicOf } from '#protocol/topics.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import type { BoardDisplay } from './board/board-display.ts';
import { openBoxControl, peopleOf, type BoxControl } from './box-control.ts';
import { openCapsuleRooms, type CapsuleRooms } from './capsule-rooms.ts';
import { openChainRoom, type ChainRoom } from './chain/room.ts';
import { readConfiguration, type DeviceConfiguration } from './configuration.ts';
import { openDisplay } from './configured-board.ts';
import type { Chain } from './chain/chain-port.ts';
import type { BoxWatch } from './control/ports.ts';
import { createNodeCrypto } from './crypto-node.ts';
import { joinGossip, type GossipNetwork } from './gossip.ts';
import { BoxDoor } from './hpc/box-door.ts';
import type { Issuer } from './hpc/receipt-issuer.ts';
import { ReferenceFiles } from './hpc/reference-file.ts';
import { openIdentity, type Identity } from './identity/identity.ts';
import { StateFile } from './identity/state-file.ts';
import type { Layer1Room } from './layer1-room.ts';
import { startCheckpoint } from './layer1/start-checkpoint.ts';
import { DEVICE_LIMITS } from './limits.ts';
import { LiveAttestation } from './live-attestation.ts';
import { faultsTo } from './message-faults.ts';
import { openAuthority, type Authority } from './mqtt/authority.ts';
import { connect } from './mqtt/connection.ts';
import type { BrokerEvent } from './mqtt/broker.ts';
import type { Entry } from './mqtt/connection-tally.ts';
import { startDeviceBroker, type DeviceBroker } from './mqtt/device-broker.ts';
import type { Ports } from './mqtt/broker-configuration.ts';
import { claimPorts } from './mqtt/ports.ts';
import { PairedNames } from './pairing/paired-names.ts';
import { peerAuthoritiesOf, startPairing, type PairingService } from './pairing/pairing-service.ts';
import { joinPeers, type PeerLines } from './peers.ts';
import type { Log, Publisher } from './ports.ts';
import { Presence } from './presence.ts';
import { Arrivals } from './relay/arrivals.ts';
import { readNetwork, requireSeat } from './seat.ts';
import { publisherOn, serve } from './serving.ts';
import { measureSoftware } from './software.ts';
import { BlobStore } from './store/blob-store.ts';
import { forgetOld } from './store/retention.ts';
import { openStore, type Store } from './store/store.ts';

export interface Device {
  readonly name: string;
  /** The chain as this device knows it. */
  readonly chain: Chain;
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
  const seat = requireSeat(network, identity, configuration, stateFolder);
  const authority = openDeviceAuthority(stateFolder, configuration);
  const ports = await claimPorts(join(stateFolder, 'broker', 'ports.json'), configuration.ports);
  const arrivals = new Arrivals({ stateFolder, configuration, ports, log });
  const broker = await openBroker(request, { configuration, network, authority, ports, arrivals });
  const own = connectOwn(broker, network, configuration.name, log);
  await own.connected(DEVICE_LIMITS.ownBrokerWaitMs);
  const gossip = joinGossip({ own, network: networkLabel(network), device: configuration.name, authority, log }, network.members);
  const records = new StateFile(join(stateFolder, 'attestation.cbor'), DEVICE_LIMITS.attestationRecordBytesMax);
  const attestation = await LiveAttestation.start({
    network: withMember(network, seat),
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
  const members = { now: network.members };
  const running = { configuration, network, seat, crypto, identity, authority, ports, arrivals, broker, own, gossip, attestation, members };
  return startWork(request, running);
}

interface Running {
  readonly configuration: DeviceConfiguration;
  readonly network: Network;
  /** This device's own entry. */
  readonly seat: Member;
  readonly crypto: Crypto;
  readonly identity: Identity;
  readonly authority: Authority;
  readonly ports: Ports;
  readonly arrivals: Arrivals;
  readonly broker: DeviceBroker;
  readonly own: Connection;
  readonly gossip: GossipNetwork;
  readonly attestation: LiveAttestation;
  /** Members and applicants as the chain has them. */
  readonly members: { now: readonly Member[] };
}

async function startWork(request: DeviceRequest, running: Running): Promise<Device> {
  const { stateFolder, log } = request;
  const { configuration, network, identity, own } = running;
  const store = openStore(join(stateFolder, 'device.sqlite'));
  const blobs = new BlobStore(join(stateFolder, 'blobs'));
  const door = new BoxDoor({ silence: (boxes) => running.broker.silence(boxes), nowMs: () => performance.now(), log });
  const publisher = door.counting(publisherOn(own, networkLabel(network), log));
  const peers = joinPeers(running.gossip, configuration.name);
  const late: { pairing?: PairingService } = {};
  const anchor = configuration.checkpoint ?? (await startCheckpoint(network, log));
  const room = openChainRoom({
    ...{ stateFolder, network, device: configuration.name, crypto: running.crypto, chip: identity, gossip: running.gossip, publisher, log },
    ...(anchor && { anchor }),
    verificationOf: (card) => running.attestation.verificationOf(card),
    leaveToOthers: (nodes) => running.attestation.leaveToOthers(nodes),
    onMembers: (members) => {
      followMembers(running, members, log);
      void late.pairing?.trustMembers();
    },
    onFailure: request.onFailure,
  });
  const display = await openDisplay(configuration);
  void display?.show([configuration.name]);
  const boxes = await openBoxControl({ ...running, stateFolder, store, publisher, display, log });
  const rooms = openRooms(running, { stateFolder, control: boxes.control, store, blobs, publisher, peers, room, log });
  boxes.control.start(rooms.controller.underControl);
  await serve(own, { network: networkLabel(network), device: configuration.name }, rooms, { door, log });
  const pairing = await startPairing({
    stateFolder,
    // Boxes and clients judge the evidence of this device, which may have joined after the founding.
    network: withMember(network, running.seat),
    device: configuration.name,
    node: identity.node,
    askTpm: (operation) => identity.ask(operation),
    show: (lines) => void display?.showNotice(lines),
    host: configuration.hosts[0] ?? 'localhost',
    ports: running.ports,
    relayed: configuration.relay !== undefined,
    ...addressOf(configuration),
    authority: running.authority,
    broker: running.broker,
    members: () => running.members.now,
    log,
    onClientPaired: (name) => rooms.orders.forgetClient(name),
    onBoxes: (boxes) => rooms.controller.setPairedBoxes(boxes),
  });
  late.pairing = pairing;
  if (running.members.now !== network.members) await pairing.trustMembers();
  rooms.resume();
  const layer1 = await openLayer1(request, running, room);
  const presence = new Presence(publisher, configuration.name, identity.node, Date.now());
  const keepUp = (): void => {
    presence.show(running.attestation.evidence(), rooms.controller.boxNames());
    rooms.timePassed();
    boxes.timePassed();
    void display?.retry();
    room.timePassed();
  };
  own.onState((state) => {
    if (state !== 'connected') return;
    presence.forget();
    running.attestation.republish();
    room.republish();
    layer1?.republish();
    boxes.republish();
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
    chain: room.chain,
    stop: () =>
      stopDevice(running, { store, rooms, door, boxes, display, room, layer1, timers: [timer, tpmTimer, keeping], presence, pairing }),
  };
}

/** Loaded where there is a chain to serve alone: what signs for one takes 20 MB. */
async function openLayer1(
  { stateFolder, log }: DeviceRequest,
  running: Running,
  { checkpoints }: ChainRoom,
): Promise<Layer1Room | undefined> {
  const { network, configuration } = running;
  if (!network.layer1) return undefined;
  const { openLayer1Room } = await import('./layer1-room.ts');
  const { spending } = configuration;
  return openLayer1Room({ ...running, stateFolder, log, checkpoints, ...(spending && { spending }) });
}

function openRooms(
  running: Running,
  parts: {
    stateFolder: string;
    control: BoxWatch;
    store: Store;
    blobs: BlobStore;
    publisher: Publisher;
    peers: PeerLines;
    room: ChainRoom;
    log: Log;
  },
): CapsuleRooms {
  const { configuration, network, crypto, identity } = running;
  return openCapsuleRooms({
    ...parts,
    network,
    crypto,
    device: configuration.name,
    node: identity.node,
    chain: parts.room.chain,
    showChain: parts.room.show,
    issuer: () => issuerOf(running),
    sign: (input: Uint8Array) => identity.sign(input),
    now: Date.now,
    random: (bytes: number) => new Uint8Array(randomBytes(bytes)),
    closeSecret: async (secret, endorsementKey, name) => identity.closeSecret(secret, endorsementKey, name),
    references: new ReferenceFiles(parts.stateFolder),
    boxLogs: new BlobStore(join(parts.stateFolder, 'box-logs')),
  });
}

/** Who comes is heard and attested, who goes is not any more; without a seat of its own a device judges nobody. */
function followMembers({ gossip, attestation, network, identity, members }: Running, now: readonly Member[], log: Log): void {
  members.now = now;
  log('membersChanged', { members: now.map(({ name }) => name).join() });
  gossip.setPeers(now);
  const isAmong = now.some(({ endorsementKey }) => sameBytes(nodeIdOf(endorsementKey), identity.node));
  if (isAmong) void attestation.changeNetwork({ ...network, members: [...now] });
}

function withMember(network: Network, member: Member): Network {
  return network.members.includes(member) ? network : { ...network, members: [...network.members, member] };
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
  parts: {
    store: Store;
    rooms: CapsuleRooms;
    door: BoxDoor;
    boxes: BoxControl;
    display: BoardDisplay | undefined;
    room: ChainRoom;
    layer1: Layer1Room | undefined;
    timers: readonly NodeJS.Timeout[];
    presence: Presence;
    pairing: PairingService;
  },
): Promise<void> {
  parts.timers.forEach((timer) => clearInterval(timer));
  parts.rooms.close();
  parts.door.close();
  await parts.pairing.stop();
  await parts.boxes.close();
  await parts.display?.close();
  parts.presence.leave();
  await parts.layer1?.stop();
  await parts.room.stop();
  await running.attestation.stop();
  await running.gossip.close();
  await running.own.close();
  await running.arrivals.stop();
  await running.broker.stop();
  await running.identity.close();
  parts.store.close();
}

/** The authorities of a device; also needed before there is a network, for its card. */
export function openDeviceAuthority(stateFolder: string, { name, hosts }: DeviceConfiguration): Authority {
  return openAuthority({ folder: join(stateFolder, 'authority'), device: name, hosts });
}

async function openBroker(
  request: DeviceRequest,
  parts: Pick<Running, 'configuration' | 'network' | 'authority' | 'ports' | 'arrivals'>,
): Promise<DeviceBroker> {
  const { configuration, network, authority, ports, arrivals } = parts;
  const names = new PairedNames(request.stateFolder);
  const options = {
    folder: join(request.stateFolder, 'broker'),
    network: networkLabel(network),
    device: configuration.name,
    authority,
    ports,
    ...addressOf(configuration),
    people: peopleOf(configuration),
    relayed: configuration.relay !== undefined,
    onEntry: (entry: Entry) => arrivals.entered(entry),
    onEvent: ({ event, ...fields }: BrokerEvent) => request.log(event, fields),
  };
  return startDeviceBroker(options, names.trust(peerAuthoritiesOf(network.members, configuration.name)));
}

function addressOf({ address }: DeviceConfiguration): { address?: string } {
  return address === undefined ? {} : { address };
}

/** The firmware's own connection; the broker says "offline" for a device that dies. */
function connectOwn(broker: DeviceBroker, network: Network, device: string, log: Log): Connection {
  const topic = topicOf(networkLabel(network), { to: 'status', device });
  const payload = encodeBulk(DeviceStatus, { status: 'offline', device });
  return connect({ socket: broker.socket }, { will: { topic, payload, retain: true }, onFault: faultsTo(log) });
}
