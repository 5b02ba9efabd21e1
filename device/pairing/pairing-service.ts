/**
 * Pairing as the firmware runs it: it follows the folders in which `npm run pair` leaves invitations and removals, keeps
 * the pairing broker up while an invitation waits, and has the device's broker forget who was removed. Specification §5.6.
 */
import { watch } from 'node:fs';
import { join } from 'node:path';
import { networkLabel, encodeNetwork, type Member, type Network } from '#protocol/network.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { parseTopic, topicFilter, topicOf } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';
import type { Authority, PeerAuthority } from '../mqtt/authority.ts';
import type { Ports } from '../mqtt/broker-configuration.ts';
import type { Broker, BrokerEvent } from '../mqtt/broker.ts';
import { connect } from '../mqtt/connection.ts';
import { startPairingBroker, type DeviceBroker } from '../mqtt/device-broker.ts';
import type { Log } from '../ports.ts';
import { Invitations } from './invitations.ts';
import { PairedNames } from './paired-names.ts';
import { answerPairingRequest, type PairingDesk } from './pairing-desk.ts';

export interface PairingServiceOptions {
  /** The device's state folder. */
  readonly stateFolder: string;
  readonly network: Network;
  readonly device: string;
  /** Under which others reach the device. */
  readonly host: string;
  readonly ports: Ports;
  /** Address at which the pairing broker listens; absent means every interface. */
  readonly address?: string;
  readonly authority: Authority;
  readonly broker: DeviceBroker;
  /** The members as they are now: those of the chain. */
  readonly members: () => readonly Member[];
  readonly log: Log;
  /** A client was paired under this name, which may have been another's before. */
  readonly onClientPaired: (name: string) => void;
  /** The paired boxes, at the start and whenever they change. */
  readonly onBoxes: (boxes: readonly { readonly name: string; readonly signingKey: Uint8Array }[]) => void;
}

export interface PairingService {
  /** Has the broker trust anew, because members have come or gone. */
  trustMembers(): Promise<void>;
  stop(): Promise<void>;
}

/** Peers' authorities: those of all members but the device itself. */
export function peerAuthoritiesOf(members: readonly Member[], device: string): PeerAuthority[] {
  return members.filter(({ name }) => name !== device).map(({ name, peersAuthority }) => ({ name, root: peersAuthority }));
}

export async function startPairing(options: PairingServiceOptions): Promise<PairingService> {
  const names = new PairedNames(options.stateFolder);
  const invitations = new Invitations(options.stateFolder);
  const desk: PairingDesk = {
    names,
    invitations,
    authority: options.authority,
    urls: urlsOf(options),
    network: encodeNetwork(options.network),
  };
  const reception = new Reception(options, desk);
  const registry = new RegistryFollower(options, names);
  let turn = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const lookAgain = async (): Promise<void> => {
    if (stopped) return;
    const nextEndMs = invitations.dropExpired(Date.now());
    await reception.keep(nextEndMs === undefined ? 'closed' : 'open');
    await registry.follow();
    if (nextEndMs !== undefined) lookIn(Math.max(nextEndMs - Date.now(), MQTT_LIMITS.pairingSettleMs));
  };
  const lookIn = (waitMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void look(), waitMs);
  };
  const look = (): Promise<void> =>
    (turn = turn.then(lookAgain).catch((error: unknown) => options.log('pairingFailed', { detail: messageOf(error) })));

  const watchers = [invitations.folder, ...names.folders].map((folder) => watch(folder, () => lookIn(MQTT_LIMITS.pairingSettleMs)));
  await look();
  return {
    async trustMembers() {
      await (turn = turn
        .then(() => registry.trust())
        .catch((error: unknown) => options.log('pairingFailed', { detail: messageOf(error) })));
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
      await turn;
      await reception.keep('closed');
    },
  };
}

const EVENTS = { paired: 'paired', repeated: 'pairingRepeated', refused: 'pairingRefused' } as const;

