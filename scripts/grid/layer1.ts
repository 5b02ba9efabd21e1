/** Layer 1 of a grid: chains on this machine with the network's contracts, and coin for the devices that post there. Specification §4.5, §20. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { errorWords } from '#contracts/error-words.ts';
import { addressOfKey } from '#contracts/evm.ts';
import { abi as anchorsAbi } from '#contracts/generated/anchors.ts';
import type { Layer1Chain, Network } from '#protocol/network.ts';
import { Endpoints } from '../../device/layer1/endpoints.ts';
import { payingKeyFile } from '../../device/layer1/files.ts';
import { payingAddressIn } from '../../device/layer1/paying-key.ts';
import { Sender } from '../../device/layer1/sender-host.ts';
import { ANVIL_KEY, lackOfAnvil } from '../layer1/anvil.ts';
import { addressOfAnchors, deployContracts, hasCode } from '../layer1/deploy.ts';
import { keepChain, type KeptChain } from '../layer1/kept-chain.ts';
import { BENCH, termsFor } from '../layer1/terms.ts';
import { GRID_DEVICES, type GridLayout } from './layout.ts';

export interface GridChain {
  readonly chainId: number;
  /** Of the EVM, in anvil's words. */
  readonly hardfork: string;
  /** Where the network file says that the chain is, given where it listens; by default there. */
  readonly endpointOf?: (url: string) => Promise<string>;
}

/** The one of `npm start`. */
export const GRID_CHAIN: GridChain = { chainId: 31_337, hardfork: 'osaka' };

/** What a device has when the grid starts, in wei: ten days of what it may spend (`GRID_SPENDING`). */
const COIN = 50n * 10n ** 18n;
const DEPLOY_LOOK_MS = 100;
const GWEI = 10n ** 9n;

export interface GridLayer1 {
  /** It names the chains. */
  readonly network: Network;
  readonly chains: readonly KeptChain[];
  /** The contracts are there, and stored. */
  readonly deployed: Promise<void>;
  /** @returns how many of the devices have a key, and coin on each chain */
  fund(devices: readonly string[]): Promise<number>;
  stop(): Promise<void>;
}

export interface GridLayer1Request {
  readonly chains: readonly GridChain[];
  readonly onEnd: (name: string, how: string) => void;
  readonly onNotice: (words: string) => void;
}

/** Why a grid has no layer 1, if so: anchors are posted from the first epoch on, and devices without a chain keep none. */
export function lackOfLayer1(layout: GridLayout, { genesis, layer1 = [] }: Network): string | undefined {
  const elsewhere = 'another folder (--state DIR) gets a network with it';
  if (genesis.anchorHeights === undefined) return `this network was founded without it; ${elsewhere}`;
  const hasRun = GRID_DEVICES.some((device) => existsSync(join(layout.device(device), 'chain.sqlite')));
  if (layer1.length === 0 && hasRun)
    return `this network has run without it, and its first anchors are not to be had any more; ${elsewhere}`;
  return lackOfAnvil();
}

/** @throws Error in a sentence; what was started is stopped then */
export async function openGridLayer1(layout: GridLayout, network: Network, request: GridLayer1Request): Promise<GridLayer1> {
  const chains: KeptChain[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(chains.splice(0).map((chain) => chain.stop()));
  };
  try {
    for (const chain of request.chains) chains.push(await openChain(layout, network, chain, request));
    const named = await Promise.all(chains.map((chain, index) => entryOf(network, chain, request.chains[index]?.endpointOf)));
    const lacking = chains.filter((_, index) => !named[index]?.isThere);
    const deployed = Promise.all(lacking.map((chain) => deploy(network, chain))).then(() => undefined);
    deployed.catch(() => undefined); // whoever waits for it is told
    const entries = named.map(({ entry }) => entry);
    const others = (network.layer1 ?? []).filter(({ chainId }) => entries.every((entry) => entry.chainId !== chainId));
    const kept = [...chains];
    return {
      network: { ...network, layer1: [...entries, ...others] },
      chains: kept,
      deployed,
      fund: (devices) => fund(layout, kept, devices),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function openChain(
  layout: GridLayout,
  { layer1 = [] }: Network,
  { chainId, hardfork }: GridChain,
  { onEnd, onNotice }: GridLayer1Request,
): Promise<KeptChain> {
  const [endpoint] = layer1.find((entry) => entry.chainId === chainId)?.endpoints ?? [];
  const name = `chain-${chainId}`;
  return keepChain({
    ...{ chainId, hardfork, onEnd, onNotice, folder: layout.layer1 },
    logFile: join(layout.logs, `${name}.log`),
    processIdFile: layout.processId(name),
    ...(endpoint !== undefined && { portBefore: Number(new URL(endpoint).port) }),
  });
}

/** What the network file says of the chain, as long as the contracts are there: terms of today may be others than those of the founding. */
async function entryOf(
  network: Network,
  { chainId, url }: KeptChain,
  endpointOf: GridChain['endpointOf'],
): Promise<{ readonly entry: Layer1Chain; readonly isThere: boolean }> {
  const before = network.layer1?.find((entry) => entry.chainId === chainId);
  const isThere = before !== undefined && (await withEndpoints(chainId, url, (endpoints) => hasCode(endpoints, before.anchors)));
  const anchors = isThere ? before.anchors : addressOfAnchors(termsOf(network));
  return { entry: { chainId, anchors, endpoints: [(await endpointOf?.(url)) ?? url] }, isThere };
}

function termsOf(network: Network): ReturnType<typeof termsFor> {
  const somebody = addressOfKey(ANVIL_KEY);
  return termsFor(network, { owner: somebody, guardian: somebody }, BENCH);
}

/** Blocks are made as fast as they are needed meanwhile. */
async function deploy(network: Network, chain: KeptChain): Promise<void> {
  await withEndpoints(chain.chainId, chain.url, async (endpoints) => {
    const sender = new Sender({
      ...{ endpoints, finality: 'tag', file: ':memory:', now: Date.now, log: () => undefined },
      key: { address: addressOfKey(ANVIL_KEY), secret: ANVIL_KEY },
      terms: { feeCap: 100n * GWEI, dayBudget: COIN },
      wordsOfError: (data) => errorWords([anchorsAbi], data),
    });
    const mining = setInterval(() => void chain.mine().catch(() => undefined), DEPLOY_LOOK_MS);
    try {
      await deployContracts({ endpoints, sender, terms: termsOf(network), say: () => undefined, lookMs: DEPLOY_LOOK_MS });
      await chain.save();
    } finally {
      clearInterval(mining);
      await sender.close();
    }
  });
}

async function fund(layout: GridLayout, chains: readonly KeptChain[], devices: readonly string[]): Promise<number> {
  const addresses = devices.flatMap((device) => payingAddressIn(payingKeyFile(layout.device(device))) ?? []);
  for (const chain of chains) {
    for (const address of addresses) await chain.fund(address, COIN);
    await chain.save();
  }
  return addresses.length;
}

async function withEndpoints<T>(chainId: number, url: string, work: (endpoints: Endpoints) => Promise<T>): Promise<T> {
  const endpoints = new Endpoints(chainId, [url]);
  try {
    return await work(endpoints);
  } finally {
    endpoints.close();
  }
}
