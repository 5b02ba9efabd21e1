/**
 * The checkpoint that layer 1 holds for a device that starts: the highest that two chains of the network file hold, else that which one holds alone.
 * Chains are compared; what another one contradicts is told and not taken. Chains that are away, or say nothing that fits, are told, and the device
 * starts by the network file. Specification §13.7, §20.10.
 */
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import type { AnchorHeader } from '#protocol/layer1/anchor.ts';
import { networkId, type Layer1Chain, type Network } from '#protocol/network.ts';
import type { Log } from '../ports.ts';
import { AnchorNotRead, AnchorsReader } from './anchors-reader.ts';
import { Endpoints } from './endpoints.ts';
import { LAYER1_LIMITS } from './limits.ts';

export interface StartCheckpoint {
  readonly number: number;
  readonly height: number;
  readonly block: Uint8Array;
  /** Whether two chains hold it. */
  readonly from: 'layer-1' | 'one-chain';
}

interface ReadChain {
  readonly chain: number;
  readonly header: AnchorHeader;
  readonly headerAt: (epoch: number) => Promise<AnchorHeader | undefined>;
}

/** @returns undefined where no chain holds a checkpoint above the genesis that no other contradicts, or none can be read */
export async function startCheckpoint(network: Network, log: Log): Promise<StartCheckpoint | undefined> {
  const opened = (network.layer1 ?? []).map((chain) => ({
    chain,
    endpoints: new Endpoints(chain.chainId, chain.endpoints, LAYER1_LIMITS.startAnswerMs),
  }));
  try {
    const read = await Promise.all(opened.map(({ chain, endpoints }) => readChain(chain, endpoints, network, log)));
    return await agreedCheckpoint(
      read.flatMap((one) => one ?? []),
      log,
    );
  } finally {
    for (const { endpoints } of opened) endpoints.close();
  }
}

/** Each is compared with those that are as far, at its own epoch: chains are not brought an anchor at the same moment. */
async function agreedCheckpoint(chains: readonly ReadChain[], log: Log): Promise<StartCheckpoint | undefined> {
  const pairs = chains.flatMap((one, at) =>
    chains.filter(({ header }, index) => index !== at && isAsFar(header, one.header, index < at)).map((other) => ({ one, other })),
  );
  const contradicted = new Set<ReadChain>();
  const confirmed = new Set<ReadChain>();
  const compare = async ({ one, other }: (typeof pairs)[number]): Promise<void> => {
    const said = await other.headerAt(one.header.epoch);
    if (!said) return;
    if (isSameCheckpoint(said, one.header)) return void confirmed.add(one);
    for (const chain of [one, other]) contradicted.add(chain);
    const { epoch } = one.header;
    const consequence =
      'neither is taken: one of these chains, or of their endpoints, holds a checkpoint of another network state; see to it';
    log('layer1Contradicts', {
      epoch,
      chain: one.chain,
      says: inWords(one.header),
      other: other.chain,
      otherSays: inWords(said),
      consequence,
    });
  };
  await Promise.all(pairs.map(compare));
  const left = chains.filter((chain) => !contradicted.has(chain) && chain.header.checkpoint > 0);
  const twice = left.filter((chain) => confirmed.has(chain));
  const [highest] = (twice.length > 0 ? twice : left).map(({ header }) => header).sort((a, b) => b.checkpoint - a.checkpoint);
  if (!highest) return undefined;
  const { checkpoint: number, height, blockId: block } = highest;
  return { number, height, block, from: twice.length > 0 ? 'layer-1' : 'one-chain' };
}

/** Of two of one epoch one is asked about the other. */
function isAsFar(header: AnchorHeader, than: AnchorHeader, isEarlier: boolean): boolean {
  return header.epoch > than.epoch || (header.epoch === than.epoch && isEarlier);
}

function isSameCheckpoint(one: AnchorHeader, other: AnchorHeader): boolean {
  return one.checkpoint === other.checkpoint && one.height === other.height && sameBytes(one.blockId, other.blockId);
}

function inWords({ checkpoint, height, blockId }: AnchorHeader): string {
  return `checkpoint ${checkpoint} at height ${height} is ${hex(blockId).slice(0, 16)}`;
}

async function readChain(
  { chainId: chain, anchors }: Layer1Chain,
  endpoints: Endpoints,
  network: Network,
  log: Log,
): Promise<ReadChain | undefined> {
  const tellUnread = (error: unknown): undefined => {
    if (!(error instanceof AnchorNotRead)) throw error;
    const consequence = 'the device starts without its word, by other chains, its network file and the chain that it keeps';
    log('layer1NotRead', { chain, why: error.message, consequence });
  };
  try {
    const reader = await AnchorsReader.open(endpoints, anchors);
    if (!sameBytes(reader.place.network, networkId(network)))
      throw new AnchorNotRead('no-contract', `0x${hex(anchors)} holds the anchors of another network: ${hex(reader.place.network)}`);
    const headerAt = async (epoch: number): Promise<AnchorHeader> => reader.headerOf(await reader.anchorOf(epoch));
    const header = await headerAt(reader.lastFinal);
    const { epoch, checkpoint, height, blockId } = header;
    log('layer1Checkpoint', { chain, epoch, checkpoint, height, block: hex(blockId).slice(0, 16) });
    return { chain, header, headerAt: (wanted) => headerAt(wanted).catch(tellUnread) };
  } catch (error) {
    return tellUnread(error);
  }
}
