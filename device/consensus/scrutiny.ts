/** What a peer may cost by messages whose signatures are wrong: what it says beyond that is not checked. Pure. Specification §14.3. */
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

/** Those of the past count less and less. */
function failedChecksOf({ at }: ConsensusState, { failedChecks, failedMs }: Peer): number {
  return Math.max(0, failedChecks - ((at.monotonicMs - failedMs) * CONSENSUS_LIMITS.failedChecksPerSecond) / 1_000);
}
