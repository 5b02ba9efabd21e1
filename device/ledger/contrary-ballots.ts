/** Proofs that a member has cast two ballots of one step for different values, on a checkpoint or a verdict. Pure. Specification §13.5, §18.5. */
import { BallotMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import type { TransactionOf } from '#protocol/chain/transaction.ts';
import { VerdictBallotMessage } from '#protocol/chain/verdict.ts';
import { judgeVoucher, type Voucher } from '#protocol/chain/voucher.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { openSigned, peekSigned } from '#protocol/signed.ts';
import { identityOf } from './member-identity.ts';
import type { LedgerContext } from './position.ts';
import { refused, type Refusal } from './transaction-refusal.ts';

/** A contradiction on its face; `unproven` looks at the signatures. */
export type Shown =
  { readonly status: 'shown'; readonly node: Uint8Array; readonly unproven: (record: MemberRecord) => Refusal | undefined } | Refusal;

type Proof = TransactionOf<'equivocation'>;

export function ballotsOf(proof: Proof, state: ChainState, context: LedgerContext): Shown {
  const kind = kindOf(proof);
  const [left, right] = [peekSigned(kind, proof.first), peekSigned(kind, proof.second)];
  if (left.status === 'malformed') return refused('malformed', left.detail);
  if (right.status === 'malformed') return refused('malformed', right.detail);
  if (!areContrary(left.value, right.value, context.networkId))
    return refused(
      'no-contradiction',
      'two ballots of one voter, instance, round and step for different values are a proof; these are not',
    );
  if (proof.vouchers && kind === VerdictBallotMessage)
    return refused('voucher-unneeded', 'ballots on a verdict are held against the keys of the state, without vouchers');
  const late = proof.vouchers && ageFault(left.value, proof, state, context);
  return late ?? { status: 'shown', node: left.value.node, unproven: (record) => unprovenBallot(proof, record, context) };
}

function kindOf({ of }: Proof): typeof BallotMessage {
  return of === 'verdict-ballot' ? VerdictBallotMessage : BallotMessage;
}

function areContrary(left: Ballot, right: Ballot, network: Uint8Array): boolean {
  const isOfNetwork = sameBytes(left.network, network) && sameBytes(right.network, network);
  const isOfOne = sameBytes(left.node, right.node) && sameBytes(left.instance, right.instance);
  const isOfStep = left.round === right.round && left.step === right.step;
  return isOfNetwork && isOfOne && isOfStep && hex(left.value ?? none) !== hex(right.value ?? none);
}

const none = new Uint8Array();

/** Of ballots by keys that the state may have forgotten: which checkpoint they vote on says how old they are. */
function ageFault({ instance }: Ballot, { checkpoint }: Proof, { core }: ChainState, { networkId }: LedgerContext): Refusal | undefined {
  if (!checkpoint || !sameBytes(checkpointInstance(networkId, checkpoint.number, checkpoint.previous), instance))
    return refused(
      'contradiction-unproven',
      'with vouchers a proof names the checkpoint that the ballots vote on; this names none or another',
    );
  if (checkpoint.number + LIMITS.contradictionCheckpointsMax > core.checkpoint.number) return undefined;
  return refused(
    'contradiction-too-old',
    `ballots on checkpoint ${checkpoint.number}; it must be less than ${LIMITS.contradictionCheckpointsMax} before ${core.checkpoint.number}`,
  );
}

/** By keys of the state, or by those that the accused's own chip vouches for: newer keys don't undo what an older one has signed. */
function unprovenBallot(proof: Proof, record: MemberRecord, context: LedgerContext): Refusal | undefined {
  const { first, second, vouchers = [] } = proof;
  const { crypto } = context;
  const isSignedBy = (envelope: Uint8Array, publicKey: Uint8Array) =>
    openSigned(kindOf(proof), envelope, { algorithm: 'ed25519', publicKey }, crypto).status === 'authentic';
  for (const voucher of vouchers) {
    const { node, operationalKey } = voucher;
    if (!sameBytes(node, record.node) || !(isSignedBy(first, operationalKey) || isSignedBy(second, operationalKey)))
      return refused('voucher-unneeded', `the voucher of ${hex(node)} is for neither ballot`);
    const fault = voucherFault(voucher, record, context);
    if (fault) return fault;
  }
  const keys = [...record.keys.map(({ key }) => key), ...vouchers.map(({ operationalKey }) => operationalKey)];
  const areSigned = [first, second].every((envelope) => keys.some((key) => isSignedBy(envelope, key)));
  if (areSigned) return undefined;
  return refused('contradiction-unproven', `a ballot is not signed by a known key of ${record.member.name}`);
}

function voucherFault(voucher: Voucher, { member }: MemberRecord, { crypto, networkId }: LedgerContext): Refusal | undefined {
  const identity = identityOf(crypto, member);
  if (!identity) return refused('member-keys-unusable', `the keys of ${member.name} have not the templates`);
  const verdict = judgeVoucher(crypto, identity.attestationKey, networkId, voucher);
  return verdict.status === 'refused' ? refused(`voucher-${verdict.reason}`, verdict.detail) : undefined;
}
