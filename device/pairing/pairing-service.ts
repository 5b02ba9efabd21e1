/**
 * Pairing as the firmware runs it: it follows the folders in which `npm run pair` leaves wishes and removals, keeps the pairing
 * broker up while a window is open, and has the device's broker forget who was removed. Specification §5.6.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, watch } from 'node:fs';
import { LIMITS } from '#protocol/limits.ts';
import { encodeNetwork, networkId, type Member, type Network } from '#protocol/network.ts';
import { MQTT_LIMITS } from '../limits.ts';
import type { Authority, PeerAuthority } from '../mqtt/authority.ts';
import type { Ports } from '../mqtt/broker-configuration.ts';
import type { DeviceBroker } from '../mqtt/device-broker.ts';
import type { Log } from '../ports.ts';
import { AttemptCounter, type AskTpm } from './attempt-counter.ts';
import { PairedNames } from './paired-names.ts';
import { Reception } from './reception.ts';
import type { TalkPlace } from './verifier-talk.ts';
import { WindowFolder } from './window-folder.ts';
import { WindowKeeper } from './window-keeper.ts';

export interface PairingServiceOptions {
  /** The device's state folder. */
  readonly stateFolder: string;
  readonly network: Network;
  readonly device: string;
  /** Its node id. */
  readonly node: Uint8Array;
  /** Where attempts are counted. */
  readonly askTpm: AskTpm;
  /** Of a small display: code and address of the window that was opened last, as long as it is open; then nothing. */
  readonly show?: (lines: readonly string[]) => void;
  /** How long a window is open; by default `LIMITS.pairingWindowMs`. */
  readonly windowMs?: number;
  /** Under which others reach the device. */
  readonly host: string;
  readonly ports: Ports;
  /** Address at which the pairing broker listens; absent means every interface. */
  readonly address?: string;
  /** Whether boxes come through another broker as well (§5.7). */
  readonly relayed?: boolean;
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
  const folder = new WindowFolder(options.stateFolder);
  const keeper = await openKeeper(options, folder);
  const reception = new Reception(options, placeOf(options, names, keeper));
  const registry = new RegistryFollower(options, names);
  let turn = Promise.resolve();
  // Apart, so that what changes while one looks is looked at, whatever ends next.
  const timers: { change?: NodeJS.Timeout; end?: NodeJS.Timeout } = {};
  let stopped = false;

  const lookAgain = async (): Promise<void> => {
    if (stopped) return;
    const nextEndMs = await keeper.look();
    await reception.keep(nextEndMs === undefined ? 'closed' : 'open');
    await registry.follow();
    if (nextEndMs !== undefined) lookIn('end', Math.max(nextEndMs - Date.now(), MQTT_LIMITS.pairingSettleMs));
  };
  const lookIn = (why: 'change' | 'end', waitMs: number): void => {
    clearTimeout(timers[why]);
    timers[why] = setTimeout(() => void look(), waitMs);
  };
  const look = (): Promise<void> =>
    (turn = turn.then(lookAgain).catch((error: unknown) => options.log('pairingFailed', { detail: messageOf(error) })));

  const watchers = [folder.path, ...names.folders].map((path) => watch(path, () => lookIn('change', MQTT_LIMITS.pairingSettleMs)));
  await look();
  return {
    async trustMembers() {
      await (turn = turn
        .then(() => registry.trust())
        .catch((error: unknown) => options.log('pairingFailed', { detail: messageOf(error) })));
    },
    async stop() {
      stopped = true;
      clearTimeout(timers.change);
      clearTimeout(timers.end);
      for (const watcher of watchers) watcher.close();
      await turn;
      await reception.keep('closed');
    },
  };
}

async function openKeeper(options: PairingServiceOptions, folder: WindowFolder): Promise<WindowKeeper> {
  const { node, host, ports, log, show = () => undefined, askTpm, windowMs = LIMITS.pairingWindowMs } = options;
  const counter = await AttemptCounter.open(askTpm);
  const url = brokerUrl(host, ports.pairing);
  return new WindowKeeper({ folder, counter, node, url, log, show, windowMs, now: Date.now });
}

function placeOf(options: PairingServiceOptions, names: PairedNames, keeper: WindowKeeper): TalkPlace {
  const { authority, network, device, node, log, onClientPaired } = options;
  return {
    keeper,
    desk: { names, authority, urls: urlsOf(options), network: encodeNetwork(network) },
    network: networkId(network),
    device,
    node,
    certificate: new Uint8Array(new X509Certificate(readFileSync(authority.server.certificateFile)).raw),
    now: Date.now,
    onOutcome: (outcome) => {
      if (outcome.outcome === 'refused') return log('pairingRefused', { kind: outcome.kind, name: outcome.name, reason: outcome.reason });
      const { kind, name, how, certificate } = outcome;
      log('paired', { kind, name, how, certificate: certificate.toHex() });
      if (kind === 'client' && how !== 'again') onClientPaired(name);
    },
  };
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
