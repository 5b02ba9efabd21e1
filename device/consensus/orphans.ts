/** Blocks whose parent is not taken yet, and what is missing below them. Pure. Specification §14.2, §14.3. */
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { remember } from './bounded.ts';
import type { Arrival, Arrivals, ConsensusState } from './state.ts';

/** @returns what is missing below: undefined where the parent is held, or the block can't descend from the last checkpoint */
export function addOrphan(state: ConsensusState, arrival: Arrival): { readonly id: Uint8Array; readonly height: number } | undefined {
  const { arrivals } = state;
  arrivals.orphans.set(arrival.key, arrival);
  arrivals.orphanBytes += arrival.block.encoded.length;
  const parent = hex(arrival.block.header.parent);
  arrivals.childrenOf.set(parent, (arrivals.childrenOf.get(parent) ?? new Set()).add(arrival.key));
  const missing = missingBelow(state, arrival);
  if (missing && missing.height <= state.tree.root.position.height) {
    remember(arrivals.refused, arrival.key, CONSENSUS_LIMITS.refusedMax);
    dropBranch(arrivals, arrival.key);
    return undefined;
  }
  dropSurplus(arrivals, arrival.from);
  return missing;
}

/** The orphans that wait for this block, which is taken: they leave. */
export function adoptOrphans(arrivals: Arrivals, parent: string): Arrival[] {
  const children = [...(arrivals.childrenOf.get(parent) ?? [])].flatMap((key) => arrivals.orphans.get(key) ?? []);
  for (const { key } of children) dropOrphan(arrivals, key);
  return children;
}

/** Orphans at or below the last checkpoint have lost. */
export function dropFinalisedOrphans({ arrivals, tree }: ConsensusState): void {
  for (const { key, block } of arrivals.orphans.values()) {
    if (block.header.height <= tree.root.position.height) dropOrphan(arrivals, key);
  }
}

/** The held and orphaned blocks from this one downwards. */
export function waitingFrom({ arrivals }: ConsensusState, key: string): string[] {
  const keys: string[] = [];
  for (let at = waitingBlock(arrivals, key); at; at = waitingBlock(arrivals, hex(at.block.header.parent))) keys.push(at.key);
  return keys;
}

/** The first block below this orphan that is not here; undefined where it is no orphan. */
export function missingBelowOrphan(state: ConsensusState, key: string): { readonly id: Uint8Array; readonly height: number } | undefined {
  const orphan = state.arrivals.orphans.get(key);
  return orphan && missingBelow(state, orphan);
}

function waitingBlock({ held, orphans }: Arrivals, key: string): Arrival | undefined {
  return held.get(key) ?? orphans.get(key);
}

function missingBelow({ arrivals, tree }: ConsensusState, { block }: Arrival): { id: Uint8Array; height: number } | undefined {
  let lowest = block;
  for (let below = arrivals.orphans.get(hex(lowest.header.parent)); below; below = arrivals.orphans.get(hex(lowest.header.parent))) {
    lowest = below.block;
  }
  const { parent, height } = lowest.header;
  const key = hex(parent);
  if (tree.blocks.has(key) || arrivals.held.has(key)) return undefined;
  return { id: parent, height: height - 1 };
}

/** Of one peer and of all, the oldest go first: what was good is asked for again. */
function dropSurplus(arrivals: Arrivals, from: string): void {
  const ofPeer = [...arrivals.orphans.values()].filter((orphan) => orphan.from === from);
  for (const { key } of ofPeer.slice(0, Math.max(0, ofPeer.length - CONSENSUS_LIMITS.orphansPerPeerMax))) dropOrphan(arrivals, key);
  for (const key of arrivals.orphans.keys()) {
    if (arrivals.orphanBytes <= CONSENSUS_LIMITS.orphanBytesMax) return;
    dropOrphan(arrivals, key);
  }
}

/** A block that can't be taken, and whatever waits for it. */
export function dropBranch(arrivals: Arrivals, key: string): void {
  const waiting = [key];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    waiting.push(...(arrivals.childrenOf.get(next) ?? []));
    dropOrphan(arrivals, next);
  }
}

function dropOrphan(arrivals: Arrivals, key: string): void {
  const orphan = arrivals.orphans.get(key);
  if (!orphan) return;
  arrivals.orphans.delete(key);
  arrivals.orphanBytes -= orphan.block.encoded.length;
  const parent = hex(orphan.block.header.parent);
  const siblings = arrivals.childrenOf.get(parent);
  siblings?.delete(key);
  if (siblings?.size === 0) arrivals.childrenOf.delete(parent);
}
