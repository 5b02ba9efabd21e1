/**
 * Whether a receipt stands under an anchor, or is certified by the seats of one: its finality for whoever knows a contract's address and has no
 * network file. Specification §20.10.
 */
import { FinalityProof, requireBranch, requireInclusion, type FinalityProofRefusal } from '../chain/finality-proof.ts';
import { ProofFault, type BareBlock } from '../chain/shown-checkpoint.ts';
import { transactionId } from '../chain/transaction.ts';
import { decodeStrict, sameBytes } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { networkId } from '../network.ts';
import { differenceFromReceipt, judgeReceiptFinality, type FinalReceipt } from '../receipt-finality.ts';
import type { Receipt } from '../receipt.ts';
import type { TrustedAnchor } from './anchor-file.ts';

export type AnchoredReceiptRefusal = FinalityProofRefusal | 'other-transaction' | 'link-missing' | 'other-branch';

/** Each block up to that of the anchor stands on the one before, so the anchor itself commits to the receipt. */
export interface ReceiptUnderAnchor {
  readonly status: 'anchored';
  readonly epoch: number;
  readonly transactionId: Uint8Array;
  readonly height: number;
  readonly block: Uint8Array;
  /** Chain time of its block, Unix ms. */
  readonly timeMs: number;
  /** From its block up to that of the anchor. */
  readonly blocks: number;
}

export type AnchoredReceiptVerdict =
  | ReceiptUnderAnchor
  /** It is later than the anchor, and a checkpoint that the anchor's seats have certified holds it. */
  | FinalReceipt
  | { readonly status: 'refused'; readonly reason: AnchoredReceiptRefusal; readonly detail: string };

export interface ShownReceipt {
  /** As it was signed, and what `judgeReceipt` has found in it. */
  readonly encoded: Uint8Array;
  readonly receipt: Receipt;
  /** Encoded `FinalityProof`, foreign. */
  readonly proof: Uint8Array;
  /** Above the block of the receipt, up to that of the anchor, where the anchor is not below. */
  readonly link: readonly BareBlock[];
}

export function judgeAnchoredReceipt(shown: ShownReceipt, anchor: TrustedAnchor, crypto: Crypto): AnchoredReceiptVerdict {
  const { network, start, header } = anchor;
  const decoded = decodeStrict(FinalityProof, shown.proof, LIMITS.finalityProofBytesMax);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  try {
    const { lowest } = requireBranch(decoded.value.blocks.slice(0, 1), networkId(network));
    if (lowest.header.height <= header.height) return judgeUnder(shown, decoded.value, anchor);
    return judgeReceiptFinality(shown.encoded, shown.receipt, shown.proof, { network, crypto, start });
  } catch (error) {
    if (error instanceof ProofFault) return refused(error.reason, error.message);
    throw error;
  }
}

/** Nobody's signature is needed: the id of a block commits to all below it. @throws ProofFault */
function judgeUnder(
  { encoded, receipt, link }: ShownReceipt,
  proof: FinalityProof,
  { header, network }: TrustedAnchor,
): AnchoredReceiptVerdict {
  const { lowest, highest } = requireBranch([...proof.blocks.slice(0, 1), ...link], networkId(network));
  if (highest.header.height !== header.height)
    return refused(
      'link-missing',
      `the receipt stands in block ${lowest.header.height}, the anchor is of block ${header.height}; the blocks shown end at ${highest.header.height}`,
    );
  if (!sameBytes(highest.id, header.blockId))
    return refused(
      'other-branch',
      `the blocks lead to ${hex(highest.id)} at height ${header.height}; the anchor is of ${hex(header.blockId)}`,
    );
  requireInclusion(proof, lowest.header);
  const difference = differenceFromReceipt(proof.transaction, encoded, receipt);
  if (difference !== undefined) return refused('other-transaction', difference);
  const { height, timeMs } = lowest.header;
  const place = { height, block: lowest.id, timeMs, blocks: link.length };
  return { status: 'anchored', epoch: header.epoch, transactionId: transactionId(proof.transaction), ...place };
}

function refused(reason: AnchoredReceiptRefusal, detail: string): AnchoredReceiptVerdict {
  return { status: 'refused', reason, detail };
}
