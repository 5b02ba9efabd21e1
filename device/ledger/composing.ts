/** The body of a block that a member is about to make. Pure. Specification §11.1-11.3. */
import type { TimeCertificate } from '#protocol/chain/block.ts';
import { merkleRoot } from '#protocol/chain/merkle.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { transactionId } from '#protocol/chain/transaction.ts';
import type { ChipTime } from '#protocol/chain/wait-certificate.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeAttestOf } from '#protocol/tpm/attest.ts';
import { opened } from './block-state.ts';
import { waitAbove } from './member-draw.ts';
import type { Branch, LedgerContext, Place, Position } from './position.ts';
import type { TransactionRefusal } from './transaction-refusal.ts';
import { applyTransaction } from './transaction-rules.ts';

/** Who leads the block: its VRF output for this height, its start certificate and the block's chain time. */
export interface Leader {
  readonly node: Uint8Array;
  readonly output: Uint8Array;
  readonly start: TimeCertificate;
  /** At least the parent's and the wait (§11.2). */
  readonly timeMs: number;
}

export interface Composed {
  readonly transactions: Uint8Array[];
  /** Merkle root of the transactions' ids: `header.transactions`. */
  readonly root: Uint8Array;
  readonly state: ChainState;
  /** `header.state`. */
  readonly stateRoot: Uint8Array;
  /** Candidates that can't stand here; those that only did not fit are neither here nor in `transactions`. */
  readonly refused: { readonly id: Uint8Array; readonly reason: TransactionRefusal; readonly detail: string }[];
}

/** What a block holds beside its transactions: header, end certificate and the heads of their CBOR. */
const frameBytes = LIMITS.headerBytesMax + LIMITS.timeAttestationBytesMax + 256;
/** Head of a byte string. */
const headBytes = 5;

/** @param leader this member: its start certificate is its own chip's, and is read without being judged */
export function compose(
  context: LedgerContext,
  parent: Position,
  leader: Leader,
  candidates: readonly Uint8Array[],
  branch: Branch,
): Composed {
  const { node, output, timeMs } = leader;
  const waitedUntil = waitedUntilOf(leader.start, waitAbove(context, parent, output));
  const place: Place = { context, height: parent.height + 1, timeMs, branch, lead: { node, output } };
  const transactions: Uint8Array[] = [];
  const refused: Composed['refused'] = [];
  let [state, room] = [opened(parent, { node, output, waitedUntil, timeMs }, context.network.genesis), LIMITS.blockBytesMax - frameBytes];
  for (const encoded of candidates) {
    if (encoded.length + headBytes > room || transactions.length === LIMITS.transactionsPerBlockMax) continue;
    const outcome = applyTransaction(state, encoded, place);
    if (outcome.status === 'refused') {
      refused.push({ id: transactionId(encoded), reason: outcome.reason, detail: outcome.detail });
      continue;
    }
    transactions.push(encoded);
    [state, room] = [outcome.state, room - encoded.length - headBytes];
  }
  return { transactions, root: merkleRoot(transactions.map(transactionId)), state, stateRoot: stateRoot(state), refused };
}

function waitedUntilOf({ attestation }: TimeCertificate, waitMs: number): ChipTime {
  const decoded = decodeAttestOf('time', attestation);
  if (decoded.status === 'malformed') throw new Error(`our own start certificate is unreadable: ${decoded.detail}`);
  const { time, clockInfo } = decoded.value.attested.timeInfo;
  return { resetCount: clockInfo.resetCount, restartCount: clockInfo.restartCount, timeMs: Number(time) + waitMs };
}
