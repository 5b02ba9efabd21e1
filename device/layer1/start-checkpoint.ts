/**
 * The checkpoint that layer 1 holds for a device that starts: that of the highest final anchor among the chains of the network file. Chains that are
 * away, or say nothing that fits, are told, and the device starts by the network file. Specification §13.7, §20.10.
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
  readonly from: 'layer-1';
}

/** @returns undefined where no chain holds a checkpoint above the genesis, or none can be read */
export async function startCheckpoint(network: Network, log: Log): Promise<StartCheckpoint | undefined> {
  const read = await Promise.all((network.layer1 ?? []).map((chain) => headerOn(chain, network, log)));
  const [highest] = read.flatMap((header) => header ?? []).sort((left, right) => right.checkpoint - left.checkpoint);
  if (!highest || highest.checkpoint === 0) return undefined;
  return { number: highest.checkpoint, height: highest.height, block: highest.blockId, from: 'layer-1' };
}

async function headerOn({ chainId, anchors, endpoints: urls }: Layer1Chain, network: Network, log: Log): Promise<AnchorHeader | undefined> {
  const endpoints = new Endpoints(chainId, urls, LAYER1_LIMITS.startAnswerMs);
  try {
    const reader = await AnchorsReader.open(endpoints, anchors);
    if (!sameBytes(reader.place.network, networkId(network)))
      throw new AnchorNotRead('no-contract', `0x${hex(anchors)} holds the anchors of another network: ${hex(reader.place.network)}`);
    const header = await reader.headerOf(await reader.anchorOf(reader.lastFinal));
    const { epoch, checkpoint, height, blockId } = header;
    log('layer1Checkpoint', { chain: chainId, epoch, checkpoint, height, block: hex(blockId).slice(0, 16) });
    return header;
  } catch (error) {
    if (!(error instanceof AnchorNotRead)) throw error;
    log('layer1NotRead', {
      chain: chainId,
      why: error.message,
      consequence: 'the device starts by its network file and the chain that it keeps',
    });
    return undefined;
  } finally {
    endpoints.close();
  }
}
