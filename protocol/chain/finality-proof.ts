/**
 * Proofs of finality: that a transaction stands in a block that a checkpoint holds, for whoever has only the network file.
 * Specification §13.6.
 *
 * Nothing but the genesis is believed: its seats certify a checkpoint whose state may name other seats, and so on up to the
 * checkpoint above the transaction. Waits are not judged, for a certificate stands above them (§12.4).
 */
import { decodeStrict, encodeStrict, sameBytes } from '../codec.ts';
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import type { Member } from '../network.ts';
import { bytes, integer, list, struct, type Infer } from '../schema.ts';
import type { Header, ReadBlock } from './block.ts';
import type { Vote } from './certifying-seats.ts';
import { FinalityCertificate } from './finality-certificate.ts';
import { inclusionPath, judgeInclusion } from './merkle.ts';
import {
  BareBlock,
  ProofFault,
  requireBlock,
  requireCertified,
  requireSeats,
  roomOf,
  ShownCheckpoint,
  type ProofContext,
  type ProofRefusal,
  type ShownBlock,
} from './shown-checkpoint.ts';
import { transactionId } from './transaction.ts';
import { Voucher } from './voucher.ts';

const Place = integer({ min: 0, max: LIMITS.transactionsPerBlockMax });

const shownTransaction = {
  transaction: bytes({ min: 1, max: LIMITS.transactionBytesMax }),
  /** Its place among the transactions of its block, and the path from there (`inclusionPath`). */
  index: Place,
  size: Place,
  path: list(Digest, { max: 16 }),
};
export const ShownTransaction = struct(shownTransaction);
export type ShownTransaction = Infer<typeof ShownTransaction>;

export const FinalityProof = struct({
  ...shownTransaction,
  /** From the block that holds it up to the checkpoint. */
  blocks: list(BareBlock, { min: 1, max: LIMITS.checkpointStepMax }),
  certificate: FinalityCertificate,
  /** One for each key that signed a certificate of this proof. */
  vouchers: list(Voucher, { max: LIMITS.votersMax * LIMITS.memberKeysMax }),
  /** In the order of numbers; none while the seats are those of the genesis. */
  changes: list(ShownCheckpoint, { max: LIMITS.seatChangesShownMax }),
});
export type FinalityProof = Infer<typeof FinalityProof>;

export type FinalityProofRefusal = ProofRefusal;

export interface ProvenTransaction {
  readonly status: 'accepted';
  readonly transaction: Uint8Array;
  /** Chain time of its block, Unix ms. */
  readonly timeMs: number;
  readonly height: number;
  readonly block: Uint8Array;
  readonly checkpoint: { readonly number: number; readonly height: number; readonly block: Uint8Array };
  readonly voters: number;
  readonly votes: readonly Vote[];
  /** Cards of the founders, and of those that the proof shows to have had a seat since. */
  readonly members: readonly Member[];
}

export type FinalityProofVerdict =
  ProvenTransaction | { readonly status: 'refused'; readonly reason: FinalityProofRefusal; readonly detail: string };

/**
 * What a member takes a proof from.
 * @param parts.blocks whole, from the one that holds the transaction up to the checkpoint
 * @throws RangeError where the first block has no such transaction
 */
export function encodeFinalityProof(parts: {
  readonly index: number;
  readonly blocks: readonly Pick<ReadBlock, 'headerBytes' | 'end' | 'transactions'>[];
  readonly certificate: FinalityCertificate;
  readonly vouchers: readonly Voucher[];
  readonly changes: FinalityProof['changes'];
}): Uint8Array {
  const { index, blocks, certificate, vouchers, changes } = parts;
  const transactions = blocks[0]?.transactions ?? [];
  const path = inclusionPath(transactions.map(transactionId), index);
  return encodeStrict(FinalityProof, {
    transaction: transactions[index] ?? new Uint8Array(),
    index,
    size: transactions.length,
    path,
    blocks: blocks.map(({ headerBytes, end }) => ({ header: headerBytes, end })),
    certificate,
    vouchers: [...vouchers],
    changes,
  });
}

/** @param encoded foreign bytes. Which transaction must be there is the caller's to compare. */
export function judgeFinalityProof(encoded: Uint8Array, context: ProofContext): FinalityProofVerdict {
  const decoded = decodeStrict(FinalityProof, encoded, LIMITS.finalityProofBytesMax);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const proof = decoded.value;
  try {
    const room = roomOf(context, proof);
    const { lowest, highest } = requireBranch(proof.blocks, room.network);
    requireInclusion(proof, lowest.header);
    const seats = requireSeats(proof.changes, context, room);
    const votes = requireCertified(seats, proof.certificate, highest, room);
    const { number, height, block } = proof.certificate;
    return {
      status: 'accepted',
      transaction: proof.transaction,
      ...{ timeMs: lowest.header.timeMs, height: lowest.header.height, block: lowest.id },
      checkpoint: { number, height, block },
      voters: seats.nodes.length,
      votes,
      members: [...seats.cards.values()],
    };
  } catch (error) {
    if (error instanceof ProofFault) return refused(error.reason, error.message);
    throw error;
  }
}

/** From the block with the transaction upwards, each standing on the one before it. @throws ProofFault */
export function requireBranch(blocks: readonly BareBlock[], network: Uint8Array): { lowest: ShownBlock; highest: ShownBlock } {
  const [lowest, ...above] = blocks.map((block) => requireBlock(block, network));
  if (!lowest) throw new ProofFault('malformed', 'a proof without blocks');
  return { lowest, highest: above.reduce(requireLink, lowest) };
}

function requireLink(below: ShownBlock, above: ShownBlock): ShownBlock {
  const { parent, height } = above.header;
  if (sameBytes(parent, below.id) && height === below.header.height + 1) return above;
  throw new ProofFault('blocks-not-linked', `the block of height ${height} does not stand on the one before it in the proof`);
}

/** @throws ProofFault */
export function requireInclusion({ transaction, index, size, path }: ShownTransaction, header: Header): void {
  const verdict = judgeInclusion(transactionId(transaction), index, size, path, header.transactions);
  if (verdict.status === 'refused') throw new ProofFault('not-in-block', verdict.detail);
}

function refused(reason: FinalityProofRefusal, detail: string): FinalityProofVerdict {
  return { status: 'refused', reason, detail };
}
