/** What a peer may cost by messages whose signatures are wrong: what it says beyond that is not checked. Pure. Specification §14.3. */
import type { TransactionRefusal } from '../ledger/transaction-refusal.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import type { ConsensusState, Peer } from './state.ts';

/** Whether signatures of what this peer says are checked at the moment. Own messages, and those that were kept, always are. */
export function isHeardOut(state: ConsensusState, from: string): boolean {
  const peer = state.sync.peers.get(from);
  return peer === undefined || failedChecksOf(state, peer) < CONSENSUS_LIMITS.failedChecksBurst;
}

/** So many checks of something that the peer said came to nothing. */
export function noteFailedChecks(state: ConsensusState, from: string, checks: number): void {
  const peer = state.sync.peers.get(from);
  if (!peer) return;
  peer.failedChecks = failedChecksOf(state, peer) + checks;
  peer.failedMs = state.at.monotonicMs;
}

/** About how many checks it took to refuse a transaction: by those reasons alone for which signatures are looked at, so that no head excuses it. */
export function checksOf(reason: TransactionRefusal, votersCount: number): number {
  if (reason === 'signature-wrong') return 1;
  if (reason === 'contradiction-unproven') return CONTRADICTION_CHECKS;
  if (reason === 'certificate-signature-wrong') return votersCount;
  if (reason === 'card-malformed') return 0;
  return reason.startsWith('card-') ? CONSENSUS_LIMITS.cardChecks : reason.startsWith('voucher-') ? 1 : 0;
}

/** Two ballots by any of four keys. */
const CONTRADICTION_CHECKS = 8;

/** Those of the past count less and less. */
function failedChecksOf({ at }: ConsensusState, { failedChecks, failedMs }: Peer): number {
  return Math.max(0, failedChecks - ((at.monotonicMs - failedMs) * CONSENSUS_LIMITS.failedChecksPerSecond) / 1_000);
}
