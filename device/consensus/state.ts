/** What a member knows and waits for: the state of the consensus core. Pure. Specification §11-14. */
import type { Header, ReadBlock, TimeCertificate } from '#protocol/chain/block.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import type { ChainRequest, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Network } from '#protocol/network.ts';
import type { Sign } from '#protocol/signed.ts';
import type { VoteEffect } from '../votes/decision.ts';
import type { DecisionState } from '../votes/machine.ts';
import type { ChainArchive, Instant, KeptChain, TpmTask } from './events.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Outbox } from './outbox.ts';
import type { Position } from '../ledger/position.ts';
import type { TakenBlock, Tree } from './tree.ts';

/** A checkpoint that this member's operator vouches for, or layer 1 (§13.7). */
export interface Anchor {
  readonly number: number;
  readonly height: number;
  readonly block: Uint8Array;
  /** Where several chains of layer 1 hold it, or one alone; else it is the operator's. */
  readonly from?: 'layer-1' | 'one-chain';
}

/** On the way to the operator's checkpoint: until then this member takes, votes on and makes nothing. */
export interface Joining {
  readonly anchor: Anchor;
  /** From the checkpoint's block downwards, each the parent of the one before. */
  readonly path: ReadBlock[];
  /** Peers that lied, were silent or had nothing. */
  readonly failed: Set<string>;
  /** Vouchers that were retained by peers, by peer: they are said once to a connection. */
  readonly vouchers: Map<string, Uint8Array>;
  transfer: Transfer | undefined;
  asked: { readonly peer: string; readonly wanted: Wanted; readonly tries: number; readonly deadlineMs: number } | undefined;
  restUntilMs: number;
}

/** The state that one peer gives, in pieces. */
export interface Transfer {
  readonly peer: string;
  /** At which it stands: the checkpoint, or below it. */
  readonly block: Uint8Array;
  /** Bytes. */
  readonly total: number;
  readonly pieces: Uint8Array[];
  bytes: number;
  /** Joined. */
  state?: Uint8Array;
  /** The blocks are needed down to here; Infinity while the state has not been read. */
  fromHeight: number;
}

export interface ConsensusSetup {
  readonly network: Network;
  /** Node id of this member. */
  readonly node: Uint8Array;
  readonly operationalKey: Uint8Array;
  /** Ed25519 by the operational key. */
  readonly sign: Sign;
  readonly crypto: Crypto;
  readonly ledger: Ledger;
  readonly archive: ChainArchive;
  readonly kept: KeptChain;
  readonly at: Instant;
  readonly anchor?: Anchor;
}

export interface ConsensusState {
  readonly setup: ConsensusSetup;
  readonly networkId: Uint8Array;
  /** Node id of this member, hexadecimal. */
  readonly self: string;
  readonly toleranceMs: number;
  /** Unix time of the start, or of the end of the machine's last sleep. */
  onlineSinceMs: number;
  at: Instant;
  outbox: Outbox;
  readonly tree: Tree;
  head: TakenBlock;
  /** Whether the head must be chosen from the whole tree again: a checkpoint has changed, or the lock. */
  headInDoubt: boolean;
  /** The locked or backed block from which the head was chosen, hexadecimal; '' for none. */
  base: string;
  readonly arrivals: Arrivals;
  readonly finality: Finality;
  readonly early: EarlyBallots;
  readonly endorsements: Endorsements;
  readonly pool: Pool;
  readonly keys: Map<string, KnownKey[]>;
  readonly tpm: TpmDesk;
  ownWait: OwnWait | undefined;
  /** Greatest height of which this member has made a block that can still become final (§12.6). */
  ownHeight: number;
  ownVoucher: Uint8Array | undefined;
  /** Encoded vouchers that taken blocks have shown, by `node/key` (hexadecimal), the oldest first. */
  readonly shownVouchers: Map<string, Uint8Array>;
  readonly sync: Sync;
  /** Members whose equivocation is on its way to the chain. */
  readonly equivocators: Set<string>;
  /** Two certificates for one number: this member has stopped (§13.5). */
  conflict: { readonly first: FinalityCertificate; readonly second: FinalityCertificate } | undefined;
  announced: string;
  joining: Joining | undefined;
  /** Why the operator's checkpoint can't be started from: this member does not take part. */
  anchorFault: string | undefined;
}

/** From where a block came: its own maker, a peer unasked or as an answer, or this member's store. */
export type BlockSource = 'self' | 'gossip' | 'answer' | 'kept';

export interface Arrival {
  readonly block: ReadBlock;
  readonly key: string;
  readonly from: string;
  readonly source: BlockSource;
}

export interface HeldBlock extends Arrival {
  readonly position: Position;
  readonly waitMs: number;
  readonly seenMs: number;
}

export interface Arrivals {
  /** To be judged in this step, parents first. */
  readonly queue: Map<string, Arrival>;
  /** Judged, and not due yet (§12.4), or dated ahead of this member's clock (§11.2). */
  readonly held: Map<string, HeldBlock>;
  /** Whose parent is not taken; by key, the oldest first. */
  readonly orphans: Map<string, Arrival>;
  readonly childrenOf: Map<string, Set<string>>;
  orphanBytes: number;
  /** Wanted by a certificate or by half of the voters: taken whether due or not (§12.4). */
  readonly forced: Set<string>;
  /** Those of them that a certificate wants: taken whatever their dates (§11.2). */
  readonly certified: Set<string>;
  /** Wanted by votes or as ancestors: taken however many rivals there are. */
  readonly asked: Set<string>;
  /** Ids of blocks that are not good. */
  readonly refused: Set<string>;
  /** Digests of the bytes of blocks that were taken: most come several times. */
  readonly seen: Set<string>;
}

