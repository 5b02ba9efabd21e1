/** Transactions that are in no block of the head's branch yet. Pure. Specification §11.3, §14.3. */
import { decodeTransaction, transactionId } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { remember } from './bounded.ts';
import { broadcast } from './outbox.ts';
import { refuseMessage } from './refusal.ts';
import { checksOf, isHeardOut, noteFailedChecks } from './scrutiny.ts';
import type { ConsensusState, PooledTransaction } from './state.ts';
import { branchOf, type TakenBlock } from './tree.ts';

/** Passed on once by whoever takes it. */
export function transactionArrived(state: ConsensusState, encoded: Uint8Array, from: string): void {
  const id = idOf(state, encoded, from);
  if (id === undefined || !isHeardOut(state, from)) return;
  const verdict = judge(state, encoded);
  if (verdict.status === 'refused') {
    remember(state.pool.refused, id, CONSENSUS_LIMITS.refusedMax);
    noteFailedChecks(state, from, checksOf(verdict.reason, state.finality.voters.length));
    refuseMessage(state, { from, kind: 'transaction' }, verdict);
    return;
  }
  add(state, { id, encoded, from });
  broadcast(state.outbox, 'transaction', encoded);
}

/**
 * Of this member: kept until it is in a block, though the state may not take it yet, and said again and again. What is `held` is for a block
 * of its own, since others hold the same: it is not said, and goes when the state refuses it.
 */
export function addOwnTransaction(state: ConsensusState, encoded: Uint8Array, gossip: 'said' | 'held' = 'said'): void {
  const id = idOf(state, encoded, state.self);
  if (id !== undefined) add(state, { id, encoded, from: state.self, isHeld: gossip === 'held' });
}

/** Candidates of a block: of each share the oldest first, and those before which the least of their share stands; so no author fills it alone. */
export function poolCandidates({ pool }: ConsensusState): Uint8Array[] {
  const bytesOf = new Map<string, number>();
  const placed = [...pool.transactions.values()].map(({ share, encoded }) => {
    const before = bytesOf.get(share) ?? 0;
    bytesOf.set(share, before + encoded.length);
    return { before, encoded };
  });
  placed.sort((left, right) => left.before - right.before);
  return placed.slice(0, CONSENSUS_LIMITS.candidatesMax).map(({ encoded }) => encoded);
}

/** The head has moved: what its new blocks hold leaves, what only the left ones held comes back, and some are judged anew. */
export function followHead(state: ConsensusState, left: readonly TakenBlock[], entered: readonly TakenBlock[]): void {
  const { pool } = state;
  pool.refused.clear();
  for (const { block } of left) {
    for (const encoded of block?.transactions ?? []) comeBack(state, encoded, hex(block?.header.node ?? state.setup.node));
  }
  for (const encoded of entered.flatMap(({ block }) => block?.transactions ?? [])) drop(state, hex(transactionId(encoded)));
  for (const pooled of [...pool.transactions.values()].slice(0, CONSENSUS_LIMITS.rejudgedPerHead)) rejudge(state, pooled);
}

/** Own transactions once more, two target intervals after the last time, as far as the state at the head takes them. */
export function sayOwnTransactions(state: ConsensusState): void {
  for (const pooled of saidOf(state)) {
    if (pooled.saidMs !== undefined && state.at.monotonicMs < pooled.saidMs + repeatMs(state)) continue;
    if (state.pool.refused.has(pooled.id)) continue;
    if (judge(state, pooled.encoded).status === 'refused') {
      remember(state.pool.refused, pooled.id, CONSENSUS_LIMITS.refusedMax);
      continue;
    }
    pooled.saidMs = state.at.monotonicMs;
    broadcast(state.outbox, 'transaction', pooled.encoded);
  }
}

/** On the monotonic clock. */
export function saysAgainMs(state: ConsensusState): number | undefined {
  const said = saidOf(state).flatMap(({ id, saidMs }) =>
    saidMs === undefined || state.pool.refused.has(id) ? [] : [saidMs + repeatMs(state)],
  );
  return said.length === 0 ? undefined : said.reduce((first, next) => Math.min(first, next));
}

function saidOf({ pool, self }: ConsensusState): PooledTransaction[] {
  return [...pool.transactions.values()].filter(({ from, isHeld }) => from === self && !isHeld);
}

function repeatMs({ setup }: ConsensusState): number {
  return setup.network.genesis.consensus.targetIntervalMs * 2;
}

