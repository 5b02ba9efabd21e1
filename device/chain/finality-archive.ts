/**
 * Proofs of finality and of state, made from what the device keeps: where a transaction stands, what the last checkpoint's state holds, and
 * what shows it to whoever has only the network file. Specification §13.6, §13.8.
 */
import { readBlock, TimeCertificate, type ReadBlock } from '#protocol/chain/block.ts';
import { encodeCheckpointProof } from '#protocol/chain/checkpoint-proof.ts';
import { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { encodeFinalityProof, type FinalityProof } from '#protocol/chain/finality-proof.ts';
import { CoreState, type ChainState } from '#protocol/chain/state.ts';
import { proveState, StateProof } from '#protocol/chain/state-root.ts';
import { decodeVoucher, type Voucher } from '#protocol/chain/voucher.ts';
import { decodeAction } from '#protocol/chain/signed-action.ts';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Network } from '#protocol/network.ts';
import { bytes, struct } from '#protocol/schema.ts';
import type { Inclusion } from './chain-port.ts';
import type { ChainStore } from '../store/chain-store.ts';

/** A checkpoint after which other seats vote, as it is kept. */
const KeptChange = struct({
  certificate: FinalityCertificate,
  header: bytes({ min: 1, max: LIMITS.headerBytesMax }),
  end: TimeCertificate,
  state: StateProof,
});

/** The finalised state and the head's, and the way to the blocks below the head. */
export interface Branches {
  readonly finalised: ChainState;
  readonly head: ChainState;
  readonly blockOnHead: (height: number) => ReadBlock | undefined;
}

export class FinalityArchive {
  readonly #store: ChainStore;
  readonly #founders: ReadonlySet<string>;
  #seats: string;
  /** Whether the kept changes lead from the founders to the seats of today: they do not where this member started later (§13.7). */
  readonly #isComplete: boolean;

  constructor(store: ChainStore, network: Network, finalised: ChainState) {
    this.#store = store;
    this.#founders = new Set(network.genesis.members.map(hex));
    this.#seats = seatsOf(finalised).map(hex).join();
    this.#isComplete = this.#lastKeptSeats() === this.#seats;
  }

