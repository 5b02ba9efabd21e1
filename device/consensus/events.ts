/**
 * What the consensus core (machine.ts) is told, and what it wants done. Pure. Specification §11-14.
 *
 * The TPM is a party that one asks and that answers later, or not at all. Effects are performed in their order: what must
 * survive is on the disk before anybody hears of it.
 */
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import type { ReadBlock, TimeCertificate } from '#protocol/chain/block.ts';
import type { Position } from '../ledger/position.ts';

/** Both clocks of a member: one that only goes forward, and Unix time. */
export interface Instant {
  readonly monotonicMs: number;
  readonly unixMs: number;
}

export const MESSAGE_KINDS = ['block', 'transaction', 'ballot', 'head', 'request', 'response', 'voucher'] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

export type TpmTask =
  /** RSA-FDH-VRF proof over `alpha`, the draw for `height` (§12.2). */
  | { readonly task: 'prove-draw'; readonly height: number; readonly alpha: Uint8Array }
  /** TPM2_GetTime with this qualifying data. */
  | { readonly task: 'certify-start'; readonly parent: Uint8Array; readonly qualifier: Uint8Array }
  | { readonly task: 'certify-end'; readonly header: Uint8Array; readonly qualifier: Uint8Array }
  /** TPM2_Quote over PCRs 8 and 14 for the operational key (§11.3): encoded `Voucher`. */
  | { readonly task: 'make-voucher' };

export type ConsensusEvent = { readonly at: Instant } & (
  | { readonly type: 'ticked' }
  /** `from`: node id (hexadecimal) of the member on whose broker it was published. */
  | { readonly type: 'received'; readonly from: string; readonly kind: MessageKind; readonly payload: Uint8Array }
  /** A peer's broker can be reached (again). */
  | { readonly type: 'peerReached'; readonly peer: string }
  /** Of this member, encoded; `held`: not said, but for the next block that it leads. */
  | { readonly type: 'transactionMade'; readonly transaction: Uint8Array; readonly gossip?: 'said' | 'held' }
  | { readonly type: 'drawProved'; readonly alpha: Uint8Array; readonly proof: Uint8Array }
  | { readonly type: 'startCertified'; readonly parent: Uint8Array; readonly certificate: TimeCertificate }
  | { readonly type: 'endCertified'; readonly header: Uint8Array; readonly certificate: TimeCertificate }
  | { readonly type: 'voucherMade'; readonly voucher: Uint8Array }
  /** Busy, locked or reset; it is asked again. */
  | { readonly type: 'tpmFailed'; readonly task: TpmTask }
);

/** What the store keeps. */
export type ChainRecord =
  /** `own`: made by this member, which uses its height and those below no more as long as the block can become final (§12.6). */
  | { readonly record: 'block'; readonly block: ReadBlock; readonly own: boolean }
  /** What this member made above this height has lost: it may make blocks of these heights anew (§12.6). */
  | { readonly record: 'ownHeight'; readonly height: number }
  | { readonly record: 'votes'; readonly instance: Uint8Array; readonly votes: Uint8Array }
  | { readonly record: 'certificate'; readonly certificate: FinalityCertificate }
  /** The state of a checkpoint, encoded (`encodeState` in state-encoding.ts). */
  | ({ readonly record: 'state' } & KeptState)
  /** What lost below this finalised height may go; what was finalised, as far below it as is kept (§14.4). */
  | { readonly record: 'prune'; readonly belowHeight: number };

export type ConsensusReport =
  | { readonly report: 'headMoved'; readonly block: ReadBlock; readonly depth: number }
  | {
      readonly report: 'checkpointFinalised';
      readonly certificate: FinalityCertificate;
      readonly afterMs: number;
      /** The block, with its state; and the height of the checkpoint before. */
      readonly position: Position;
      readonly aboveHeight: number;
    }
  | { readonly report: 'blockMade'; readonly block: ReadBlock; readonly waitMs: number }
  | { readonly report: 'blockRefused'; readonly from: string; readonly height: number; readonly reason: string; readonly detail: string }
  | {
      readonly report: 'messageRefused';
      readonly from: string;
      readonly kind: MessageKind;
      readonly reason: string;
      readonly detail: string;
    }
  /** This member goes on from its operator's checkpoint (§13.7). */
  | { readonly report: 'startedFromCheckpoint'; readonly number: number; readonly height: number; readonly block: Uint8Array }
  /** The operator's checkpoint and the chain contradict each other: this member does not take part. */
  | { readonly report: 'anchorContradicted'; readonly detail: string }
  /** The same of a checkpoint that one chain of layer 1 alone holds: this member goes on. */
  | { readonly report: 'anchorDoubted'; readonly detail: string }
  /** So many peers no longer have the blocks above the last checkpoint here: a newer one is needed (§13.7). */
  | { readonly report: 'awayTooLong'; readonly height: number; readonly peers: number }
  | { readonly report: 'equivocation'; readonly node: string; readonly of: 'block' | 'ballot' | 'verdict-ballot' }
  /** Two certificates for one number (§13.5): this member stops. */
  | { readonly report: 'conflictingCertificates'; readonly first: FinalityCertificate; readonly second: FinalityCertificate };

export type ConsensusEffect =
  /** In one durable transaction. */
  | { readonly effect: 'persist'; readonly records: readonly ChainRecord[] }
  | {
      readonly effect: 'broadcast';
      readonly kind: Exclude<MessageKind, 'response'>;
      readonly payload: Uint8Array;
      readonly retain: boolean;
    }
  | { readonly effect: 'send'; readonly to: string; readonly kind: 'response'; readonly payload: Uint8Array }
  | { readonly effect: 'ask'; readonly task: TpmTask }
  | { readonly effect: 'report'; readonly report: ConsensusReport }
  /** Nothing is due before this moment of the monotonic clock; replaces the last one. */
  | { readonly effect: 'wakeAt'; readonly monotonicMs: number };

/** `start`: number of the checkpoint, where this member started from it on its operator's word and has no certificate of it. */
export interface KeptState {
  readonly height: number;
  readonly block: Uint8Array;
  readonly state: Uint8Array;
  readonly start?: number;
}

/** What a device keeps of the chain and gives back at its start. */
export interface KeptChain {
  /** The state of the last kept checkpoint; absent at the genesis. */
  readonly state?: KeptState;
  /** Above that, every block in the order in which it was taken. */
  readonly blocks: readonly { readonly block: ReadBlock; readonly own: boolean }[];
  readonly certificates: readonly FinalityCertificate[];
  readonly votes?: { readonly instance: Uint8Array; readonly votes: Uint8Array };
  /** The greatest height of which this member has made a block that can still become final. */
  readonly ownHeight: number;
}

/** Blocks that the core no longer holds in memory: the host's store, read synchronously. A port. */
export interface ChainArchive {
  block(id: Uint8Array): Uint8Array | undefined;
  /** Of the finalised chain. */
  blockAt(height: number): Uint8Array | undefined;
  certificate(number: number): FinalityCertificate | undefined;
  state(block: Uint8Array): Uint8Array | undefined;
  /** Encoded voucher of a member for an operational key that the finalised chain has, or had. Others may vouch for the same key. */
  voucherFor(node: Uint8Array, key: Uint8Array): Uint8Array | undefined;
  /** Block of the highest state that is kept, at most at this height. */
  stateBlockUpTo(height: number): Uint8Array | undefined;
}
