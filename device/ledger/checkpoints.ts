/** Checkpoints on a branch: a certificate makes one final for all that stands above it. Pure. Specification §13.1, §13.4. */
import { judgeCertificate, type FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { votersOf } from '#protocol/chain/public-draw.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { TransactionOf } from '#protocol/chain/transaction.ts';
import { judgeVoucher, type Voucher } from '#protocol/chain/voucher.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { identityOf, isKeyOf, recordOf, withRecord } from './member-identity.ts';
import type { Place } from './position.ts';
import { seatsToCome, withAdmitted, withSeatsInForce } from './seats.ts';
import { applied, refused, type Outcome, type Refusal } from './transaction-refusal.ts';

/** The voters of checkpoint `number`, from the state of the block that is checkpoint `number` − 1. */
export function votersAfter(state: ChainState, network: Uint8Array, number: number): readonly Uint8Array[] {
  return votersOf(network, state.core.epoch.seed, number, seatsToCome(state));
}

/**
 * A key counts if the branch has its voucher, or the transaction shows it: what a member did with its other keys meanwhile must not undo a
 * vote that others have counted.
 */
export function applyFinality(state: ChainState, { certificate, vouchers = [] }: TransactionOf<'finality'>, place: Place): Outcome {
  const fault = placeFault(state, certificate, place) ?? voucherFault(state, certificate, vouchers, place);
  if (fault) return fault;
  const shown = new Set(vouchers.map(({ node, operationalKey }) => `${hex(node)}/${hex(operationalKey)}`));
  const { crypto, networkId: network } = place.context;
  const voters = votersInForce(state, network, certificate.number);
  const verdict = judgeCertificate(crypto, certificate, {
    network,
    voters,
    isKeyOf: (node, key) => isKeyOf(state, node, key) || shown.has(`${hex(node)}/${hex(key)}`),
  });
  if (verdict.status === 'refused') return refused(`certificate-${verdict.reason}`, verdict.detail);
  return applied(withCheckpoint(state, certificate, place));
}

/** Each voucher is for a vote of the certificate. */
function voucherFault(
  state: ChainState,
  { votes }: FinalityCertificate,
  vouchers: readonly Voucher[],
  { context }: Place,
): Refusal | undefined {
  for (const voucher of vouchers) {
    const { node, operationalKey } = voucher;
    const isVote = votes.some((vote) => sameBytes(vote.node, node) && sameBytes(vote.key, operationalKey));
    if (!isVote) return refused('voucher-unneeded', `the voucher of ${hex(node)} is for none of the votes`);
    const record = recordOf(state, node);
    const identity = record && identityOf(context.crypto, record.member);
    if (!identity) return refused('member-keys-unusable', `the keys of ${hex(node)} have not the templates`);
    const verdict = judgeVoucher(context.crypto, identity.attestationKey, context.networkId, voucher);
    if (verdict.status === 'refused') return refused(`voucher-${verdict.reason}`, verdict.detail);
  }
  return undefined;
}

/** The same voters, from a later state of the branch that has certified checkpoint `number` − 1. */
function votersInForce({ core }: ChainState, network: Uint8Array, number: number): readonly Uint8Array[] {
  return votersOf(network, core.seeds[0]?.seed ?? core.epoch.seed, number, core.seats);
}

/** A certificate for a height is signed for the block alone, so the branch says whether both agree. */
function placeFault(
  { core }: ChainState,
  { number, previous, block, height }: FinalityCertificate,
  { branch, height: above }: Place,
): Refusal | undefined {
  const last = core.checkpoint;
  if (number !== last.number + 1 || !sameBytes(previous, last.block))
    return refused(
      'checkpoint-out-of-order',
      `checkpoint ${number} on ${hex(previous)}; the next is ${last.number + 1} on ${hex(last.block)}`,
    );
  if (height <= last.height || height > last.height + LIMITS.checkpointStepMax || height >= above)
    return refused(
      'checkpoint-out-of-reach',
      `height ${height}; it must be above ${last.height}, at most ${LIMITS.checkpointStepMax} heights, and below ${above}`,
    );
  const ancestor = branch.ancestorAt(height);
  if (ancestor && sameBytes(ancestor, block)) return undefined;
  return refused('checkpoint-not-on-branch', `the block ${hex(block)} is not the one of height ${height} on this branch`);
}

function withCheckpoint(state: ChainState, { number, block, height, votes }: FinalityCertificate, place: Place): ChainState {
  const { core } = state;
  const seeds = core.seeds.slice(
    Math.max(
      core.seeds.findLastIndex(({ fromHeight }) => fromHeight <= height),
      0,
    ),
  );
  const certified: ChainState = { ...state, core: { ...core, checkpoint: { number, height, block }, seeds } };
  const voted = votes.reduce((changed, { node }) => {
    const record = recordOf(changed, node);
    return record ? withRecord(changed, { ...record, votedIn: number }) : changed;
  }, certified);
  const { epochHeights } = place.context.network.genesis.consensus;
  return withAdmitted(withSeatsInForce(voted, height, place.height, epochHeights), place);
}