export interface Checkpoint {
  readonly number: number;
  readonly block: TakenBlock;
  readonly certificate: FinalityCertificate | undefined;
}

export interface Finality {
  last: Checkpoint;
  instance: Uint8Array;
  /** In the order of their ids. */
  voters: readonly Uint8Array[];
  decision: DecisionState;
  /** The decision has come to this; its certificate follows when the block is taken. */
  decided: (VoteEffect & { readonly effect: 'decided' }) | undefined;
  /** Blocks for which at least half of the voters of this decision have voted, hexadecimal. */
  readonly backed: Set<string>;
  /** The candidate that the decision knows of, hexadecimal. */
  candidate: string;
  /** Of the latest checkpoints: who voted, on what (§13.1), and the certificate. */
  readonly history: Map<number, PastCheckpoint>;
  /** Certificates that wait for the ones before them, or for their block; by number. */
  readonly pending: Map<number, PendingCertificate>;
  /** Instances that are decided, hexadecimal. */
  readonly past: Set<string>;
  /** This voter has voted on numbers below before it was restarted, and no longer knows what: it only watches there. */
  readonly votesFrom: number;
  /** Votes of before a restart, until their instance comes. */
  keptVotes: KeptChain['votes'];
  /** Height of the last state that was stored (§14.4). */
  stateHeight: number;
}

export interface PastCheckpoint {
  readonly voters: readonly Uint8Array[];
  readonly certificate: FinalityCertificate;
}

export interface PendingCertificate {
  readonly certificate: FinalityCertificate;
  readonly from: string;
  /** Judged, by this member or by the ledger in a taken block. */
  readonly judged: boolean;
}

/** Signed ballots and proposals that can't be counted yet: by an unknown key, or of another instance. */
export interface EarlyBallots {
  /** By the node that signed, or by the peer that said it where the key is not known; the oldest first. */
  readonly waiting: Map<string, EarlyBallot[]>;
  count: number;
  /** Digests of envelopes that were counted, or will never be. */
  readonly seen: Set<string>;
  /** Of the current instance: values of the ballots of a node, round and step, and of proposals, that were taken. */
  readonly slots: Map<string, readonly string[]>;
}

export interface EarlyBallot {
  readonly from: string;
  readonly payload: Uint8Array;
}

/** What voters say of their heads (§12.8). */
export interface Endorsements {
  /** By node: keys of the blocks that it has endorsed lately, by height. */
  readonly said: Map<string, Map<number, string>>;
  /** Who has endorsed two blocks of one height since the last checkpoint. */
  readonly contradicted: Set<string>;
  /** Number of the checkpoint since when this holds. */
  sinceNumber: number;
  /** Greatest height that this member has endorsed, or may have before its start. */
  ownHeight: number;
}

export interface PooledTransaction {
  readonly id: string;
  readonly encoded: Uint8Array;
  /** Node id of the peer that said it first; this member's own otherwise. */
  readonly from: string;
  /** Own, and not to be said. */
  readonly isHeld: boolean;
  /** Whose share of pool and block it takes: its author's, or where nobody signs it that of whoever said it. */
  readonly share: string;
  readonly sinceHeight: number;
  saidMs: number | undefined;
}

export interface Pool {
  readonly transactions: Map<string, PooledTransaction>;
  /** Refused by the state at the head: cleared when it moves. */
  readonly refused: Set<string>;
  bytes: number;
}

export interface KnownKey {
  readonly key: Uint8Array;
  /** Transaction with the voucher. */
  readonly transaction: Uint8Array;
}

/** The TPM answers one question at a time. */
export interface TpmDesk {
  asked: { readonly task: TpmTask; readonly atMs: number } | undefined;
  restUntilMs: number;
  /** Proofs by alpha, hexadecimal. */
  readonly proofs: Map<string, Uint8Array>;
}

export interface OwnWait {
  readonly parent: TakenBlock;
  readonly height: number;
  readonly alpha: Uint8Array;
  start: { readonly certificate: TimeCertificate; readonly atMs: number } | undefined;
  waitMs: number | undefined;
  /** Beyond the wait: what the TPM's clock was short of. */
  extraMs: number;
  composed: { readonly header: Header; readonly headerBytes: Uint8Array; readonly transactions: readonly Uint8Array[] } | undefined;
}

export type Wanted = ChainRequest['want'];

export interface Want {
  readonly key: string;
  readonly wanted: Wanted;
  /** Who should have it, best first; when they all failed it is given up. */
  readonly askable: Set<string>;
  /** Whether others than these may be asked. */
  readonly anyone: boolean;
  readonly failed: Set<string>;
  askedOf: string | undefined;
  deadlineMs: number;
}

export interface Peer {
  readonly name: string;
  /** Of peers that may have something, the one that spoke last is asked first. */
  heardMs: number;
  announcement: HeadAnnouncement | undefined;
  /** Ids of what it announces, hexadecimal. */
  headKey: string;
  announcedMs: number;
  /** Heights up to here have come from it, or were claimed in vain: the next range begins above. */
  cursor: number;
  /** Its announcement led to nothing: it is not followed until it says another one. */
  restUntilMs: number;
  want: string | undefined;
  answerBytes: number;
  answeredMs: number;
  /** Signature checks that came to nothing, as of the moment when that was last reckoned. */
  failedChecks: number;
  failedMs: number;
  /** Heights and leaders for which its announcements have had one more block taken. */
  readonly lifted: Set<string>;
}

export interface Sync {
  readonly peers: Map<string, Peer>;
  readonly wants: Map<string, Want>;
  /** Wants that were given up, and until when. */
  readonly resting: Map<string, number>;
  /** Peers that no longer have the blocks above this height, which is the last checkpoint's. */
  pruned: { readonly aboveHeight: number; readonly peers: Set<string>; isSaid: boolean };
}
