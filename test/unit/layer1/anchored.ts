/** Anchors of two networks as files: one of software chips, at a checkpoint with a state, and the founders of a real grid at checkpoint 0. §20.10. */
import { readFileSync } from 'node:fs';
import type { ReadBlock } from '#protocol/chain/block.ts';
import { proveState, stateRoot } from '#protocol/chain/state-root.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { encodeAnchorFile, type AnchorFile } from '#protocol/layer1/anchor-file.ts';
import { anchorDigest, NO_ANCHOR, type AnchorHeader, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import { anchoredState } from '#protocol/layer1/anchored-state.ts';
import { LIMITS } from '#protocol/limits.ts';
import { foundersOf, networkId, type Network } from '#protocol/network.ts';
import { genesisPosition } from '../../../device/ledger/genesis.ts';
import { blockWith } from '../chain/proof-workshop.ts';
import { network as judging, networkIdentity, stateJudging, trustWith } from '../protocol/judged-member.ts';
import { crypto, gridNetworkFile, networkFrom } from '../protocol/workshop.ts';

export const grid = networkFrom(gridNetworkFile);

export function placeOf(network: Network, changed: Partial<AnchorPlace> = {}): AnchorPlace {
  return { network: networkId(network), chainId: 31_337, anchors: new Uint8Array(20).fill(0xa1), ...changed };
}

/** The founders' header. */
export function firstHeader(network: Network): AnchorHeader {
  const { state, id, height, timeMs } = genesisPosition({ network, networkId: networkId(network), crypto });
  return { ...anchoredState(network, 0, { number: 0, id, height, timeMs, state }).moment, previous: NO_ANCHOR };
}

export function foundersFile(network: Network, place = placeOf(network)): AnchorFile {
  const seats = { of: 'genesis' as const, members: foundersOf(network) };
  return { version: 1, place, header: firstHeader(network), genesis: network.genesis, seats, link: [] };
}

export interface Anchored {
  readonly file: AnchorFile;
  readonly block: ReadBlock;
  readonly state: ChainState;
}

/** Checkpoint 5 at height 112 of the network whose members judge one another: anchor 2. */
export function anchoredAt(previous: Uint8Array = NO_ANCHOR, place = placeOf(judging), epoch = 2): Anchored {
  const state = stateJudging(trustWith());
  const block = blockWith(112, { state: stateRoot(state), network: networkIdentity });
  const { timeMs } = block.header;
  const header = { ...anchoredState(judging, epoch, { number: 5, id: block.id, height: 112, timeMs, state }).moment, previous };
  const all = [...state.members.values()].map(({ node }) => node);
  const seats = { of: 'checkpoint' as const, block: { header: block.headerBytes, end: block.end }, state: proveState(state, all) };
  return { file: { version: 1, place, header, genesis: judging.genesis, seats, link: [] }, block, state };
}

export function encoded(file: AnchorFile): { readonly bytes: Uint8Array; readonly digest: Uint8Array } {
  return { bytes: encodeAnchorFile(file), digest: anchorDigest(file.place, file.header) };
}

const news = decodeStrict(
  FinalityNews,
  readFileSync(new URL('../../vectors/receipt/finality.cbor', import.meta.url)),
  LIMITS.packetBytesMax,
);
if (news.status === 'malformed' || news.value.finality !== 'final') throw new Error('the vector of a final receipt is none');
/** Of the grid's receipt. */
export const gridProof = news.value.proof;
