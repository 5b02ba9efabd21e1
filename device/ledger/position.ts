/** Where on the chain a rule is applied. Pure. Specification §11. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Network } from '#protocol/network.ts';

export interface LedgerContext {
  readonly network: Network;
  readonly networkId: Uint8Array;
  readonly crypto: Crypto;
}

/** A block's place and the state after it. */
export interface Position {
  readonly id: Uint8Array;
  readonly height: number;
  /** Chain time, Unix ms (§11.2); 0 for the genesis block. */
  readonly timeMs: number;
  readonly state: ChainState;
}

/** The branch that ends with the parent of the block being judged, the parent included. */
export interface Branch {
  /** Id of its block at a height, as far as it is known. */
  ancestorAt(height: number): Uint8Array | undefined;
}

/** Who leads a block, and the VRF output of its draw. */
export interface Lead {
  readonly node: Uint8Array;
  readonly output: Uint8Array;
}

/** The block in which a transaction would stand. */
export interface Place {
  readonly context: LedgerContext;
  /** Node and VRF output of its leader; absent while nobody leads it yet. */
  readonly lead?: Lead;
  readonly height: number;
  /** Chain time of the block, Unix ms. */
  readonly timeMs: number;
  /** Below the block. */
  readonly branch: Branch;
}
