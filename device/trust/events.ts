/**
 * What the machine of trust (machine.ts) is told, and what it wants done. Pure. Specification §18.
 *
 * The chip is a party that one asks and that answers later, or not at all. Effects are performed in their order: a ballot is on the disk
 * before anybody hears of it.
 */
import type { Position } from '../ledger/position.ts';

/** A slot of a member. */
export interface SlotSubject {
  /** Node id, hexadecimal. */
  readonly subject: string;
  readonly slot: number;
}

export type TrustTask =
  /** RSA-FDH-VRF proof over `alpha`: the moment of a slot, or whether the slot is planted (§18.1, §18.7). */
  | { readonly task: 'prove'; readonly alpha: Uint8Array }
  /** TPM2_Quote over PCRs 8 and 14 about this checkpoint: encoded `MemberEvidence` (§18.2). */
  | { readonly task: 'make-evidence'; readonly slot: number; readonly checkpoint: { readonly number: number; readonly block: Uint8Array } };

/** `nowMs` is the member's monotonic clock. */
export type TrustEvent = { readonly nowMs: number } & (
  | { readonly type: 'ticked' }
  /** The head, and with it the branch of `blockAt`, is another one, or stands where it stood at the start. */
  | { readonly type: 'headMoved'; readonly head: Position }
  /** A transaction that the pool has taken: evidence is judged before a block holds it. */
  | { readonly type: 'transactionHeard'; readonly transaction: Uint8Array }
  /** On `gossip/verdict`. `from`: whoever published it, by whatever name bounds are kept. */
  | { readonly type: 'received'; readonly from: string; readonly payload: Uint8Array }
  | { readonly type: 'proved'; readonly alpha: Uint8Array; readonly proof: Uint8Array }
  | { readonly type: 'evidenceMade'; readonly slot: number; readonly evidence: Uint8Array }
  | { readonly type: 'chipFailed'; readonly task: TrustTask }
  /** This member may have forgotten ballots (§14.4): from this slot on it votes again. */
  | { readonly type: 'mayVote'; readonly fromSlot: number }
);

export type TrustReport =
  | { readonly report: 'evidenceShown'; readonly slot: number; readonly planted: boolean }
  /** What this member finds evidence of another worth. */
  | ({ readonly report: 'evidenceJudged'; readonly word: string; readonly reason: string; readonly detail: string } & SlotSubject)
  /** A verdict stands on the branch of the head. */
  | ({ readonly report: 'verdictStands'; readonly level: number; readonly word: string } & SlotSubject)
  | ({ readonly report: 'appealed'; readonly ballots: number } & SlotSubject)
  | ({ readonly report: 'revealed' } & SlotSubject)
  /** `stale`: no verdict has renewed it in time. */
  | { readonly report: 'trustChanged'; readonly subject: string; readonly from: string; readonly to: string }
  | { readonly report: 'equivocation'; readonly node: string };

export type TrustEffect =
  /** Durable before what follows: what this judge has voted on (`encodeVoteRecord`). */
  | { readonly effect: 'keepVotes'; readonly instance: Uint8Array; readonly slot: number; readonly votes: Uint8Array }
  /** No branch judges these slots any more: their ballots may go, and this member votes in none of them again. */
  | { readonly effect: 'forgetVotes'; readonly belowSlot: number }
  /** On `gossip/verdict`. */
  | { readonly effect: 'broadcast'; readonly payload: Uint8Array }
  /** A transaction of this member: `said` until it is in a block, or `held` for a block of its own, since others have the same to say. */
  | { readonly effect: 'submit'; readonly transaction: Uint8Array; readonly gossip: 'said' | 'held' }
  | { readonly effect: 'ask'; readonly task: TrustTask }
  | { readonly effect: 'report'; readonly report: TrustReport }
  /** Nothing is due before this moment of the monotonic clock; replaces the last one. */
  | { readonly effect: 'wakeAt'; readonly atMs: number };

/** What a judge has stored before it was restarted. */
export interface KeptVerdictVotes {
  readonly instance: Uint8Array;
  readonly slot: number;
  readonly votes: Uint8Array;
}