/** The pairing broker and the device's connection to it. */
class Reception {
  readonly #options: PairingServiceOptions;
  readonly #desk: PairingDesk;
  #open: { broker: Broker; connection: Connection } | undefined;

  constructor(options: PairingServiceOptions, desk: PairingDesk) {
    this.#options = options;
    this.#desk = desk;
  }

  async keep(wanted: 'open' | 'closed'): Promise<void> {
    if (wanted === 'open' && !this.#open) this.#open = await this.#start();
    if (wanted === 'closed' && this.#open) {
      const { broker, connection } = this.#open;
      this.#open = undefined;
      await connection.close();
      await broker.stop();
      this.#options.log('pairingClosed');
    }
  }

  async #start(): Promise<{ broker: Broker; connection: Connection }> {
    const { stateFolder, network, device, log } = this.#options;
    const label = networkLabel(network);
    const onEvent = ({ event, ...fields }: BrokerEvent): void => log(event, { broker: 'pairing', ...fields });
    const broker = await startPairingBroker({ ...this.#options, folder: join(stateFolder, 'pairing-broker'), network: label, onEvent });
    const connection = connect({ socket: broker.socket });
    await connection.subscribe(topicFilter(label, device, 'pair', '+', 'request'), (message) => this.#hear(connection, message));
    log('pairingOpened', { port: this.#options.ports.pairing });
    return { broker, connection };
  }

  /** A disk that is full shall not end the firmware because a stranger asked. */
  #hear(connection: Connection, message: Incoming): void {
    try {
      this.#answer(connection, message);
    } catch (error) {
      this.#options.log('pairingFailed', { detail: messageOf(error) });
    }
  }

  #answer(connection: Connection, message: Incoming): void {
    const label = networkLabel(this.#options.network);
    const topic = parseTopic(label, message.topic);
    if (topic?.to !== 'pairing' || topic.kind !== 'request') return;
    const { answer, outcome } = answerPairingRequest(this.#desk, topic.invitation, message.payload, Date.now());
    const { outcome: event, ...fields } = outcome;
    this.#options.log(EVENTS[event], fields);
    if (outcome.outcome === 'paired' && outcome.kind === 'client') this.#options.onClientPaired(outcome.name);
    void connection.publish(topicOf(label, { ...topic, kind: 'response' }), answer, { expirySeconds: MQTT_LIMITS.pairingAnswerMs / 1_000 });
  }
}

/** Tells the broker and the rooms when names come and go. */
class RegistryFollower {
  readonly #options: PairingServiceOptions;
  readonly #names: PairedNames;
  #revoked: string;
  #boxes: string | undefined;

  constructor(options: PairingServiceOptions, names: PairedNames) {
    this.#options = options;
    this.#names = names;
    this.#revoked = this.#revokedNow();
  }

  async follow(): Promise<void> {
    const { log, onBoxes } = this.#options;
    const boxes = this.#names.boxes();
    const [before, now] = [this.#boxes, boxes.map(({ name, signingKey }) => `${name} ${signingKey.toHex()}`).join()];
    this.#boxes = now;
    if (now !== before) onBoxes(boxes);
    if (this.#revokedNow() === this.#revoked) return;
    this.#names.forgetExpired(Date.now());
    await this.trust();
    log('namesRevoked');
  }

  async trust(): Promise<void> {
    const { members, device, broker } = this.#options;
    await broker.trust(this.#names.trust(peerAuthoritiesOf(members(), device)));
    this.#revoked = this.#revokedNow();
  }

  #revokedNow(): string {
    const { revokedClients, revokedBoxes } = this.#names.trust([]);
    return [...revokedClients, ...revokedBoxes].map(({ serial }) => serial.toHex()).join();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function urlsOf({ host, ports }: PairingServiceOptions): { client: string; box: string } {
  return { client: brokerUrl(host, ports.clients), box: brokerUrl(host, ports.boxes) };
}

export function brokerUrl(host: string, port: number): string {
  return `mqtts://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
