/** Four members with software TPMs, a chain with their contracts, and checkpoints and a clock that a test holds. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { addressOfKey } from '#contracts/evm.ts';
import { blobDigest, hex, uint64 } from '#protocol/digest.ts';
import { NO_ANCHOR, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import { anchoredState } from '#protocol/layer1/anchored-state.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { Anchors } from '../../../device/anchors/host.ts';
import type { AnchorGossip } from '../../../device/anchors/ports.ts';
import type { CertifiedCheckpoint, Checkpoints } from '../../../device/chain/chain-port.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import type { Identity } from '../../../device/identity/identity.ts';
import { readAnchors, type AnchorsContract } from '../../../device/layer1/anchors-contract.ts';
import type { Endpoints } from '../../../device/layer1/endpoints.ts';
import type { Sender } from '../../../device/layer1/sender-host.ts';
import { genesisPosition } from '../../../device/ledger/genesis.ts';
import type { Position } from '../../../device/ledger/position.ts';
import { foundBench, type ConsensusBench } from '../consensus/bench.ts';
import { deploy, endpointsFor, folderFor, senderFor, termsOf, type Chain, type Told } from './chains.ts';

export const ANCHOR_HEIGHTS = 8;
export const TURN_MS = 60_000;
/** Of the first chain. */
const CHAIN_ID = 31_337;

export function foundingOf(network: Network): Position {
  return genesisPosition({ network, networkId: networkId(network), crypto: createNodeCrypto() });
}

/** Deployed for the founders of this network. @returns the addresses of Anchors and NodeDisputes */
export async function contractsFor(
  context: TestContext,
  chain: Chain,
  network: Network,
  chainId = CHAIN_ID,
): Promise<{ readonly anchors: Uint8Array; readonly disputes: Uint8Array }> {
  const genesis = foundingOf(network);
  const { moment } = anchoredState(network, 0, { ...genesis, number: 0 });
  const terms = termsOf(networkId(network));
  const counts = { height: 0n, epoch: 0n, checkpoint: 0n, timeMs: 0n, members: BigInt(moment.members), seats: BigInt(moment.seats) };
  const founders = { ...moment, ...counts, previous: NO_ANCHOR };
  const endpoints = endpointsFor(context, [chain.url], chainId);
  const { sender } = senderFor(context, { endpoints, file: join(folderFor(context), 'deployer'), secret: chain.key });
  const contracts = await deploy(sender, chain, { ...terms, founders });
  const addressOf = (name: string): Uint8Array => contracts.get(name)?.address ?? new Uint8Array();
  return { anchors: addressOf('anchors'), disputes: addressOf('node-disputes') };
}

/** A member's host of anchors, with a key that pays. */
export interface AnchoringMember {
  readonly name: string;
  readonly identity: Identity;
  readonly anchors: Anchors;
  /** Address of its paying key. */
  readonly payer: Uint8Array;
  readonly sender: Sender;
  /** On the other chains. */
  readonly elsewhere: readonly Sender[];
  readonly told: readonly Told[];
  readonly lines: readonly string[];
  /** Anchors that its chip was asked to sign. */
  readonly signed: string[];
}

/** A further chain of the same network. */
export interface OtherChain {
  readonly chain: Chain;
  readonly chainId: number;
}

interface View {
  readonly tip: number;
  readonly lastFinal: number;
  readonly anchor: string;
}

export interface World {
  readonly network: Network;
  readonly place: AnchorPlace;
  readonly disputes: Uint8Array;
  readonly endpoints: Endpoints;
  chain: Chain;
  readonly members: readonly AnchoringMember[];
  /** All take a checkpoint at this height, the one before at the last. */
  certify(height: number): Promise<void>;
  /** Their clock goes on, for their turns; not that of the chain. */
  wait(ms: number): void;
  /** Each looks at the contract and at its transactions, a block comes, and so a few times. */
  look(members?: readonly AnchoringMember[]): Promise<void>;
  /** Seconds of the chain go by. */
  pass(seconds: number): Promise<void>;
  readonly view: () => Promise<View>;
  /** Of the other chains, in their order. */
  readonly otherViews: readonly (() => Promise<View>)[];
  /** Ends a member's host and begins it anew on the same disk, with the same sender. */
  restart(index: number): Promise<AnchoringMember>;
  say(from: string, payload: Uint8Array): void;
}

/** What members say goes to the others at once, and is there for whoever listens later. */
class Air {
  readonly #listeners = new Map<string, (peer: string, payload: Uint8Array) => void>();
  readonly #retained = new Map<string, Uint8Array>();

