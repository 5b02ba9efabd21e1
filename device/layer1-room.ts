/**
 * Layer 1 in a device: the key that pays, a sender on each chain of the network file, and the duty of anchors over them. A chain that is away stops
 * nothing. Specification §4.5, §20.8, §20.9.
 */
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errorWords } from '#contracts/error-words.ts';
import { abi as anchorsAbi } from '#contracts/generated/anchors.ts';
import { planNodeDisputes } from '#contracts/node-disputes.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { networkId, type Layer1Chain, type Network } from '#protocol/network.ts';
import { openAnchors, type AnchorChain, type Anchors } from './anchors/host.ts';
import { ANCHOR_LIMITS } from './anchors/limits.ts';
import type { Checkpoints } from './chain/chain-port.ts';
import type { GossipNetwork } from './gossip.ts';
import type { Identity } from './identity/identity.ts';
import { StateFile } from './identity/state-file.ts';
import { Endpoints } from './layer1/endpoints.ts';
import { intentionsFile, LAYER1_FOLDER, payingKeyFile } from './layer1/files.ts';
import { LateSender } from './layer1/late-sender.ts';
import { areHere, LAYER1_LIMITS } from './layer1/limits.ts';
import { openPayingKey, PAYING_KEY_BYTES_MAX, type OpenedKey, type PayingKey } from './layer1/paying-key.ts';
import { senderTerms, type Spending } from './layer1/spending.ts';
import { genesisPosition } from './ledger/genesis.ts';
import type { Log } from './ports.ts';
import { keyHandles } from './tpm/keys.ts';

export interface Layer1RoomRequest {
  readonly stateFolder: string;
  readonly network: Network;
  readonly crypto: Crypto;
  readonly identity: Identity;
  readonly gossip: GossipNetwork;
  readonly checkpoints: Checkpoints;
  /** Absent: this device votes, and pays for nothing. */
  readonly spending?: Spending;
  readonly log: Log;
}

export interface Layer1Room {
  readonly anchors: Anchors;
  /** Says its votes again: the broker has lost what it retained. */
  republish(): void;
  stop(): Promise<void>;
}

/** @returns undefined where the network has no anchors, is on no chain, or what this device has signed can't be read */
export async function openLayer1Room(request: Layer1RoomRequest): Promise<Layer1Room | undefined> {
  const { stateFolder, network, crypto, identity, gossip, checkpoints, log } = request;
  const { layer1 = [], genesis } = network;
  if (layer1.length === 0 || genesis.anchorHeights === undefined) return undefined;
  mkdirSync(join(stateFolder, LAYER1_FOLDER), { recursive: true, mode: 0o700 });
  const key = request.spending && (await openKey(request));
  const ways = layer1.map((chain) => wayTo(request, chain, key));
  const isHere = layer1.every(({ endpoints }) => areHere(endpoints));
  const anchors = openAnchors({
    ...{ network, crypto, checkpoints, log, chip: identity, gossip: gossip.anchors(), chains: ways.map(({ chain }) => chain) },
    genesis: genesisPosition({ network, networkId: networkId(network), crypto }),
    file: join(stateFolder, LAYER1_FOLDER, 'anchors.sqlite'),
    now: Date.now,
    ...(isHere && { lookMs: LAYER1_LIMITS.lookHereMs, turnMs: ANCHOR_LIMITS.turnHereMs }),
  });
  const closeWays = async (): Promise<void> => {
    for (const { sender, chain } of ways) {
      await sender?.close();
      chain.endpoints.close();
    }
    key?.secret.fill(0);
  };
  if (!anchors) {
    await closeWays();
    return undefined;
  }
  for (const { sender } of ways) sender?.start();
  anchors.start();
  return {
    anchors,
    republish: () => anchors.republish(),
    stop: async () => {
      await anchors.close();
      await closeWays();
    },
  };
}

interface Way {
  readonly chain: AnchorChain;
  readonly sender?: LateSender;
}

function wayTo({ stateFolder, network, spending, log }: Layer1RoomRequest, chain: Layer1Chain, key: PayingKey | undefined): Way {
  const endpoints = new Endpoints(chain.chainId, chain.endpoints);
  const disputes = planNodeDisputes(networkId(network), chain.anchors).address;
  if (!key || !spending) return { chain: { chain, endpoints, disputes } };
  const sender = new LateSender({
    ...{ endpoints, key, log, urls: chain.endpoints, terms: senderTerms(spending), now: Date.now },
    file: intentionsFile(stateFolder, chain.chainId),
    wordsOfError: (data) => errorWords([anchorsAbi], data),
  });
  return { chain: { chain, endpoints, disputes, paying: { sender, address: key.address } }, sender };
}

/** Without it the device votes all the same. One that other software has sealed is kept beside a new one: that software may come back. */
async function openKey(request: Layer1RoomRequest): Promise<PayingKey | undefined> {
  const { stateFolder, log } = request;
  const path = payingKeyFile(stateFolder);
  try {
    let opened = await openKeyAt(request, path);
    if (opened.status === 'other-software') {
      const address = `0x${opened.address.toHex()}`;
      renameSync(path, join(dirname(path), `paying-key-${address}.cbor`));
      log('payingKeyKept', { address, why: 'other software has sealed it' });
      opened = await openKeyAt(request, path);
    }
    if (opened.status === 'other-software') throw new Error('just made, and does not open');
    log('payingKeyOpened', { address: `0x${opened.key.address.toHex()}`, how: opened.status });
    return opened.key;
  } catch (error) {
    log('payingKeyUnusable', { file: path, why: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

function openKeyAt({ identity }: Layer1RoomRequest, path: string): Promise<OpenedKey> {
  const file = new StateFile(path, PAYING_KEY_BYTES_MAX);
  return identity.ask((tpm) => openPayingKey(tpm, file, keyHandles.storageKey));
}
