/** Operational keys on the chain: vouchers bring them. Pure. Specification §11.3. */
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import type { TransactionOf } from '#protocol/chain/transaction.ts';
import { judgeVoucher } from '#protocol/chain/voucher.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { identityOf, recordOf, withRecord } from './member-identity.ts';
import type { Place } from './position.ts';
import { hasSeat } from './seats.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** Of a member, an applicant, or one that leaves and whose vote still counts. One key for each boot, each of a later boot than the last. */
export function applyVoucher(state: ChainState, { voucher }: TransactionOf<'voucher'>, { context }: Place): Outcome {
  const record = recordOf(state, voucher.node);
  const leaves = record?.standing === 'left' && hasSeat(state, voucher.node);
  if (!record || (record.standing !== 'member' && record.standing !== 'applicant' && !leaves))
    return refused('not-a-member', `${hex(voucher.node)} is neither a member nor an applicant`);
  const identity = identityOf(context.crypto, record.member);
  if (!identity) return refused('member-keys-unusable', `the keys of ${record.member.name} have not the templates`);
  const verdict = judgeVoucher(context.crypto, identity.attestationKey, context.networkId, voucher);
  if (verdict.status === 'refused') return refused(`voucher-${verdict.reason}`, verdict.detail);
  if (!isLater(verdict, record.keys.at(-1)))
    return refused('boot-not-later', `a key of reset ${verdict.resetCount}, restart ${verdict.restartCount} or of a later boot is known`);
  const { operationalKey: key, resetCount, restartCount } = verdict;
  return applied(withRecord(state, { ...record, keys: [...record.keys, { key, resetCount, restartCount }].slice(-LIMITS.memberKeysMax) }));
}

type Boot = Pick<MemberRecord['keys'][number], 'resetCount' | 'restartCount'>;

/** A restart count begins again with each reset. */
function isLater(boot: Boot, last: Boot | undefined): boolean {
  if (!last || boot.resetCount > last.resetCount) return true;
  return boot.resetCount === last.resetCount && boot.restartCount > last.restartCount;
}