  of(name: string): AnchorGossip {
    return {
      say: (payload) => this.say(name, payload),
      onHeard: (handler) => {
        this.#listeners.set(name, handler);
        for (const [peer, payload] of this.#retained) if (peer !== name) handler(peer, payload);
      },
    };
  }

  say(from: string, payload: Uint8Array): void {
    this.#retained.set(from, payload);
    for (const [name, listener] of this.#listeners) if (name !== from) listener(from, payload);
  }
}

let bench: Promise<ConsensusBench> | undefined;

/** One network for all tests of a file: founding it takes seconds. */
export function foundOnce(): Promise<ConsensusBench> {
  bench ??= foundBench(4, {}, { anchorHeights: ANCHOR_HEIGHTS });
  return bench;
}

export async function stopBench(): Promise<void> {
  await (await bench)?.stop();
}

/** @param more endpoints of the chain that members ask beside it; what the world sees is not by them */
export async function worldFor(
  context: TestContext,
  chain: Chain,
  others: readonly OtherChain[] = [],
  more: readonly string[] = [],
): Promise<World> {
  const { network, members: boards } = await foundOnce();
  const genesis = foundingOf(network);
  const { anchors: address, disputes } = await contractsFor(context, chain, network);
  const place = { network: networkId(network), chainId: CHAIN_ID, anchors: address };
  const endpoints = endpointsFor(context, [chain.url, ...more]);
  const seeing = endpointsFor(context, [chain.url]);
  const ways = await Promise.all(
    others.map(async (other) => {
      const contracts = await contractsFor(context, other.chain, network, other.chainId);
      return { ...other, address: contracts.anchors, endpoints: endpointsFor(context, [other.chain.url], other.chainId) };
    }),
  );
  const air = new Air();
  const folder = folderFor(context);
  const listeners = new Set<(checkpoint: CertifiedCheckpoint) => void>();
  let last: CertifiedCheckpoint = { ...genesis, number: 0, aboveHeight: undefined };
  let nowMs = 1_800_000_000_000;

  const begin = (index: number, kept?: AnchoringMember): AnchoringMember => {
    const board = boards[index];
    if (!board) throw new Error(`no member ${index}`);
    const { name, identity } = board.board;
    const secret = blobDigest(new TextEncoder().encode(`paying key of ${name}`));
    const payer = addressOfKey(secret);
    const { sender, told } = kept ?? senderFor(context, { endpoints, file: join(folder, `${name}.sender`), secret });
    const elsewhere = ways.map((way) => {
      const file = join(folder, `${name}.${way.chainId}.sender`);
      return { ...way, sender: senderFor(context, { endpoints: way.endpoints, file, secret }).sender };
    });
    const lines: string[] = [];
    const signed: string[] = [];
    const chip = {
      node: identity.node,
      certifyTime: (qualifier: Uint8Array) => {
        signed.push(hex(qualifier));
        return identity.certifyTime(qualifier);
      },
    };
    const checkpoints: Checkpoints = {
      onCheckpoint: (handler) => {
        listeners.add(handler);
        handler(last);
      },
    };
    const anchors = new Anchors({
      network,
      crypto: createNodeCrypto(),
      chip,
      checkpoints,
      genesis,
      gossip: air.of(name),
      chains: [
        { chain: { chainId: CHAIN_ID, anchors: address, endpoints: [chain.url] }, endpoints, paying: { sender, address: payer }, disputes },
        ...elsewhere.map((way) => ({
          chain: { chainId: way.chainId, anchors: way.address, endpoints: [way.chain.url] },
          endpoints: way.endpoints,
          paying: { sender: way.sender, address: payer },
        })),
      ],
      file: join(folder, `${name}.anchors`),
      now: () => nowMs,
      log: (event, fields = {}) => void lines.push(`${event} ${JSON.stringify(fields)}`),
      turnMs: TURN_MS,
    });
    context.after(() => anchors.close());
    return { name, identity, anchors, payer, sender, elsewhere: elsewhere.map((way) => way.sender), told, lines, signed };
  };

  const members = boards.slice(0, 4).map((_, index) => begin(index));
  for (const { payer } of members)
    for (const one of [chain, ...others.map((other) => other.chain)])
      await one.rpc('anvil_setBalance', `0x${hex(payer)}`, `0x${(10n ** 18n).toString(16)}`);
  const world: World = {
    ...{ network, place, disputes, endpoints, chain, members },
    certify: async (height) => {
      const aboveHeight = last.height;
      last = { ...genesis, id: blobDigest(uint64(height)), height, timeMs: height * 1_000, number: last.number + 1, aboveHeight };
      const before = members.map(({ signed }) => signed.length);
      for (const listener of listeners) listener(last);
      const epochs = Math.floor(height / ANCHOR_HEIGHTS) - Math.floor(aboveHeight / ANCHOR_HEIGHTS);
      for (let waited = 0; waited < 400 && epochs > 0; waited += 1) {
        if (
          members.every(
            ({ lines }, index) =>
              lines.filter((line) => line.startsWith('anchorVoted')).length >= (before[index] ?? 0) + epochs * (1 + others.length),
          )
        )
          return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    wait: (ms) => void (nowMs += ms),
    look: async (who = members) => {
      for (let times = 0; times < 3; times += 1) {
        for (const member of who) await member.anchors.look();
        await Promise.all(who.flatMap(({ sender, elsewhere }) => [sender, ...elsewhere].map((one) => one.look())));
        for (const one of [world.chain, ...others.map((other) => other.chain)]) await one.rpc('evm_mine').catch(() => undefined);
        await Promise.all(who.flatMap(({ sender, elsewhere }) => [sender, ...elsewhere].map((one) => one.look())));
      }
    },
    pass: async (seconds) => {
      await world.chain.rpc('evm_increaseTime', `0x${seconds.toString(16)}`);
      await world.chain.rpc('evm_mine');
    },
    view: () => viewOf({ endpoints: seeing, address }),
    otherViews: ways.map((way) => () => viewOf(way)),
    restart: async (index) => {
      const member = members[index];
      await member?.anchors.close();
      const begun = begin(index, member);
      members[index] = begun;
      return begun;
    },
    say: (from, payload) => air.say(from, payload),
  };
  return world;
}

async function viewOf({ endpoints, address }: AnchorsContract): Promise<View> {
  const head = await endpoints.head();
  if (head.status !== 'agreed') throw new Error('the chain is away');
  const read = await readAnchors({ endpoints, address }, head.value.number, undefined);
  if (read.status !== 'read') throw new Error(read.status);
  return { tip: read.view.tip.epoch, lastFinal: read.view.lastFinal, anchor: hex(read.view.tip.anchor) };
}
