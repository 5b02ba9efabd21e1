/** How far a network's anchors are on a chain, and what its devices have to pay with there. Specification §20.3, §20.8. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Layer1Chain } from '#protocol/network.ts';
import { readAnchors } from '../../device/layer1/anchors-contract.ts';
import { readQuantity } from '../../device/layer1/answers.ts';
import { describeComparison } from '../../device/layer1/comparison.ts';
import { Endpoints, quantity, valueOf } from '../../device/layer1/endpoints.ts';
import { intentionsFile, payingKeyFile } from '../../device/layer1/files.ts';
import { isEnded, type Sending } from '../../device/layer1/intention.ts';
import { IntentionStore } from '../../device/layer1/intention-store.ts';
import { payingAddressIn } from '../../device/layer1/paying-key.ts';
import { spentOn } from '../../device/layer1/sender.ts';

export type AnchorsStatus =
  | { readonly status: 'read'; readonly block: number; readonly posted: number; readonly final: number; readonly bond: bigint }
  | { readonly status: 'unread'; readonly why: string };

export async function anchorsStatus({ chainId, anchors, endpoints: urls }: Layer1Chain): Promise<AnchorsStatus> {
  return withEndpoints(chainId, urls, async (endpoints) => {
    const head = await endpoints.head();
    if (head.status !== 'agreed') return { status: 'unread', why: describeComparison(head) };
    const read = await readAnchors({ endpoints, address: anchors }, head.value.number, undefined);
    if (read.status === 'no-contract') return { status: 'unread', why: `there is no contract Anchors at 0x${anchors.toHex()}` };
    if (read.status === 'unread') return { status: 'unread', why: describeComparison(read.why) };
    const { tip, lastFinal, bond } = read.view;
    return { status: 'read', block: head.value.number, posted: tip.epoch, final: lastFinal, bond };
  });
}

/** One device's means on a chain. */
export interface Payer {
  readonly device: string;
  readonly address: Uint8Array;
  /** In wei; absent where the chain doesn't say. */
  readonly balance: bigint | undefined;
  /** In wei, today (UTC). */
  readonly spent: bigint;
  /** What it has not ended yet, the oldest first. */
  readonly open: readonly Sending[];
}

/** Of the devices whose state folders lie in `folder`, those that have a key. */
export async function payersOn({ chainId, endpoints: urls }: Layer1Chain, folder: string, nowMs: number): Promise<Payer[]> {
  const devices = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return withEndpoints(chainId, urls, (endpoints) =>
    Promise.all(devices.map((device) => payerIn(endpoints, device, nowMs))).then((found) => found.flatMap((payer) => payer ?? [])),
  );
}

async function payerIn(endpoints: Endpoints, device: string, nowMs: number): Promise<Payer | undefined> {
  const address = payingAddressIn(payingKeyFile(device));
  if (!address) return undefined;
  const params = [`0x${address.toHex()}`, 'latest'] as const;
  const balance = await endpoints.ask({ method: 'eth_getBalance', params, read: valueOf(readQuantity), words: quantity });
  const sendings = sendingsIn(intentionsFile(device, endpoints.chainId));
  return {
    ...{ device: basename(device), address, spent: spentOn(sendings, nowMs), open: sendings.filter((sending) => !isEnded(sending)) },
    balance: balance.status === 'agreed' ? balance.value : undefined,
  };
}

function sendingsIn(file: string): Sending[] {
  if (!existsSync(file)) return [];
  const store = new IntentionStore(file);
  try {
    return store.load();
  } finally {
    store.close();
  }
}

async function withEndpoints<T>(chainId: number, urls: readonly string[], work: (endpoints: Endpoints) => Promise<T>): Promise<T> {
  const endpoints = new Endpoints(chainId, urls);
  try {
    return await work(endpoints);
  } finally {
    endpoints.close();
  }
}
