/** What the host of the core is given: its network, chip, disk and the way to others, and whom it tells. Specification §11-14. */
import type { Crypto } from '#protocol/crypto.ts';
import type { Member, Network } from '#protocol/network.ts';
import type { ChainKind, PeerKind } from '#protocol/topics.ts';
import type { Anchor } from '../consensus/machine.ts';
import type { Log } from '../ports.ts';
import type { ChainStore } from '../store/chain-store.ts';
import type { ConsensusChip } from './chip-tasks.ts';

/** The way to the other members, by name: `GossipNetwork`. */
export interface ChainGossip {
  broadcast(kind: ChainKind, payload: Uint8Array, retain: boolean): void;
  tell(peerName: string, kind: PeerKind, payload: Uint8Array): void;
  onChain(handler: (peerName: string, kind: ChainKind | 'response', payload: Uint8Array) => void): void;
  onReach(handler: (peerName: string, reach: 'connected' | 'lost') => void): void;
  isReached(peerName: string): boolean;
}

export interface ConsensusRequest {
  readonly network: Network;
  readonly crypto: Crypto;
  readonly chip: ConsensusChip;
  readonly store: ChainStore;
  readonly gossip: ChainGossip;
  readonly log: Log;
  /** A checkpoint that the operator vouches for (§13.7). */
  readonly anchor?: Anchor;
  /** A transaction that is good at the head and in no block yet. */
  readonly onTransaction?: (transaction: Uint8Array) => void;
  /** Members and applicants of the finalised state, whenever they are others than before. */
  readonly onMembers: (members: readonly Member[]) => void;
  /** The program should end: the TPM or the disk is gone. Called at most once; nothing more is said. */
  readonly onFailure: (error: unknown) => void;
}
