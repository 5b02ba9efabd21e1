/** Whether a checkpoint holds the digest of a receipt, by a proof of finality and the network file alone. Specification §9.4, §13.6. */
import { decodeStrict, sameBytes } from './codec.ts';
import { judgeFinalityProof, type FinalityProofRefusal, type ProvenTransaction } from './chain/finality-proof.ts';
import type { ProofContext } from './chain/shown-checkpoint.ts';
import { decodeAction } from './chain/signed-action.ts';
import { Transaction, transactionId, type ActionOf } from './chain/transaction.ts';
import { domainDigest, hex } from './digest.ts';
import { LIMITS } from './limits.ts';
import type { Receipt } from './receipt.ts';

export interface FinalReceipt extends ProvenTransaction {
  readonly transactionId: Uint8Array;
}

export type ReceiptFinalityVerdict =
  FinalReceipt | { readonly status: 'refused'; readonly reason: FinalityProofRefusal | 'other-transaction'; readonly detail: string };

/**
 * @param encoded the receipt as it was signed, and `receipt` what `judgeReceipt` has found in it
 * @param proof encoded `FinalityProof`, foreign
 */
export function judgeReceiptFinality(
  encoded: Uint8Array,
  receipt: Receipt,
  proof: Uint8Array,
  context: ProofContext,
): ReceiptFinalityVerdict {
  const proven = judgeFinalityProof(proof, context);
  if (proven.status === 'refused') return proven;
  const difference = differenceFromReceipt(proven.transaction, encoded, receipt);
  if (difference !== undefined) return { status: 'refused', reason: 'other-transaction', detail: difference };
  return { ...proven, transactionId: transactionId(proven.transaction) };
}

/** In which way a transaction is not the one that puts this receipt on the chain. */
export function differenceFromReceipt(transaction: Uint8Array, encoded: Uint8Array, receipt: Receipt): string | undefined {
  const read = decodeStrict(Transaction, transaction, LIMITS.transactionBytesMax);
  if (read.status === 'malformed' || read.value.kind !== 'signed') return 'the proof is of a transaction that is no action of a member';
  const action = decodeAction(read.value.body);
  if (action.status === 'malformed' || action.value.action !== 'receipt') return 'the proof is of an action that is no receipt';
  if (!sameBytes(read.value.by, receipt.node))
    return `the proof is of a receipt by node ${hex(read.value.by).slice(0, 16)}, not by ${receipt.device}`;
  return differenceInAction(action.value, encoded, receipt);
}

function differenceInAction(action: ActionOf<'receipt'>, encoded: Uint8Array, receipt: Receipt): string | undefined {
  if (action.capsule !== receipt.capsule || action.attempt !== receipt.attempt)
    return `the proof is of a receipt for attempt ${action.attempt} of capsule ${action.capsule}`;
  if (!sameBytes(action.receipt, domainDigest('receipt', encoded))) return 'the chain has the digest of another receipt';
  if (action.state === receipt.state && action.reason === receipt.reason) return undefined;
  return `the chain has the end ${action.state}, the receipt says ${receipt.state}`;
}
