/**
 * The judgement of a receipt by the gateway that ordered the run: does it hold, and is it of this order, this attempt, this
 * box? Pure. Specification §9.2, §15.4.
 */
import type { Report } from '#protocol/box-messages.ts';
import { sameBytes } from '#protocol/codec.ts';
import type { Receipt } from '#protocol/receipt.ts';
import { judgeReceipt, type ReceiptRefusal, type VerifierContext } from '#protocol/receipt-verifier.ts';
import type { Executor } from './order.ts';

/** What the gateway knows for itself. */
export interface OrderedRun {
  readonly gateway: { readonly node: Uint8Array; readonly device: string };
  readonly capsule: string;
  readonly client: string;
  readonly request: Uint8Array;
  readonly manifest: Uint8Array;
  readonly acceptedAtMs: number;
  readonly attempt: number;
  readonly executor: Executor;
}

export type OrderReceiptRefusal =
  ReceiptRefusal | 'other-gateway' | 'other-submission' | 'other-attempt' | 'other-executor' | 'other-box' | 'other-manifest';

export type OrderReceiptVerdict =
  | { readonly status: 'accepted'; readonly receipt: Receipt; readonly report: Report }
  | { readonly status: 'refused'; readonly reason: OrderReceiptRefusal; readonly detail: string };

export function judgeOrderReceipt(encoded: Uint8Array, ordered: OrderedRun, context: VerifierContext): OrderReceiptVerdict {
  const verdict = judgeReceipt(encoded, context);
  if (verdict.status === 'refused') return { status: 'refused', reason: verdict.reason, detail: verdict.detail };
  const { receipt, report } = verdict;
  return differenceOf(receipt, ordered) ?? { status: 'accepted', receipt, report };
}

function differenceOf(receipt: Receipt, ordered: OrderedRun): OrderReceiptVerdict | undefined {
  const { gateway, executor } = ordered;
  if (!sameBytes(receipt.gateway.node, gateway.node) || receipt.gateway.device !== gateway.device)
    return refused('other-gateway', `the receipt is for gateway ${receipt.gateway.device}, this is ${gateway.device}`);
  if (receipt.capsule !== ordered.capsule || receipt.client !== ordered.client || !sameBytes(receipt.request, ordered.request))
    return refused('other-submission', `the receipt is of capsule ${receipt.capsule} of client ${receipt.client}`);
  if (!sameBytes(receipt.manifest, ordered.manifest)) return refused('other-manifest', 'the receipt is of another manifest');
  if (receipt.acceptedAtMs !== ordered.acceptedAtMs)
    return refused('other-submission', `the receipt says accepted at ${receipt.acceptedAtMs}; it was at ${ordered.acceptedAtMs}`);
  if (receipt.attempt !== ordered.attempt)
    return refused('other-attempt', `the receipt is of attempt ${receipt.attempt}, not ${ordered.attempt}`);
  if (!sameBytes(receipt.node, executor.node) || receipt.device !== executor.device)
    return refused('other-executor', `the receipt is by device ${receipt.device}; the chain has drawn a box of ${executor.device}`);
  return differenceInBox(receipt, executor);
}

function differenceInBox({ box }: Receipt, executor: Executor): OrderReceiptVerdict | undefined {
  if (box.name !== executor.box) return refused('other-box', `the receipt is of box ${box.name}; the chain has drawn ${executor.box}`);
  if (executor.key && sameBytes(box.key, executor.key)) return undefined;
  return refused('other-box', `the receipt is signed by another key than the one that the chain has of box ${box.name}`);
}

function refused(reason: OrderReceiptRefusal, detail: string): OrderReceiptVerdict {
  return { status: 'refused', reason, detail };
}
