/** The chain as the other rooms of a device use it: they act, and look at the state that follows. A port. Specification §11, §15. */
import type { ChainQuestion, ChainView as ShownChain } from '#protocol/chain/chain-view.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { Action } from '#protocol/chain/transaction.ts';

/** A block of the chain as this member sees it at the moment. */
export interface ChainView {
  readonly id: Uint8Array;
  readonly height: number;
  /** Chain time, Unix ms. */
  readonly timeMs: number;
  readonly state: ChainState;
}

/** A checkpoint that was just certified, or was when this device began. */
export interface CertifiedCheckpoint extends ChainView {
  readonly number: number;
  /** Height of the checkpoint before; undefined where this device does not know it. */
  readonly aboveHeight: number | undefined;
}

/** Where a transaction stands. */
export type Inclusion =
  | { readonly status: 'unknown' }
  | { readonly status: 'not-final'; readonly height: number; readonly block: Uint8Array }
  /** `proof`: encoded `FinalityProof` (§13.6). */
  | {
      readonly status: 'final';
      readonly height: number;
      readonly block: Uint8Array;
      readonly checkpoint: number;
      readonly proof: Uint8Array;
    };

export interface Chain {
  /** This member's node id. */
  readonly node: Uint8Array;
  /** Signs an action with the operational key and has it gossiped until it is in a block, or is refused by the state. The same action again is the same. */
  act(action: Action): void;
  head(): ChainView;
  finalised(): ChainView & { readonly number: number; readonly certificate?: FinalityCertificate };
  /** Where the transaction stands with which the executor has put this receipt (D(`receipt`, signed receipt)) on the chain. */
  receiptInclusion(capsule: string, receipt: Uint8Array): Inclusion;
  /** Called after every change of the head, and after every checkpoint. */
  onChange(handler: () => void): void;
}

/** The chain for whoever needs every checkpoint. */
export interface Checkpoints {
  /** Called with the last one at once, and with each that follows, in order: none is left out but by a start from a later one (§13.7). */
  onCheckpoint(handler: (checkpoint: CertifiedCheckpoint) => void): void;
}

/** The chain as people are shown it (§14.5). */
export type ShowChain = (
  question: ChainQuestion,
) =>
  | { readonly status: 'shown'; readonly view: ShownChain }
  | { readonly status: 'refused'; readonly reason: 'unknown-block' | 'no-proof' | 'unknown-evidence'; readonly detail: string };
