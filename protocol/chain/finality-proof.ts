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
import { networkId, type Member, type Network } from '../network.ts';
import { bytes, integer, list, struct, type Infer } from '../schema.ts';
import type { Crypto } from '../crypto.ts';
import { blockId, decodeHeader, TimeCertificate, type Header, type ReadBlock } from './block.ts';
import type { CertificateRefusal } from './certified-votes.ts';
import { FinalityCertificate } from './finality-certificate.ts';
import { inclusionPath, judgeInclusion } from './merkle.ts';
import { foundingSeats, seatsAfter, votesOf, type CertifyingSeats, type SeatsRefusal, type Vote } from './certifying-seats.ts';
import { judgeStateProof, StateProof } from './state-root.ts';
import { transactionId } from './transaction.ts';
import { Voucher } from './voucher.ts';

/** A block without its transactions: what its id commits to. */
const BareBlock = struct({ header: bytes({ min: 1, max: LIMITS.headerBytesMax }), end: TimeCertificate });

/** A checkpoint whose state has other seats than the one before it in the proof, with the cards of those that are needed. */
const SeatChange = struct({ certificate: FinalityCertificate, block: BareBlock, state: StateProof });

const Place = integer({ min: 0, max: LIMITS.transactionsPerBlockMax });

export const FinalityProof = struct({
  transaction: bytes({ min: 1, max: LIMITS.transactionBytesMax }),
  /** Its place among the transactions of its block, and the path from there (`inclusionPath`). */
  index: Place,
  size: Place,
  path: list(Digest, { max: 16 }),
  /** From the block that holds it up to the checkpoint. */
  blocks: list(BareBlock, { min: 1, max: LIMITS.checkpointStepMax }),
  certificate: FinalityCertificate,
  /** One for each key that signed a certificate of this proof. */
  vouchers: list(Voucher, { max: LIMITS.votersMax * LIMITS.memberKeysMax }),
  /** In the order of numbers; none while the seats are those of the genesis. */
  changes: list(SeatChange, { max: LIMITS.seatChangesShownMax }),
});
export type FinalityProof = Infer<typeof FinalityProof>;

export type FinalityProofRefusal =
  | 'malformed'
  | 'not-in-block'
  | 'other-network'
  | 'blocks-not-linked'
  | 'other-checkpoint'
  | 'state-not-shown'
  | SeatsRefusal
  | `certificate-${CertificateRefusal}`;

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

export interface FinalityProofContext {
  readonly network: Network;
  readonly crypto: Crypto;
}

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
export function judgeFinalityProof(encoded: Uint8Array, { network, crypto }: FinalityProofContext): FinalityProofVerdict {
  const decoded = decodeStrict(FinalityProof, encoded, LIMITS.finalityProofBytesMax);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const proof = decoded.value;
  try {
    const branch = requireBranch(proof, networkId(network));
    requireInclusion(proof, branch.lowest.header);
    const context = { network: networkId(network), crypto, vouchers: proof.vouchers };
    const seats = proof.changes.reduce((known, change) => changed(known, change, context), foundingSeats(network));
    const votes = certified(seats, proof.certificate, branch.highest, context);
    const { lowest } = branch;
    const { number, height, block } = proof.certificate;
    const checkpoint = { number, height, block };
    const place = { timeMs: lowest.header.timeMs, height: lowest.header.height, block: lowest.id };
    return {
      status: 'accepted',
      transaction: proof.transaction,
      ...place,
      checkpoint,
      voters: seats.nodes.length,
      votes,
      members: [...seats.cards.values()],
    };
  } catch (error) {
    if (error instanceof Refusal) return refused(error.reason, error.message);
    throw error;
  }
}

/** Ends the judgement from wherever a rule is broken; never leaves this file. */
class Refusal extends Error {
  readonly reason: FinalityProofRefusal;

  constructor(reason: FinalityProofRefusal, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

interface ShownBlock {
  readonly id: Uint8Array;
  readonly header: Header;
}

interface Context {
  readonly network: Uint8Array;
  readonly crypto: Crypto;
  readonly vouchers: readonly Voucher[];
}

function requireBranch(proof: FinalityProof, network: Uint8Array): { lowest: ShownBlock; highest: ShownBlock } {
  const [lowest, ...above] = proof.blocks.map((block) => requireBlock(block, network));
  if (!lowest) throw new Refusal('malformed', 'a proof without blocks');
  const highest = above.reduce(requireLink, lowest);
  return { lowest, highest };
}

function requireBlock({ header: headerBytes, end }: FinalityProof['blocks'][number], network: Uint8Array): ShownBlock {
  const header = decodeHeader(headerBytes);
  if (header.status === 'malformed') throw new Refusal('malformed', header.detail);
  if (!sameBytes(header.value.network, network)) throw new Refusal('other-network', 'a block of the proof is of another network');
  return { id: blockId(headerBytes, end), header: header.value };
}

function requireLink(below: ShownBlock, above: ShownBlock): ShownBlock {
  const { parent, height } = above.header;
  if (sameBytes(parent, below.id) && height === below.header.height + 1) return above;
  throw new Refusal('blocks-not-linked', `the block of height ${height} does not stand on the one before it in the proof`);
}

function requireInclusion({ transaction, index, size, path }: FinalityProof, header: Header): void {
  const verdict = judgeInclusion(transactionId(transaction), index, size, path, header.transactions);
  if (verdict.status === 'refused') throw new Refusal('not-in-block', verdict.detail);
}

function changed(
  seats: CertifyingSeats,
  { certificate, block, state }: FinalityProof['changes'][number],
  context: Context,
): CertifyingSeats {
  const shown = requireBlock(block, context.network);
  certified(seats, certificate, shown, context);
  const verdict = judgeStateProof(shown.header.state, state);
  if (verdict.status === 'refused') throw new Refusal('state-not-shown', `${verdict.reason}: ${verdict.detail}`);
  const next = seatsAfter(seats, certificate, verdict);
  if (next.status === 'refused') throw new Refusal(next.reason, next.detail);
  return next.seats;
}

function certified(seats: CertifyingSeats, certificate: FinalityCertificate, block: ShownBlock, context: Context): readonly Vote[] {
  const { number, height } = certificate;
  if (!sameBytes(certificate.block, block.id) || height !== block.header.height)
    throw new Refusal(
      'other-checkpoint',
      `certificate ${number} is not of the block of height ${block.header.height} that the proof shows`,
    );
  const verdict = votesOf(seats, certificate, context);
  if (verdict.status === 'refused') throw new Refusal(verdict.reason, verdict.detail);
  return verdict.votes;
}

function refused(reason: FinalityProofRefusal, detail: string): FinalityProofVerdict {
  return { status: 'refused', reason, detail };
}
