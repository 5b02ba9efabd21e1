/**
 * Away for longer than others keep blocks: nobody can show the way from the last checkpoint here any more, and a newer one is needed.
 * Pure. Specification §13.7, §14.4.
 */
import { CONSENSUS_LIMITS } from '../limits.ts';
import { report } from './outbox.ts';
import type { ConsensusState, Peer, Wanted } from './state.ts';

/** A peer that stands above answered that it has no block above this member's last checkpoint. */
export function nothingAbove(state: ConsensusState, peer: Peer, wanted: Wanted): void {
  const { height } = state.tree.root.position;
  if (wanted.want !== 'range' || wanted.fromHeight !== height + 1 || (peer.announcement?.checkpoint.height ?? 0) <= height) return;
  if (state.sync.pruned.aboveHeight !== height) state.sync.pruned = { aboveHeight: height, peers: new Set(), isSaid: false };
  const { pruned } = state.sync;
  pruned.peers.add(peer.name);
  peer.restUntilMs = state.at.monotonicMs + CONSENSUS_LIMITS.prunedRestMs;
  if (!isAwayTooLong(state) || pruned.isSaid) return;
  pruned.isSaid = true;
  report(state.outbox, { report: 'awayTooLong', height, peers: pruned.peers.size });
}

/** More peers than may lie have said so. */
export function isAwayTooLong({ sync, tree, finality }: ConsensusState): boolean {
  const { aboveHeight, peers } = sync.pruned;
  return aboveHeight === tree.root.position.height && peers.size > Math.floor((finality.voters.length - 1) / 3);
}

export function isPruned({ sync, tree, at }: ConsensusState, peer: Peer): boolean {
  const { aboveHeight, peers } = sync.pruned;
  return aboveHeight === tree.root.position.height && peers.has(peer.name) && at.monotonicMs < peer.restUntilMs;
}
