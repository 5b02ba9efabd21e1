/** Blocks, certificates and votes for tests of the store, which looks into nothing but their ids, heights and parents. */
import { blockId, encodeBlock, encodeHeader, readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { blobDigest } from '#protocol/digest.ts';
import { vrfProofBytes } from '#protocol/tpm/vrf.ts';
import type { ChainRecord } from '../../../device/consensus/events.ts';

export const digest = (...words: (string | number)[]): Uint8Array => blobDigest(new TextEncoder().encode(words.join()));

const time = { attestation: new Uint8Array(140).fill(3), signature: new Uint8Array(64).fill(4) };

export function blockOn(
  parent: Uint8Array,
  height: number,
  salt = '',
  transactions: Uint8Array[] = [new Uint8Array(200).fill(9)],
): ReadBlock {
  const header = encodeHeader({
    version: 1,
    network: digest('network'),
    height,
    parent,
    node: digest('node', salt),
    timeMs: height * 1_000,
    draw: new Uint8Array(vrfProofBytes).fill(height & 0xff),
    start: time,
    transactions: digest('transactions'),
    state: digest('state', height, salt),
  });
  const read = readBlock(encodeBlock({ header, end: time, transactions }));
  if (read.status === 'malformed') throw new Error(read.detail);
  return { ...read.value, id: blockId(header, time) };
}

/** Blocks of the heights from 1 on, each on the one before. */
export function chainOf(length: number): ReadBlock[] {
  const blocks: ReadBlock[] = [];
  for (let height = 1; height <= length; height += 1) blocks.push(blockOn(blocks.at(-1)?.id ?? digest('genesis'), height));
  return blocks;
}

export const taken = (block: ReadBlock, own = false): ChainRecord => ({ record: 'block', block, own });

export function certificateOf(block: ReadBlock, number = block.header.height): FinalityCertificate {
  const votes = ['alpha', 'bravo', 'charlie'].map((name) => ({
    node: digest(name),
    key: digest('key', name),
    signature: new Uint8Array(64).fill(number & 0xff),
  }));
  return { number, previous: digest('previous'), block: block.id, height: block.header.height, round: 0, votes };
}

export const certified = (block: ReadBlock, number?: number): ChainRecord => ({
  record: 'certificate',
  certificate: certificateOf(block, number),
});

export const voted = (number: number): ChainRecord => ({
  record: 'votes',
  instance: digest('instance', number),
  votes: new TextEncoder().encode(`votes of ${number}`),
});
