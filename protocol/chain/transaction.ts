/** Transactions: everything that changes the replicated state, declared once. Specification §11.3. */
import { CapsuleId, CapsuleState, EndReason } from '../capsule.ts';
import { decodeStrict, encodeStrict, type Decoded } from '../codec.ts';
import { Digest, domainDigest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { oncePerBytes } from '../once-per-bytes.ts';
import { bytes, fixedBytes, integer, list, oneOf, optional, struct, text, variant, type Infer } from '../schema.ts';
import { Name } from '../topics.ts';
import { TrustLevel } from '../trust-level.ts';
import { vrfProofBytes } from '../tpm/vrf.ts';
import { ShownBallot } from './ballot.ts';
import { FinalityCertificate, Height } from './finality-certificate.ts';
import { Verdict } from './verdict.ts';
import { Voucher } from './voucher.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const Attempt = integer({ min: 1, max: LIMITS.attemptsMax });
export const Runtime = text({
  min: 1,
  max: LIMITS.nameCharactersMax,
  pattern: /^[a-z][a-z0-9+-]*$/,
  like: 'a lower-case word such as "python"',
});

/** A box as its device offers it to the network; `key` is the Ed25519 key that it signs with, `trust` its device's word (§15.10). */
export const OfferedBox = struct({
  name: Name,
  key: fixedBytes(32),
  trust: TrustLevel,
  runtimes: list(Runtime, { max: LIMITS.chainRuntimesMax }),
});
export type OfferedBox = Infer<typeof OfferedBox>;

/** What a member, or an applicant, says with its operational key. */
export const Action = variant('action', {
  /** For an applicant whose attestation key this member has activated and whose evidence it has judged, by its card (`memberDigest`). */
  vouch: struct({ applicant: Digest }),
  leave: struct({}),
  /** All boxes that the member offers now, in the order of their names; `serial` grows with each such action of a member. */
  boxes: struct({
    serial: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    boxes: list(OfferedBox, { max: LIMITS.chainBoxesPerMemberMax }),
  }),
  /** By the gateway, when all files are there. `manifest` is the blob digest of the encoded manifest. */
  submission: struct({
    capsule: CapsuleId,
    /** Of client and request id; capsule and author's name follow the rule of the id (§7.2). */
    requestDigest: Digest,
    digest: Digest,
    manifest: Digest,
    manifestBytes: integer({ min: 1, max: LIMITS.manifestBytesMax }),
    runtime: Runtime,
    /** At least. */
    trust: TrustLevel,
    acceptedAtMs: UnixMs,
    deadlineMs: optional(UnixMs),
  }),
  /** By the gateway: the attempt that does not get anywhere. */
  retry: struct({ capsule: CapsuleId, attempt: Attempt }),
  /**
   * By the executor of the last attempt: `goes-on` to the retry that was said at height `asked`; `given-up` by itself; or what the gateway
   * did: `input-lacking`, `cancelled`.
   */
  answer: struct({
    capsule: CapsuleId,
    attempt: Attempt,
    run: oneOf('goes-on', 'given-up', 'input-lacking', 'cancelled'),
    asked: optional(Height),
  }),
  /** By the executor: D(`receipt`, signed receipt) and what it says. */
  receipt: struct({ capsule: CapsuleId, attempt: Attempt, receipt: Digest, state: CapsuleState, reason: optional(EndReason) }),
  /** By the gateway. */
  cancellation: struct({ capsule: CapsuleId }),
  /** By the subject: encoded `MemberEvidence` of a slot, and the VRF proof of its moment (§18.2). */
  attestation: struct({
    slot: Height,
    moment: fixedBytes(vrfProofBytes),
    evidence: bytes({ min: 1, max: LIMITS.memberEvidenceBytesMax }),
  }),
  /** Against a verdict of drawn judges, with ballots of those that said the contrary, in the order of nodes (§18.6). */
  appeal: struct({ subject: Digest, slot: Height, ballots: list(ShownBallot, { max: LIMITS.judgesMax }) }),
  /** By the subject: its evidence was a planted challenge; with ballots of judges that took it for good, in the order of nodes (§18.7). */
  reveal: struct({ slot: Height, proof: fixedBytes(vrfProofBytes), wrong: list(ShownBallot, { max: LIMITS.judgesMax }) }),
});
export type Action = Infer<typeof Action>;
export type ActionOf<W extends Action['action']> = Extract<Action, { action: W }>;

export const Transaction = variant('kind', {
  voucher: struct({ voucher: Voucher }),
  /** `vouchers`: of the keys that the branch does not have, or does not have any more, each for a vote of the certificate. */
  finality: struct({ certificate: FinalityCertificate, vouchers: optional(list(Voucher, { min: 1, max: LIMITS.committeeSize })) }),
  /**
   * Two headers with their end certificates, or two signed ballots; encoded `Block`s without transactions, or ballot envelopes. For ballots
   * on a checkpoint the vouchers of their keys, which the branch may have no more, and then the checkpoint that they vote on.
   */
  equivocation: struct({
    of: oneOf('block', 'ballot', 'verdict-ballot'),
    first: bytes({ min: 1, max: LIMITS.headerBytesMax * 2 }),
    second: bytes({ min: 1, max: LIMITS.headerBytesMax * 2 }),
    vouchers: optional(list(Voucher, { min: 1, max: 2 })),
    checkpoint: optional(struct({ number: Height, previous: Digest })),
  }),
  /** Encoded `MemberCard`, made with the genesis salt of this network. */
  application: struct({ card: bytes({ min: 1, max: LIMITS.signedBytesMax }) }),
  /** What judges found evidence of a member worth (§18.5). */
  verdict: Verdict,
  /** `signature`: Ed25519 by the operational key `key` of `by` over network, author and body (`signed-action.ts`). */
  signed: struct({ by: Digest, key: fixedBytes(32), body: bytes({ min: 1, max: LIMITS.signedBytesMax }), signature: fixedBytes(64) }),
});
export type Transaction = Infer<typeof Transaction>;
export type TransactionOf<W extends Transaction['kind']> = Extract<Transaction, { kind: W }>;

export function encodeTransaction(transaction: Transaction): Uint8Array {
  return encodeStrict(Transaction, transaction);
}

/** The same bytes are read for the pool, in a block, and when that becomes final. */
export const decodeTransaction: (encoded: Uint8Array) => Decoded<Transaction> = oncePerBytes((encoded) =>
  decodeStrict(Transaction, encoded, LIMITS.transactionBytesMax),
);

export const transactionId: (encoded: Uint8Array) => Uint8Array = oncePerBytes((encoded) => domainDigest('transaction', encoded));

/** The vouchers that a transaction shows. */
export function vouchersIn(transaction: Transaction): readonly Voucher[] {
  switch (transaction.kind) {
    case 'voucher':
      return [transaction.voucher];
    case 'finality':
      return transaction.vouchers ?? [];
    default:
      return [];
  }
}
