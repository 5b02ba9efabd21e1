/** What a member knows of the evidence of others and owes with its own: the state of the machine of trust. Pure. Specification §18. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type { Judges } from '#protocol/chain/judges.ts';
import type { SlotDraw } from '#protocol/chain/trust-state.ts';
import type { VerdictWord } from '#protocol/chain/verdict.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Network, TrustParameters } from '#protocol/network.ts';
import type { Sign } from '#protocol/signed.ts';
import type { Position } from '../ledger/position.ts';
import type { CastBallot } from '../votes/decision.ts';
import type { DecisionState } from '../votes/machine.ts';
import type { KeptVerdictVotes, TrustEffect, TrustTask } from './events.ts';

export interface TrustSetup {
  readonly network: Network;
  readonly trust: TrustParameters;
  /** Node id of this member. */
  readonly node: Uint8Array;
  readonly operationalKey: Uint8Array;
  /** Ed25519 by the operational key. */
  readonly sign: Sign;
  readonly crypto: Crypto;
  /** Of the branch that ends with the head told last, as far as it is kept. */
  readonly blockAt: (height: number) => ReadBlock | undefined;
  readonly kept: readonly KeptVerdictVotes[];
  /** The first slot of which this member knows all of its ballots; Infinity: it only watches. */
  readonly votesFromSlot: number;
}

export interface TrustState {
  readonly setup: TrustSetup;
  readonly networkId: Uint8Array;
  /** Node id of this member, hexadecimal. */
  readonly self: string;
  nowMs: number;
  outbox: TrustEffect[];
  head: Position | undefined;
  votesFromSlot: number;
  readonly branch: BranchMemory;
  /** By subject, slot and digest. */
  readonly evidence: Map<string, HeardEvidence>;
  /** By instance, hexadecimal. */
  readonly cases: Map<string, Case>;
  /** What this judge has stored of its votes, by instance: a branch may lead back to a slot that was over on another. */
  readonly kept: Map<string, KeptVerdictVotes>;
  /** Ballots and proposals on cases, or by keys, that are not known yet, by the digest of their bytes, the oldest first. */
  readonly early: Map<string, { readonly from: string; readonly payload: Uint8Array }>;
  /** Digests of messages that were counted, or never will be. */
  readonly seen: Set<string>;
  /** Checks of signatures that came to nothing since the head moved, by who said it. */
  readonly failedChecks: Map<string, number>;
  readonly desk: ChipDesk;
  /** The slot for which evidence was made and submitted since the start. */
  shownSlot: number | undefined;
  /** What was reported and is not reported again, the oldest first. */
  readonly told: Set<string>;
  /** What each member's trust is at the head, by node. */
  readonly standing: Map<string, string>;
}

/** What the blocks of the head's branch have said, as far back as slots are judged. */
export interface BranchMemory {
  /** Ids by height, hexadecimal. */
  readonly ids: Map<number, string>;
  /** The checkpoint that is certified with the block of a height. */
  readonly certified: Map<number, { readonly number: number; readonly block: Uint8Array }>;
}

export interface HeardEvidence {
  readonly subject: string;
  readonly slot: number;
  readonly digest: Uint8Array;
  readonly momentHeight: number;
  /** Encoded `MemberEvidence`, until it has a word that stays. */
  encoded: Uint8Array | undefined;
  word: VerdictWord | undefined;
}

/** The judgement of one slot of one member, at one level. */
export interface Case {
  readonly subject: Uint8Array;
  readonly slot: number;
  readonly level: 0 | 1;
  readonly instance: Uint8Array;
  /** By which the judges were drawn: another branch may have another one for the slot. */
  readonly draw: SlotDraw;
  readonly judges: Judges;
  readonly decision: DecisionState;
  /** The chain has its verdict, or the slot is over: nothing more is said. */
  closed: boolean;
  candidate: string;
  decided: { readonly round: number; readonly value: Uint8Array } | undefined;
  /** Precommits for what is decided, by node. */
  readonly precommits: Map<string, CastBallot>;
  /** Of each judge the first ballot for each value that is a word for evidence that was heard. */
  readonly said: Map<string, Map<string, CastBallot>>;
  /** Values of the ballots of a node, round and step that were taken. */
  readonly slots: Map<string, string[]>;
}

/** The chip answers one question at a time. */
export interface ChipDesk {
  asked: { readonly task: TrustTask; readonly atMs: number } | undefined;
  restUntilMs: number;
  /** By alpha, hexadecimal. */
  readonly proofs: Map<string, Uint8Array>;
}
