/** Trust in the replicated state. Specification §18.1, §18.6. */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { bytes, integer, list, oneOf, optional, struct, type Infer } from '../schema.ts';
import { BootKey } from './boot-key.ts';
import { Height } from './finality-certificate.ts';
import { VERDICT_WORDS, VerdictWord } from './verdict.ts';

const TrustWord = oneOf(...VERDICT_WORDS, 'unreachable');

/** What a slot's first block fixes for all draws of the slot. */
export const SlotDraw = struct({
  slot: Height,
  /** Of the epoch, at that block. */
  seed: Digest,
  /** In force at that block, in the order of node ids. */
  seats: list(Digest, { max: LIMITS.chainMembersMax }),
  /** A byte for each seat: its weight as a drawn judge, or 0. */
  weights: bytes({ max: LIMITS.chainMembersMax }),
});
export type SlotDraw = Infer<typeof SlotDraw>;

/** A slot in which the member has shown evidence. */
export const JudgedSlot = struct({
  slot: Height,
  /** `memberEvidenceDigest`. */
  evidence: Digest,
  /** Chain time of the block with the evidence, Unix ms. */
  timeMs: Height,
  /** As the quote claims it. */
  boot: BootKey,
  /** Whether the event log comes to PCR 14: a planted challenge has one that does not. */
  log: oneOf('replays', 'differs'),
  /** Of level 0: `before` is the word that it replaced. */
  verdict: optional(struct({ word: VerdictWord, height: Height, before: TrustWord, voters: list(Digest, { max: LIMITS.committeeSize }) })),
  appealedBy: optional(Digest),
  /** Judges with the contrary word, whose ballots the appeal has shown. */
  dissent: optional(list(Digest, { min: 1, max: LIMITS.judgesMax })),
  /** By level 1 with its word, or by the subject. */
  closed: optional(oneOf(...VERDICT_WORDS, 'revealed')),
});
export type JudgedSlot = Infer<typeof JudgedSlot>;

export const MemberTrust = struct({
  /** §19. */
  credit: integer({ min: 0, max: LIMITS.creditMax }),
  /** The number of the last checkpoint until which a verdict holds. */
  attestedUntil: Height,
  word: TrustWord,
  /** Number of the checkpoint at the last verdict in which its vote stands. */
  judgedIn: Height,
  /** When all seats took its seat away. */
  demotedHeight: optional(Height),
  /** Of the last evidence that was trusted. */
  boot: optional(BootKey),
  /** Rising. */
  slots: list(JudgedSlot, { max: LIMITS.trustSlotsKept }),
});
export type MemberTrust = Infer<typeof MemberTrust>;

/** How it stands with a member, for people: `unreachable` is still trusted until its time has passed. */
export type TrustStanding = MemberTrust['word'] | 'stale';

/** @param checkpoint number of the last certified one */
export function trustStanding(trust: MemberTrust, checkpoint: number): TrustStanding {
  if (isSuspended(trust)) return trust.word;
  return isTrusted(trust, checkpoint) ? trust.word : 'stale';
}

/** Whether it has no work and judges nobody: a verdict speaks against it. */
export function isSuspended({ word }: MemberTrust): boolean {
  return word === 'untrusted' || word === 'disputed';
}

/** @param checkpoint number of the last certified one */
export function isTrusted(trust: MemberTrust, checkpoint: number): boolean {
  return !isSuspended(trust) && trust.attestedUntil >= checkpoint;
}
