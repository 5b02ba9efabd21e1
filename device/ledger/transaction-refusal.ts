/** Why a transaction can't stand in a block. Pure. Specification §11.3. */
import type { CertificateRefusal } from '#protocol/chain/certified-votes.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { VoucherRefusal } from '#protocol/chain/voucher.ts';
import type { MemberCardRefusal } from '#protocol/enrolment.ts';

export type TransactionRefusal =
  | 'malformed'
  /** Of the author: unknown, an applicant, or gone. */
  | 'not-a-member'
  | 'no-seat'
  | 'key-unknown'
  | 'key-superseded'
  | 'signature-wrong'
  | 'member-keys-unusable'
  | `voucher-${VoucherRefusal}`
  | 'voucher-unneeded'
  | 'boot-not-later'
  | 'checkpoint-out-of-order'
  | 'checkpoint-out-of-reach'
  | 'checkpoint-not-on-branch'
  | `certificate-${CertificateRefusal}`
  | 'no-contradiction'
  | 'contradiction-unproven'
  | 'contradiction-too-old'
  | 'already-expelled'
  | `card-${MemberCardRefusal}`
  | 'application-waits'
  | 'node-known'
  | 'name-taken'
  | 'members-full'
  /** Of a seat that is not among those that admit newcomers in this epoch. */
  | 'not-drawn'
  | 'applicant-unknown'
  | 'already-vouched'
  | 'last-seat'
  | 'seat-changes-full'
  | 'serial-not-later'
  | 'boxes-out-of-order'
  | 'capsule-mismatch'
  | 'capsule-known'
  | 'capsule-unknown'
  | 'capsule-ended'
  | 'capsules-full'
  | 'gateway-full'
  | 'submission-too-old'
  | 'submission-too-early'
  | 'deadline-passed'
  | 'not-the-gateway'
  | 'not-the-executor'
  | 'other-attempt'
  | 'awaits-draw'
  | 'retry-known'
  | 'executor-answered'
  | 'not-asked'
  | 'not-an-end'
  | 'trust-off'
  | 'slot-over'
  | 'moment-not-come'
  | 'moment-wrong'
  | 'slot-known'
  | 'evidence-key-differs'
  | 'evidence-unknown'
  | 'verdict-known'
  | 'verdict-not-open'
  | 'slot-superseded'
  | 'demotions-full'
  | 'nothing-to-appeal'
  | 'already-appealed'
  | 'credit-too-low'
  | 'challenge-wrong'
  | 'not-planted'
  | 'ballot-not-contrary'
  | 'ballots-out-of-order';

export interface Refusal {
  readonly status: 'refused';
  readonly reason: TransactionRefusal;
  readonly detail: string;
}

/** What became of a transaction. */
export type Outcome = { readonly status: 'applied'; readonly state: ChainState } | Refusal;

export function applied(state: ChainState): Outcome {
  return { status: 'applied', state };
}

export function refused(reason: TransactionRefusal, detail: string): Refusal {
  return { status: 'refused', reason, detail };
}
