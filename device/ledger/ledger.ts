/**
 * The ledger: the rules of the chain as a member applies them, from the state below to the state above. Pure.
 * Specification §11-12, §13.4, §15.
 */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { judgeBlock, type BlockVerdict } from './block-rules.ts';
import { votersAfter } from './checkpoints.ts';
import { compose, type Composed, type Leader } from './composing.ts';
import { drawOf, waitAbove, type DrawVerdict } from './member-draw.ts';
import { genesisPosition } from './genesis.ts';
import { isKeyOf } from './member-identity.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Branch, LedgerContext, Position } from './position.ts';
import { rememberingSignatures } from './remembered-signatures.ts';
import type { TransactionRefusal } from './transaction-refusal.ts';
import { applyTransaction } from './transaction-rules.ts';

export type TransactionVerdict =
  { readonly status: 'accepted' } | { readonly status: 'refused'; readonly reason: TransactionRefusal; readonly detail: string };

export interface Ledger {
  /** The port that the ledger checks with: a ballot that was checked by it needs no second check in a certificate. */
  readonly crypto: Crypto;
  genesis(): Position;
  /** What a member needs to wait for `parent.height + 1`. */
  draw(parent: Position, node: Uint8Array): DrawVerdict;
  /** @param output VRF output of the draw for `parent.height + 1` */
  waitMs(parent: Position, output: Uint8Array): number;
  /** Whether the block may follow its parent. How far its time may lie ahead of a clock is for whoever has one (§11.2). */
  judgeBlock(block: ReadBlock, parent: Position, branch: Branch): BlockVerdict;
  /**
   * For a pool: could this stand in the next block? On another head it may be otherwise.
   * @param timeMs chain time that the next block would have, at least `at.timeMs`: the clock of whoever asks
   */
  judgeTransaction(encoded: Uint8Array, at: Position, branch: Branch, timeMs: number): TransactionVerdict;
  /**
   * The body of a block of `leader` on `parent`: the candidates in their order, as far as they are good and fit. Vouchers stand
   * before what their keys have signed.
   */
  compose(parent: Position, leader: Leader, candidates: readonly Uint8Array[], branch: Branch): Composed;
  /** Voters of checkpoint `number`, which follows the one whose position this is (§13.1): node ids in order. */
  voters(checkpoint: Position, number: number): readonly Uint8Array[];
  /** Whether a ballot of `node` may be signed by `key` in this state. */
  isKeyOf(state: ChainState, node: Uint8Array, key: Uint8Array): boolean;
}

export function createLedger(given: LedgerContext): Ledger {
  const context = { ...given, crypto: rememberingSignatures(given.crypto, DEVICE_LIMITS.rememberedSignaturesMax) };
  const genesis = genesisPosition(context);
  return {
    crypto: context.crypto,
    genesis: () => genesis,
    draw: (parent, node) => drawOf(context, parent, node),
    waitMs: (parent, output) => waitAbove(context, parent, output),
    judgeBlock: (block, parent, branch) => judgeBlock(context, block, parent, branch),
    judgeTransaction: (encoded, at, branch, timeMs) => {
      const outcome = applyTransaction(at.state, encoded, { context, height: at.height + 1, timeMs, branch });
      return outcome.status === 'refused' ? outcome : { status: 'accepted' };
    },
    compose: (parent, leader, candidates, branch) => compose(context, parent, leader, candidates, branch),
    voters: (checkpoint, number) => votersAfter(checkpoint.state, context.networkId, number),
    isKeyOf,
  };
}
