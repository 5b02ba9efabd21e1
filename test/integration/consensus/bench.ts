/** Members of one network in this process, each with a software TPM, a broker and a chain store of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobDigest } from '#protocol/digest.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { judgeMemberCard } from '#protocol/enrolment.ts';
import { networkLabel, nodeIdOf, type Member, type Network } from '#protocol/network.ts';
import { Consensus } from '../../../device/chain/host.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { joinGossip, type GossipNetwork } from '../../../device/gossip.ts';
import { makeCard } from '../../../device/identity/card.ts';
import { openIdentity, type Identity } from '../../../device/identity/identity.ts';
import { openAuthority, type Authority } from '../../../device/mqtt/authority.ts';
import type { Ports } from '../../../device/mqtt/broker-configuration.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { startDeviceBroker, type DeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { peerAuthoritiesOf } from '../../../device/pairing/pairing-service.ts';
import { openChainStore, type ChainStore } from '../../../device/store/chain-store.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';

export const NAMES = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf'] as const;

const salt = blobDigest(Uint8Array.of(7)).slice(0, 16);
const measurements = {
  firmware: blobDigest(Uint8Array.of(2)),
  addon: blobDigest(Uint8Array.of(3)),
  board: blobDigest(Uint8Array.of(4)),
};

/** What a member is made of before there is a network. */
interface Board {
  readonly name: string;
  readonly folder: string;
  readonly tpm: SoftwareTpm;
  readonly identity: Identity;
  readonly authority: Authority;
  readonly ports: Ports;
}

export interface RunningMember {
  readonly broker: DeviceBroker;
  readonly own: Connection;
  readonly gossip: GossipNetwork;
  readonly store: ChainStore;
  readonly consensus: Consensus;
}

export class BenchMember {
  readonly board: Board;
  readonly lines: string[] = [];
  readonly failures: unknown[] = [];
  /** The broker knows the members as they are. */
  trusted: Promise<void> = Promise.resolve();
  #running: RunningMember | undefined;
  readonly #network: () => Network;

  constructor(board: Board, network: () => Network) {
    this.board = board;
    this.#network = network;
  }

  get name(): string {
    return this.board.name;
  }

  get running(): RunningMember {
    if (!this.#running) throw new Error(`${this.name} is not running`);
    return this.#running;
  }

  get chain(): Consensus {
    return this.running.consensus;
  }

  async start(): Promise<void> {
    const { folder, identity, authority, ports, name } = this.board;
    const network = this.#network();
    const label = networkLabel(network);
    const crypto = createNodeCrypto();
    const log = (event: string, fields: object = {}): void => void this.lines.push(`${event} ${JSON.stringify(fields)}`);
    const options = {
      folder: join(folder, 'broker'),
      network: label,
      device: name,
      authority,
      ports,
      address: '127.0.0.1',
      onEvent: () => undefined,
    };
    const peerAuthorities = peerAuthoritiesOf(network.members, name);
    const broker = await startDeviceBroker(options, { peerAuthorities, revokedClients: [], revokedBoxes: [] });
    const own = connect({ socket: broker.socket });
    await own.connected(5_000);
    const gossip = joinGossip({ own, network: label, device: name, authority, log }, network.members);
    const store = openChainStore(join(folder, 'chain.sqlite'), log);
    const onFailure = (error: unknown): void => void this.failures.push(error);
    const onMembers = (members: readonly Member[]): void => {
      gossip.setPeers(members);
      this.trusted = broker.trust({ peerAuthorities: peerAuthoritiesOf(members, name), revokedClients: [], revokedBoxes: [] });
    };
    const consensus = new Consensus({
      network,
      crypto,
      chip: identity,
      store,
      gossip,
      log,
      onMembers,
      onFailure,
    });
    this.#running = { broker, own, gossip, store, consensus };
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    await running.consensus.stop();
    await running.gossip.close();
    await running.own.close();
    await running.broker.stop();
    running.store.close();
  }
}

export interface ConsensusBench {
  readonly folder: string;
  readonly network: Network;
  readonly members: readonly BenchMember[];
  /** One more board, and the encoded card with which it applies; it is stopped with the bench. */
  makeNewcomer(name: string): Promise<{ readonly member: BenchMember; readonly card: Uint8Array }>;
  stop(): Promise<void>;
}

/** Founds a network of so many members; none is started. */
export async function foundBench(
  count: number,
  consensus: Partial<Network['genesis']['consensus']> = {},
  genesis: Partial<Network['genesis']> = {},
): Promise<ConsensusBench> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-consensus-'));
  const boards: Board[] = [];
  for (const name of NAMES.slice(0, count)) boards.push(await makeBoard(folder, name));
  const authorities = boards[0]?.tpm.caCertificates ?? [];
  const endorsementAuthorities = authorities.map((certificate) => ({ certificate, softwareTpm: true }));
  const cards = await Promise.all(boards.map(async (board) => requireMember(board, await cardOf(board), endorsementAuthorities)));
  const network: Network = {
    genesis: {
      version: 1,
      name: 'bench',
      salt,
      members: cards.map(({ endorsementKey }) => nodeIdOf(endorsementKey)),
      endorsementAuthorities,
      credentialsMin: 2,
      consensus: { targetIntervalMs: 500, minimumWaitMs: 50, epochHeights: 1_000, ...consensus },
      ...genesis,
    },
    members: cards,
    references: [
      { kind: 'firmware', digest: measurements.firmware, label: 'test firmware' },
      { kind: 'addon', digest: measurements.addon, label: 'test addon' },
      { kind: 'board', digest: measurements.board, label: 'test board' },
    ],
  };
  const members = boards.map((board) => new BenchMember(board, () => network));
  const makeNewcomer: ConsensusBench['makeNewcomer'] = async (name) => {
    const board = await makeBoard(folder, name);
    boards.push(board);
    members.push(new BenchMember(board, () => network));
    return { member: members.at(-1) as BenchMember, card: await cardOf(board) };
  };
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()));
    for (const { identity, tpm } of boards) {
      await identity.close().catch(() => undefined);
      await tpm.kill();
    }
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, network, members, makeNewcomer, stop };
}

async function makeBoard(folder: string, name: string): Promise<Board> {
  const own = join(folder, name);
  const tpm = await startSoftwareTpm({ folder: join(own, 'tpm'), authorityFolder: join(folder, 'authority') });
  const identity = await openIdentity({ tcti: tpm.tcti, folder: join(own, 'state'), measurements, crypto: createNodeCrypto() });
  const authority = openAuthority({ folder: join(own, 'authority'), device: name, hosts: [] });
  return { name, folder: own, tpm, identity, authority, ports: await claimPorts(join(own, 'ports.json')) };
}

async function cardOf({ name, identity, authority, ports }: Board): Promise<Uint8Array> {
  const peersUrl = `mqtts://127.0.0.1:${ports.peers}`;
  const peersAuthority = authority.root('device');
  return makeCard(identity, { salt, name, peersUrl, peersAuthority, endorsementIntermediates: [], crypto: createNodeCrypto() });
}

function requireMember({ name }: Board, card: Uint8Array, authorities: Network['genesis']['endorsementAuthorities']): Member {
  const verdict = judgeMemberCard(card, { salt, authorities, crypto: createNodeCrypto(), atMs: Date.now() });
  if (verdict.status === 'refused') throw new Error(`the card of ${name} is refused: ${verdict.reason}, ${verdict.detail}`);
  return verdict.member;
}

/** Waits until something holds of the members. */
export async function until(condition: () => boolean, what: string, waitMs = 20_000): Promise<void> {
  const giveUpAt = performance.now() + waitMs;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
