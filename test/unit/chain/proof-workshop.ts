/** A network of four software chips, a finalised branch of it, and proofs in which one thing is as a test wants it. §13.6. */
import { BallotMessage } from '#protocol/chain/ballot.ts';
import { blockId, encodeHeader, type Header, type ReadBlock } from '#protocol/chain/block.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { encodeFinalityProof, type FinalityProof } from '#protocol/chain/finality-proof.ts';
import { merkleRoot } from '#protocol/chain/merkle.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { StateMap } from '#protocol/chain/state-map.ts';
import { proveState, stateRoot } from '#protocol/chain/state-root.ts';
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import { encodeTransaction, transactionId } from '#protocol/chain/transaction.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { signingInput } from '#protocol/signed.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { softwareChip, type SoftwareChip } from './software-chip.ts';

export const crypto = createNodeCrypto();

const digest = (value: number) => new Uint8Array(32).fill(value);

/** In the order of their ids; the last one is no founder. */
export const chips = ['alpha', 'bravo', 'charlie', 'delta', 'echo'].map(softwareChip);
export const newcomer: SoftwareChip = chips[4]!;
export const founders: readonly SoftwareChip[] = chips
  .slice(0, 4)
  .toSorted((left, right) => (left.node.toHex() < right.node.toHex() ? -1 : 1));

export const founded: Network = {
  genesis: {
    version: 1,
    name: 'proofs',
    salt: new Uint8Array(16),
    members: founders.map(({ node }) => node),
    endorsementAuthorities: [{ certificate: Uint8Array.of(0x30), softwareTpm: true }],
    credentialsMin: 2,
    consensus: { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 },
  },
  members: founders.map(({ member }) => member),
  references: [],
};
export const networkIdentity = networkId(founded);

export const transactions = founders
  .slice(0, 3)
  .map((chip) => encodeTransaction({ kind: 'voucher', voucher: chip.makeVoucher(networkIdentity) }));

interface BlockRequest {
  readonly parent?: Uint8Array;
  readonly state?: Uint8Array;
  readonly network?: Uint8Array;
}

/** Everything in it but what stands above the finality of a block: draws and waits are made up. */
export function blockWith(height: number, request: BlockRequest = {}): ReadBlock {
  const { parent = digest(4), state = digest(5), network = networkIdentity } = request;
  const certificate = { attestation: new Uint8Array(140).fill(height), signature: new Uint8Array(64).fill(7) };
  const header: Header = {
    version: 1,
    network,
    height,
    parent,
    node: founders[0]!.node,
    timeMs: height * 1_000,
    draw: new Uint8Array(256).fill(1),
    start: certificate,
    transactions: merkleRoot(transactions.map(transactionId)),
    state,
  };
  const headerBytes = encodeHeader(header);
  return { id: blockId(headerBytes, certificate), header, headerBytes, end: certificate, transactions, encoded: headerBytes };
}

export function certificateOf(
  block: ReadBlock,
  number: number,
  voters: readonly SoftwareChip[],
  previous: Uint8Array = digest(6),
): FinalityCertificate {
  const { network } = block.header;
  const instance = checkpointInstance(network, number, previous);
  const votes = voters.map((chip) => {
    const ballot = { network, instance, round: 0, step: 'precommit', value: block.id, node: chip.node } as const;
    const signature = chip.sign(signingInput(BallotMessage.domain, encodeStrict(BallotMessage.body, ballot)));
    return { node: chip.node, key: chip.operationalKey, signature };
  });
  return { number, previous, block: block.id, height: block.header.height, round: 0, votes };
}

export interface ProofChanges {
  /** How many there are; the transaction stands in the lowest, of height 10. */
  readonly blocks?: number;
  readonly index?: number;
  readonly voters?: readonly SoftwareChip[];
  readonly changes?: FinalityProof['changes'];
}

/** Of the second transaction in block 10, by the third checkpoint, which is block 12. */
export function proofOf(): Uint8Array {
  return proofWith({});
}

export function proofWith({ blocks: count = 3, index = 1, voters = founders.slice(0, 3), changes = [] }: ProofChanges): Uint8Array {
  const blocks = [blockWith(10)];
  while (blocks.length < count) blocks.push(blockWith(10 + blocks.length, { parent: blocks.at(-1)!.id }));
  const previous = changes.find(({ certificate }) => certificate.number === 2)?.certificate.block;
  const certificate = certificateOf(blocks.at(-1)!, 3, voters, previous);
  const vouchers = chips.map((chip) => chip.makeVoucher(networkIdentity));
  const sorted = vouchers.toSorted((left, right) => (left.node.toHex() < right.node.toHex() ? -1 : 1));
  return encodeFinalityProof({ index, blocks, certificate, vouchers: withFirst(sorted), changes });
}

/** A checkpoint whose state has these seats. */
export function changeTo(
  seats: readonly { readonly node: Uint8Array }[],
  at: { number: number; height: number; voters: readonly SoftwareChip[]; previous?: Uint8Array },
): FinalityProof['changes'][number] {
  const state = stateWith(seats.map(({ node }) => node));
  const block = blockWith(at.height, { state: stateRoot(state) });
  return {
    certificate: certificateOf(block, at.number, at.voters, at.previous),
    block: { header: block.headerBytes, end: block.end },
    state: proveState(state, [newcomer.node]),
  };
}

export function stateWith(seats: Uint8Array[]): ChainState {
  const seed = digest(8);
  const before = founders.map(({ node }) => node);
  return {
    core: {
      epoch: { number: 0, seed, gathered: seed, gathering: seed },
      checkpoint: { number: 0, height: 0, block: blobDigest(seed) },
      seats: before,
      seatsToCome: [
        { fromHeight: 0, seats: before },
        { fromHeight: 3, seats },
      ],
      seeds: [{ fromHeight: 0, seed }],
    },
    members: StateMap.of(chips.map((chip) => [chip.node.toHex(), recordOf(chip)] as const)),
    boxes: StateMap.of(),
    capsules: StateMap.of(),
  };
}

function recordOf({ node, member }: SoftwareChip): MemberRecord {
  return { node, member, standing: 'member', drawsFromEpoch: 0, vouchedBy: [], keys: [], votedIn: 0, boxesSerial: 0 };
}

/** The voucher of the first founder first, so that a test can take it away. */
function withFirst<V extends { readonly node: Uint8Array }>(vouchers: readonly V[]): V[] {
  const first = vouchers.filter(({ node }) => node.toHex() === founders[0]!.node.toHex());
  return [...first, ...vouchers.filter((voucher) => !first.includes(voucher))];
}
