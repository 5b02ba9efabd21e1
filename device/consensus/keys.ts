/** Which operational keys are a member's: by vouchers on the chain, or gossiped and not there yet. Pure. Specification §11.3, §13.2. */
import { decodeVoucher, encodeVoucher, type Voucher } from '#protocol/chain/voucher.ts';
import { decodeTransaction, encodeTransaction, vouchersIn, type Transaction } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { keepLatest } from './bounded.ts';
import { refuseMessage } from './refusal.ts';
import { isHeardOut, noteFailedChecks } from './scrutiny.ts';
import type { ConsensusState } from './state.ts';
import { branchOf } from './tree.ts';

/** Newest first. */
export function keysOf(state: ConsensusState, node: Uint8Array): Uint8Array[] {
  const name = hex(node);
  const gossiped = (state.keys.get(name) ?? []).map(({ key }) => key).reverse();
  const onChain =
    state.head.position.state.members
      .get(name)
      ?.keys.map(({ key }) => key)
      .reverse() ?? [];
  return [...gossiped, ...onChain.filter((key) => !gossiped.some((other) => sameBytes(other, key)))];
}

export function isKeyOf(state: ConsensusState, node: Uint8Array, key: Uint8Array): boolean {
  const { ledger } = state.setup;
  const isGossiped = (state.keys.get(hex(node)) ?? []).some((known) => sameBytes(known.key, key));
  return (
    isGossiped ||
    ledger.isKeyOf(state.head.position.state, node, key) ||
    ledger.isKeyOf(state.finality.last.block.position.state, node, key)
  );
}

/** @returns the node whose key has become known */
export function voucherArrived(state: ConsensusState, payload: Uint8Array, from: string): string | undefined {
  const decoded = decodeVoucher(payload);
  if (decoded.status === 'malformed') {
    refuseMessage(state, { from, kind: 'voucher' }, decoded);
    return undefined;
  }
  const voucher = decoded.value;
  if (isKeyOf(state, voucher.node, voucher.operationalKey)) return undefined;
  if (!isHeardOut(state, from)) return undefined;
  const transaction = encodeTransaction({ kind: 'voucher', voucher });
  const { head, tree, setup, at } = state;
  const timeMs = Math.max(at.unixMs, head.position.timeMs);
  const verdict = setup.ledger.judgeTransaction(transaction, head.position, branchOf(tree, head), timeMs);
  if (verdict.status === 'refused') {
    noteFailedChecks(state, from, 1);
    refuseMessage(state, { from, kind: 'voucher' }, verdict);
    return undefined;
  }
  return learnKey(state, voucher, transaction);
}

/** Transactions with the vouchers that the branch of the head lacks. */
export function vouchersDue(state: ConsensusState): Uint8Array[] {
  const { ledger } = state.setup;
  return [...state.keys].flatMap(([node, known]) =>
    known
      .filter(({ key }) => !ledger.isKeyOf(state.head.position.state, Uint8Array.fromHex(node), key))
      .map(({ transaction }) => transaction),
  );
}

/** From gossip, from a block, or from the store. */
export function voucherOf(state: ConsensusState, node: Uint8Array, key: Uint8Array): Voucher | undefined {
  const gossiped = (state.keys.get(hex(node)) ?? []).find((known) => sameBytes(known.key, key));
  const transaction = gossiped && decodeTransaction(gossiped.transaction);
  if (transaction?.status === 'decoded' && transaction.value.kind === 'voucher') return transaction.value.voucher;
  const encoded = state.shownVouchers.get(`${hex(node)}/${hex(key)}`) ?? state.setup.archive.voucherFor(node, key);
  const decoded = encoded && decodeVoucher(encoded);
  return decoded?.status === 'decoded' ? decoded.value : undefined;
}

/** Of a transaction in a taken block. A vote may count by its key when the chain has newer ones instead (§13.4). */
export function noteVouchers({ shownVouchers }: ConsensusState, transaction: Transaction): void {
  for (const voucher of vouchersIn(transaction))
    shownVouchers.set(`${hex(voucher.node)}/${hex(voucher.operationalKey)}`, encodeVoucher(voucher));
  keepLatest(shownVouchers, CONSENSUS_LIMITS.shownVouchersMax);
}

/** What a checkpoint holds needs no second memory. */
export function dropFinalisedKeys({ keys, finality, setup, self }: ConsensusState): void {
  const { state } = finality.last.block.position;
  for (const [node, known] of keys) {
    const left = known.filter(({ key }) => !setup.ledger.isKeyOf(state, Uint8Array.fromHex(node), key));
    if (left.length > 0 || node === self) keys.set(node, left);
    else keys.delete(node);
  }
}

function learnKey({ keys }: ConsensusState, { node, operationalKey }: Voucher, transaction: Uint8Array): string {
  const name = hex(node);
  const known = [...(keys.get(name) ?? []), { key: operationalKey, transaction }];
  keys.set(name, known.slice(-CONSENSUS_LIMITS.gossipedKeysMax));
  return name;
}