  /** To be told of each checkpoint with the state of its block: a change of seats is kept with what shows it. */
  checkpointed(certificate: FinalityCertificate, state: ChainState): void {
    const seats = seatsOf(state);
    const words = seats.map(hex).join();
    if (words === this.#seats || !this.#isComplete) return;
    this.#seats = words;
    const block = this.#read(this.#store.block(certificate.block));
    if (!block) return;
    const joined = seats.filter((node) => !this.#founders.has(hex(node)));
    const change = { certificate, header: block.headerBytes, end: block.end, state: proveState(state, joined) };
    this.#store.keepChange(certificate.number, encodeStrict(KeptChange, change));
  }

  /** The block of the finalised chain at a height. */
  blockAt(height: number): ReadBlock | undefined {
    return this.#read(this.#store.blockAt(height));
  }

  /** Where the transaction stands with which this receipt was put on the chain. */
  inclusionOf(capsule: string, receipt: Uint8Array, { finalised, head, blockOnHead }: Branches): Inclusion {
    const settled = finalised.capsules.get(capsule)?.end;
    if (settled?.receipt && sameBytes(settled.receipt, receipt)) return this.#finalInclusion(settled.height, capsule, receipt);
    const end = head.capsules.get(capsule)?.end;
    const block = end?.receipt && sameBytes(end.receipt, receipt) ? blockOnHead(end.height) : undefined;
    return end && block ? { status: 'not-final', height: end.height, block: block.id } : { status: 'unknown' };
  }

  /** An encoded `FinalityProof` of a transaction of a finalised block; undefined where something that it takes is not kept. */
  prove(height: number, index: number): { readonly checkpoint: number; readonly proof: Uint8Array } | undefined {
    const certificate = this.#store.certificateFrom(height);
    const blocks = certificate && this.#blocksBetween(height, certificate.height);
    if (!certificate || !blocks || !this.#isComplete) return undefined;
    const changes = this.#changes(certificate.number - 1);
    const vouchers = this.#vouchersOf([...changes.map((change) => change.certificate), certificate]);
    if (!vouchers) return undefined;
    return { checkpoint: certificate.number, proof: encodeFinalityProof({ index, blocks, certificate, vouchers, changes }) };
  }

  /** An encoded `CheckpointProof` of this checkpoint with these members; undefined where something that it takes is not kept. */
  proveCheckpoint(certificate: FinalityCertificate, state: ChainState, nodes: readonly Uint8Array[]): Uint8Array | undefined {
    const block = this.#read(this.#store.block(certificate.block));
    const changes = this.#changes(certificate.number - 1);
    const vouchers = this.#isComplete ? this.#vouchersOf([...changes.map((change) => change.certificate), certificate]) : undefined;
    if (!block || !vouchers) return undefined;
    const shown = { certificate, block: { header: block.headerBytes, end: block.end }, state: proveState(state, nodes) };
    return encodeCheckpointProof({ shown, vouchers, changes });
  }

  #lastKeptSeats(): string {
    const last = this.#changes(Number.MAX_SAFE_INTEGER).at(-1);
    const core = last && decodeStrict(CoreState, last.state.core, LIMITS.coreBytesMax);
    const seats = core?.status === 'decoded' ? (core.value.seatsToCome.at(-1)?.seats ?? core.value.seats) : [];
    return last ? seats.map(hex).join() : [...this.#founders].sort().join();
  }

  #finalInclusion(height: number, capsule: string, receipt: Uint8Array): Inclusion {
    const block = this.blockAt(height);
    if (!block) return { status: 'unknown' };
    const index = block.transactions.findIndex((transaction) => isReceiptOf(transaction, capsule, receipt));
    const proven = index < 0 ? undefined : this.prove(height, index);
    return proven ? { status: 'final', height, block: block.id, ...proven } : { status: 'not-final', height, block: block.id };
  }

  #blocksBetween(low: number, high: number): ReadBlock[] | undefined {
    const blocks: ReadBlock[] = [];
    for (let height = low; height <= high; height += 1) {
      const block = this.blockAt(height);
      if (!block) return undefined;
      blocks.push(block);
    }
    return blocks;
  }

  #changes(upTo: number): FinalityProof['changes'] {
    return this.#store.changesUpTo(upTo).flatMap((content) => {
      const kept = decodeStrict(KeptChange, content, content.length);
      if (kept.status === 'malformed') return [];
      const { certificate, header, end, state } = kept.value;
      return [{ certificate, block: { header, end }, state }];
    });
  }

  #vouchersOf(certificates: readonly FinalityCertificate[]): Voucher[] | undefined {
    const voters = new Map(certificates.flatMap(({ votes }) => votes.map((vote) => [`${hex(vote.node)}/${hex(vote.key)}`, vote] as const)));
    const vouchers: Voucher[] = [];
    for (const { node, key } of voters.values()) {
      const content = this.#store.voucherFor(node, key);
      const voucher = content && decodeVoucher(content);
      if (voucher?.status !== 'decoded') return undefined;
      vouchers.push(voucher.value);
    }
    return vouchers;
  }

  #read(encoded: Uint8Array | undefined): ReadBlock | undefined {
    const read = encoded && readBlock(encoded);
    return read?.status === 'decoded' ? read.value : undefined;
  }
}

/** Who votes on the checkpoint after the one of this state. */
function seatsOf({ core }: ChainState): readonly Uint8Array[] {
  return core.seatsToCome.at(-1)?.seats ?? core.seats;
}

function isReceiptOf(encoded: Uint8Array, capsule: string, receipt: Uint8Array): boolean {
  const transaction = decodeTransaction(encoded);
  if (transaction.status === 'malformed' || transaction.value.kind !== 'signed') return false;
  const action = decodeAction(transaction.value.body);
  if (action.status === 'malformed' || action.value.action !== 'receipt') return false;
  return action.value.capsule === capsule && sameBytes(action.value.receipt, receipt);
}
