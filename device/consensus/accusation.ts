/** Proof that a member contradicted itself, on its way to the chain. Pure. Specification §11.3, §12.6, §13.2. */
import { encodeBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { areApart, type ClaimedWait } from '#protocol/chain/wait-certificate.ts';
import { hex } from '#protocol/digest.ts';
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
  if (block && rival) accuse(state, hex(block.header.node), 'block', [withoutTransactions(rival), withoutTransactions(block)]);
}

/** Two envelopes of one node, round and step with different values. */
export function accuseOfBallots(state: ConsensusState, node: string, first: Uint8Array, second: Uint8Array): void {
  accuse(state, node, 'ballot', [first, second]);
}

/** Once for each member: one proof expels. */
function accuse(state: ConsensusState, node: string, of: 'block' | 'ballot', [first, second]: readonly [Uint8Array, Uint8Array]): void {
  if (state.equivocators.has(node)) return;
  state.equivocators.add(node);
  report(state.outbox, { report: 'equivocation', node, of });
  addOwnTransaction(state, encodeTransaction({ kind: 'equivocation', of, first, second }));
}

function waitOf({ header, end }: ReadBlock): ClaimedWait {
  return { start: header.start, end };
}

function withoutTransactions({ headerBytes, end }: ReadBlock): Uint8Array {
  return encodeBlock({ header: headerBytes, end, transactions: [] });
}
