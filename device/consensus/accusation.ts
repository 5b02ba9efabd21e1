/** Proof that a member contradicted itself, on its way to the chain. Pure. Specification §11.3, §12.6, §13.2. */
import { encodeBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { encodeTransaction, type TransactionOf } from '#protocol/chain/transaction.ts';
import { areApart, type ClaimedWait } from '#protocol/chain/wait-certificate.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import type { CastBallot } from '../votes/decision.ts';
import { voucherOf } from './keys.ts';
import { report } from './outbox.ts';
import { addOwnTransaction } from './pool.ts';
import type { ConsensusState } from './state.ts';
import { rivalsOf, type TakenBlock } from './tree.ts';

/** Two taken blocks of one member and height, whose waits overlap: one after the other they may be (§12.6). */
export function accuseOfBlocks(state: ConsensusState, { block }: TakenBlock): void {
  const rival =
    block &&
    rivalsOf(state.tree, block).find((other) => other.block && other.block !== block && !areApart(waitOf(other.block), waitOf(block)))
      ?.block;
  if (block && rival)
    accuse(state, hex(block.header.node), { of: 'block', first: withoutTransactions(rival), second: withoutTransactions(block) });
}

/**
 * Two ballots of one node, round and step with different values, on the checkpoint that is being decided. With the vouchers of their keys:
 * before this stands in a block, the accused may have put newer ones in their place.
 */
export function accuseOfBallots(state: ConsensusState, node: string, first: CastBallot, second: CastBallot): void {
  const { number, block } = state.finality.last;
  const keys = sameBytes(first.key, second.key) ? [first.key] : [first.key, second.key];
  const vouchers = keys.flatMap((key) => voucherOf(state, Uint8Array.fromHex(node), key) ?? []);
  const checkpoint = { number: number + 1, previous: block.position.id };
  accuse(state, node, {
    ...{ of: 'ballot', first: first.envelope, second: second.envelope },
    ...(vouchers.length > 0 && { vouchers, checkpoint }),
  });
}

/** Once for each member: one proof expels. */
function accuse(state: ConsensusState, node: string, proof: Omit<TransactionOf<'equivocation'>, 'kind'>): void {
  if (state.equivocators.has(node)) return;
  state.equivocators.add(node);
  report(state.outbox, { report: 'equivocation', node, of: proof.of });
  addOwnTransaction(state, encodeTransaction({ kind: 'equivocation', ...proof }));
}

function waitOf({ header, end }: ReadBlock): ClaimedWait {
  return { start: header.start, end };
}

function withoutTransactions({ headerBytes, end }: ReadBlock): Uint8Array {
  return encodeBlock({ header: headerBytes, end, transactions: [] });
}