/** @returns undefined where it is known, refused at this head, or too large */
function idOf(state: ConsensusState, encoded: Uint8Array, from: string): string | undefined {
  if (encoded.length > LIMITS.transactionBytesMax) {
    const detail = `the transaction has ${encoded.length} bytes; at most ${LIMITS.transactionBytesMax} are accepted`;
    refuseMessage(state, { from, kind: 'transaction' }, { reason: 'too-large', detail });
    return undefined;
  }
  const id = hex(transactionId(encoded));
  return state.pool.transactions.has(id) || state.pool.refused.has(id) ? undefined : id;
}

function judge({ setup, head, tree, at }: ConsensusState, encoded: Uint8Array): ReturnType<typeof setup.ledger.judgeTransaction> {
  return setup.ledger.judgeTransaction(encoded, head.position, branchOf(tree, head), Math.max(at.unixMs, head.position.timeMs));
}

interface Added {
  readonly id: string;
  readonly encoded: Uint8Array;
  readonly from: string;
  readonly isHeld?: boolean;
}

/** Of each share the oldest go; of all, those of the largest. */
function add(state: ConsensusState, { id, encoded, from, isHeld = false }: Added): void {
  const { pool, head, self } = state;
  const { height } = head.position;
  const share = from === self ? ownShare : authorOf(encoded, from);
  pool.transactions.set(id, { id, encoded, from, isHeld, share, sinceHeight: height, saidMs: undefined });
  pool.bytes += encoded.length;
  const ofSame = [...pool.transactions.values()].filter((pooled) => pooled.share === share);
  const max = share === ownShare ? CONSENSUS_LIMITS.ownTransactionsMax : CONSENSUS_LIMITS.transactionsPerPeerMax;
  for (const surplus of ofSame.slice(0, Math.max(0, ofSame.length - max))) drop(state, surplus.id);
  while (pool.bytes > CONSENSUS_LIMITS.poolBytesMax) drop(state, oldestOfLargest(state));
}

const ownShare = 'own';

/** What others pass on takes nothing of their share: its author said it, and an author has one share, whoever brings it. */
function authorOf(encoded: Uint8Array, from: string): string {
  const decoded = decodeTransaction(encoded);
  if (decoded.status === 'malformed') return from;
  const { value } = decoded;
  if (value.kind === 'signed') return hex(value.by);
  return value.kind === 'voucher' ? hex(value.voucher.node) : from;
}

function oldestOfLargest({ pool }: ConsensusState): string {
  const shares = Map.groupBy(pool.transactions.values(), ({ share }) => share);
  const bytesOf = (share: readonly PooledTransaction[]): number => share.reduce((sum, { encoded }) => sum + encoded.length, 0);
  const largest = [...shares.values()].reduce((one, other) => (bytesOf(other) > bytesOf(one) ? other : one));
  return largest[0]?.id ?? '';
}

/** Certificates are not among them: whoever leads holds those that its branch lacks. */
function comeBack(state: ConsensusState, encoded: Uint8Array, leader: string): void {
  const id = hex(transactionId(encoded));
  const decoded = decodeTransaction(encoded);
  if (state.pool.transactions.has(id) || decoded.status === 'malformed' || decoded.value.kind === 'finality') return;
  const isOwn = decoded.value.kind === 'signed' && hex(decoded.value.by) === state.self;
  add(state, { id, encoded, from: isOwn ? state.self : leader });
}

function drop({ pool }: ConsensusState, id: string): void {
  const pooled = pool.transactions.get(id);
  if (!pooled) return;
  pool.transactions.delete(id);
  pool.bytes -= pooled.encoded.length;
}

/**
 * Judged once a head, the ones that waited longest first. An own one has some time, since what it rests on may come; not when its slot is
 * over, which no block undoes.
 */
function rejudge(state: ConsensusState, pooled: PooledTransaction): void {
  const verdict = judge(state, pooled.encoded);
  const isOwn = pooled.from === state.self;
  const isOver = pooled.isHeld || (verdict.status === 'refused' && verdict.reason === 'slot-over');
  const isPatient = isOwn && !isOver && state.head.position.height - pooled.sinceHeight < CONSENSUS_LIMITS.ownTransactionHeights;
  drop(state, pooled.id);
  if (verdict.status === 'accepted' || isPatient) {
    state.pool.transactions.set(pooled.id, pooled);
    state.pool.bytes += pooled.encoded.length;
  } else if (isOwn && !isOver) {
    refuseMessage(state, { from: state.self, kind: 'transaction' }, verdict);
  }
}
