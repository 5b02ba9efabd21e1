/**
 * A network's anchors for whoever knows endpoints and the address of a contract, and nothing else: which anchor to begin from, and what a device
 * shows of it. Only the contract is believed. Specification §20.10.
 */
import type { Genesis } from '#protocol/network.ts';
import { decodeStrict } from '#protocol/codec.ts';
import type { BareBlock } from '#protocol/chain/shown-checkpoint.ts';
import { AnchoredSeats, encodeAnchorFile } from '#protocol/layer1/anchor-file.ts';
import type { AnchorHeader } from '#protocol/layer1/anchor.ts';
import { LIMITS } from '#protocol/limits.ts';
import { readCount } from '../../device/layer1/answers.ts';
import { AnchorNotRead, AnchorsReader, type FinalAnchor } from '../../device/layer1/anchors-reader.ts';
import { Endpoints, valueOf } from '../../device/layer1/endpoints.ts';
import { JsonRpc } from '../../device/layer1/json-rpc.ts';
import type { Client } from './client.ts';
import { ClientFailure } from './failure.ts';

export interface ContractChoice {
  /** Compared. */
  readonly endpoints: readonly string[];
  /** EIP-155; absent: the one that all of them serve. */
  readonly chainId?: number;
  /** Address of the contract Anchors, 20 bytes. */
  readonly contract: Uint8Array;
}

/** An anchor that is final, with the header under its digest. */
export interface KnownAnchor extends FinalAnchor {
  readonly header: AnchorHeader;
}

/** @throws ClientFailure `layer1-not-read`, with who said what */
export async function withAnchors<T>(
  { endpoints: urls, contract, chainId }: ContractChoice,
  use: (reader: AnchorsReader) => Promise<T>,
): Promise<T> {
  const endpoints = new Endpoints(chainId ?? (await chainIdOf(urls)), urls);
  try {
    return await use(await AnchorsReader.open(endpoints, contract));
  } catch (error) {
    if (error instanceof AnchorNotRead) throw new ClientFailure('layer1-not-read', error.message, { cause: error });
    throw error;
  } finally {
    endpoints.close();
  }
}

/** On which those that answer agree: else one that serves a chain of its own would push the others aside. */
async function chainIdOf(urls: readonly string[]): Promise<number> {
  const said = await Promise.all(urls.map(chainServedBy));
  const heard = said.flatMap(({ chainId }) => chainId ?? []);
  const [chainId] = heard;
  const words = said.map(({ host, chainId: one }) => `${host} ${one === undefined ? 'does not say' : `says ${one}`}`).join(', ');
  if (chainId === undefined) throw new ClientFailure('layer1-not-read', `no endpoint says which chain it serves: ${words}`);
  if (heard.every((one) => one === chainId)) return chainId;
  throw new ClientFailure('layer1-not-read', `the endpoints serve different chains: ${words}; --chain says which one is meant`);
}

async function chainServedBy(url: string): Promise<{ readonly host: string; readonly chainId: number | undefined }> {
  const rpc = new JsonRpc(url);
  const chainId = valueOf(readCount)(await rpc.ask('eth_chainId', []));
  rpc.close();
  return { host: new URL(url).host, chainId };
}

export async function lastAnchor(reader: AnchorsReader): Promise<KnownAnchor> {
  return anchorAt(reader, reader.lastFinal);
}

export async function anchorAt(reader: AnchorsReader, epoch: number): Promise<KnownAnchor> {
  const anchor = await reader.anchorOf(epoch);
  return { ...anchor, header: await reader.headerOf(anchor) };
}

/** The first that is at or above a height, so that the way up to it is short; the last one where none is. */
export async function anchorFor(reader: AnchorsReader, height: number): Promise<KnownAnchor> {
  let best = await lastAnchor(reader);
  if (best.header.height < height) return best;
  for (let [low, high] = [0, best.epoch]; low < high;) {
    const middle = await anchorAt(reader, Math.floor((low + high) / 2));
    if (middle.header.height >= height) [best, high] = [middle, middle.epoch];
    else low = middle.epoch + 1;
  }
  return best;
}

/**
 * What a device has of an anchor, put together; nothing of it is checked here. @param above height of a transaction's block, where a link from there up
 * to the anchor is wanted. @throws ClientFailure where the device does not show it
 */
export async function fetchAnchorFile(
  client: Client,
  genesis: Genesis,
  { reader, anchor, above }: { readonly reader: AnchorsReader; readonly anchor: KnownAnchor; readonly above: number | undefined },
): Promise<Uint8Array> {
  const { place } = reader;
  const { header } = anchor;
  const shown = await client.chain({ show: 'anchor', height: header.height });
  const seats = decodeStrict(AnchoredSeats, shown.seats, LIMITS.anchoredSeatsBytesMax);
  if (seats.status === 'malformed')
    throw new ClientFailure('proof-refused', `device ${client.device} shows seats that can't be read: ${seats.detail}`);
  const link = above === undefined || above > header.height ? [] : await fetchLink(client, above, header.height);
  return encodeAnchorFile({ version: 1, place, header, genesis, seats: seats.value, link });
}

async function fetchLink(client: Client, above: number, to: number): Promise<BareBlock[]> {
  if (to - above > LIMITS.anchorLinkMax)
    throw new ClientFailure('proof-refused', `the anchor is ${to - above} blocks above; at most ${LIMITS.anchorLinkMax} are linked`);
  const blocks: BareBlock[] = [];
  while (above + blocks.length < to) {
    const page = await client.chain({ show: 'link', above: above + blocks.length, to });
    if (page.blocks.length === 0)
      throw new ClientFailure('proof-refused', `device ${client.device} has no block above height ${above + blocks.length}`);
    blocks.push(...page.blocks);
  }
  return blocks;
}
