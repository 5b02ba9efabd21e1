/** The rules of the chain: which block may follow another, and what it changes. Pure. Specification §11-12, §13.4, §15. */
import type { ReadBlock, TimeCertificate } from '#protocol/chain/block.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { BlockRefusal } from './block-rules.ts';
import type { Branch, LedgerContext, Position } from './position.ts';
import type { TransactionRefusal } from './transaction-refusal.ts';

export type DrawVerdict =
  | { readonly status: 'drawn'; readonly alpha: Uint8Array }
  | { readonly status: 'no-seat'; readonly reason: 'not-a-member' | 'not-yet'; readonly detail: string };

export type BlockVerdict =
  | { readonly status: 'accepted'; readonly position: Position; readonly waitMs: number; readonly output: Uint8Array }
  | { readonly status: 'refused'; readonly reason: BlockRefusal; readonly detail: string };

export type TransactionVerdict =
  { readonly status: 'accepted' } | { readonly status: 'refused'; readonly reason: TransactionRefusal; readonly detail: string };

/** Who leads the block that is being composed: its VRF output for this height, its start certificate and the block's chain time. */
export interface Leader {
  readonly node: Uint8Array;
  readonly output: Uint8Array;
  readonly start: TimeCertificate;
  readonly timeMs: number;
}

export interface Composed {
  readonly transactions: Uint8Array[];
  /** Merkle root of the transactions' ids: `header.transactions`. */
  readonly root: Uint8Array;
  readonly state: ChainState;
  /** `header.state`. */
  readonly stateRoot: Uint8Array;
  /** Candidates that can't stand here; those that only did not fit are neither here nor in `transactions`. */
  readonly refused: { readonly id: Uint8Array; readonly reason: TransactionRefusal; readonly detail: string }[];
}

export interface Ledger {
  genesis(): Position;
  /** What a member needs to wait for `parent.height + 1`. */
  draw(parent: Position, node: Uint8Array): DrawVerdict;
  /** @param output VRF output of the draw for `parent.height + 1` */
  waitMs(parent: Position, output: Uint8Array): number;
  /** Whether the block may follow its parent. How far its time may lie ahead of a clock is for whoever has one (§11.2). */
  judgeBlock(block: ReadBlock, parent: Position, branch: Branch): BlockVerdict;
  /**
   * For a pool: could this stand in the next block?
   * @param timeMs chain time that the next block would have, at least `at.timeMs`: the clock of whoever asks
   */
  judgeTransaction(encoded: Uint8Array, at: Position, branch: Branch, timeMs: number): TransactionVerdict;
  /** The body of a block of `leader` on `parent`: the candidates in their order, as far as they are good and fit. */
  compose(parent: Position, leader: Leader, candidates: readonly Uint8Array[], branch: Branch): Composed;
  /** Voters of checkpoint `number`, which follows the one whose position this is (§13.1): node ids in order. */
  voters(checkpoint: Position, number: number): readonly Uint8Array[];
  /** Whether a ballot of `node` may be signed by `key` in this state. */
  isKeyOf(state: ChainState, node: Uint8Array, key: Uint8Array): boolean;
}

export function createLedger(context: LedgerContext): Ledger {
  throw new Error(`the rules of ${context.network.genesis.name} are not here`);
}
