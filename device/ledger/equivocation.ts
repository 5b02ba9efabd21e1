/** Proofs that a member contradicted itself, and what follows; here those of two blocks of one height. Pure. Specification §12.6, §13.5, §18.5. */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import type { TransactionOf } from '#protocol/chain/transaction.ts';
import { areApart, endQualifier, judgeTimeCertificate, type ClaimedWait } from '#protocol/chain/wait-certificate.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { ballotsOf, type Shown } from './contrary-ballots.ts';
import { identityOf, recordOf } from './member-identity.ts';
import { withCredit } from './member-trust.ts';
import type { LedgerContext, Place } from './position.ts';
import { withoutMember } from './seats.ts';
import { refused, type Outcome, type Refusal } from './transaction-refusal.ts';

/** Whoever contradicted itself is expelled, whether it still is a member or has left. */
export function applyEquivocation(state: ChainState, proof: TransactionOf<'equivocation'>, { context, height }: Place): Outcome {
  const shown = proof.of === 'block' ? blocksOf(proof, context) : ballotsOf(proof, state, context);
  if (shown.status === 'refused') return shown;
  const record = recordOf(state, shown.node);
  if (record?.standing === 'expelled') return refused('already-expelled', `${record.member.name} is expelled already`);
  if (record?.standing !== 'member' && record?.standing !== 'left') return refused('not-a-member', `${hex(shown.node)} was never a member`);
  const unproven = shown.unproven(record);
  if (unproven) return unproven;
  const charged = withCredit(state, [shown.node], 'contradicted');
  return withoutMember(charged, recordOf(charged, shown.node) ?? record, 'expelled', height);
}

function blocksOf({ first, second, vouchers }: TransactionOf<'equivocation'>, context: LedgerContext): Shown {
  if (vouchers) return refused('voucher-unneeded', 'a chip signs its blocks; the voucher is for neither');
  const [left, right] = [readBlock(first), readBlock(second)];
  if (left.status === 'malformed') return refused('malformed', left.detail);
  if (right.status === 'malformed') return refused('malformed', right.detail);
  const blocks = [left.value, right.value] as const;
  if (!areRivals(...blocks, context.networkId))
    return refused(
      'no-contradiction',
      'two different blocks of one member and height of this network with waits that overlap, without transactions, are a proof; these are not',
    );
  return { status: 'shown', node: left.value.header.node, unproven: (record) => unprovenBlock(blocks, record, context) };
}

function areRivals(left: ReadBlock, right: ReadBlock, network: Uint8Array): boolean {
  const isOfNetwork = sameBytes(left.header.network, network) && sameBytes(right.header.network, network);
  const isOfOne = left.header.height === right.header.height && sameBytes(left.header.node, right.header.node);
  const isBare = left.transactions.length === 0 && right.transactions.length === 0;
  return isOfNetwork && isOfOne && isBare && !sameBytes(left.id, right.id) && !areApart(waitOf(left), waitOf(right));
}

function waitOf({ header, end }: ReadBlock): ClaimedWait {
  return { start: header.start, end };
}

/** The end certificate is the chip's word for the whole header. */
function unprovenBlock(blocks: readonly ReadBlock[], { member }: MemberRecord, { crypto }: LedgerContext): Refusal | undefined {
  const identity = identityOf(crypto, member);
  if (!identity) return refused('member-keys-unusable', `the keys of ${member.name} have not the templates`);
  for (const { end, headerBytes } of blocks) {
    const verdict = judgeTimeCertificate(crypto, identity.attestationKey, end, endQualifier(headerBytes));
    if (verdict.status === 'refused') return refused('contradiction-unproven', `end certificate: ${verdict.detail}`);
  }
  return undefined;
}
