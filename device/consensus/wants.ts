/**
 * What this member lacks, and whom it asks for it: each peer one thing at a time, another peer after a silence. Pure.
 * Specification §14.2.
 */
import { ChainRequest } from '#protocol/chain/gossip-messages.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { isPruned } from './away.ts';
import { keepLatest, remember } from './bounded.ts';
import { broadcast } from './outbox.ts';
import type { ConsensusState, Peer, Want, Wanted } from './state.ts';

/** The peer as this member knows it; undefined where there are too many to know another. */
export function peerOf({ sync, at, self }: ConsensusState, name: string): Peer | undefined {
  const known = sync.peers.get(name);
  if (known) known.heardMs = at.monotonicMs;
  if (known || name === self || !isNodeId(name) || sync.peers.size >= CONSENSUS_LIMITS.peersMax) return known;
  const quiet = {
    announcement: undefined,
    headKey: '',
    announcedMs: at.monotonicMs,
    cursor: 0,
    restUntilMs: 0,
    want: undefined,
  };
  const unused = { answerBytes: 0, answeredMs: at.monotonicMs, failedChecks: 0, failedMs: at.monotonicMs, lifted: new Set<string>() };
  const peer: Peer = { name, heardMs: at.monotonicMs, ...quiet, ...unused };
  sync.peers.set(name, peer);
  return peer;
}

function isNodeId(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

/** A block by its id, with what is between it and the last checkpoint, of whoever spoke of it first. */
export function askForBlock(state: ConsensusState, missing: MissingBlock, from: string): void {
  remember(state.arrivals.asked, hex(missing.id), CONSENSUS_LIMITS.askedMax);
  askForBlockSpokenOf(state, missing, from);
}

interface MissingBlock {
  readonly id: Uint8Array;
  readonly height?: number;
}

/** The same of a block on which nothing rests but a peer's word: what has too many rivals is not taken for that alone (§14.3). */
export function askForBlockSpokenOf(state: ConsensusState, missing: MissingBlock, from: string): void {
  const above = state.tree.root.position.height;
  const ancestors = LIMITS.ancestorsMax - 1;
  if (missing.height !== undefined && missing.height - above > ancestors) askForRange(state, from);
  else want(state, `block ${hex(missing.id)}`, { want: 'block', id: missing.id, ancestors, above }, { first: from, anyone: true });
}

/** Blocks upwards on a peer's branch. */
export function askForRange(state: ConsensusState, name: string): void {
  const peer = peerOf(state, name);
  if (!peer || isPruned(state, peer)) return;
  const fromHeight = Math.max(peer.cursor, state.tree.root.position.height) + 1;
  want(state, `range ${name}`, { want: 'range', fromHeight }, { first: name, anyone: false });
}

export function askForCertificates(state: ConsensusState, name: string): void {
  want(state, 'certificates', { want: 'certificates', fromNumber: state.finality.last.number + 1 }, { first: name, anyone: true });
}

function want({ sync, at }: ConsensusState, key: string, wanted: Wanted, whom: { first: string; anyone: boolean }): void {
  const known = sync.wants.get(key);
  if (known) {
    known.askable.add(whom.first);
    return;
  }
  if (sync.wants.size >= CONSENSUS_LIMITS.wantsMax || (sync.resting.get(key) ?? at.monotonicMs) > at.monotonicMs) return;
  const asked = { failed: new Set<string>(), askedOf: undefined, deadlineMs: at.monotonicMs };
  sync.wants.set(key, { key, wanted, askable: new Set([whom.first]), anyone: whom.anyone, ...asked });
}

/** Sends the requests that can be sent; gives up what nobody answered. */
export function sendRequests(state: ConsensusState): void {
  for (const want of [...state.sync.wants.values()]) {
    if (want.askedOf !== undefined && state.at.monotonicMs >= want.deadlineMs) requestFailed(state, want);
    if (want.askedOf !== undefined) continue;
    const peer = peerFor(state, want);
    if (peer === 'busy') continue;
    if (peer) request(state, want, peer);
    else giveUp(state, want);
  }
}

/** When a request runs out, or what was given up may be asked for again, on the monotonic clock. */
export function requestsUntilMs({ sync, at }: ConsensusState): number | undefined {
  for (const [key, untilMs] of sync.resting) if (untilMs <= at.monotonicMs) sync.resting.delete(key);
  const asked = [...sync.wants.values()].flatMap(({ askedOf, deadlineMs }) => (askedOf === undefined ? [] : [deadlineMs]));
  const deadlines = [...asked, ...sync.resting.values()];
  return deadlines.length === 0 ? undefined : deadlines.reduce((first, next) => Math.min(first, next));
}

/** The peer that was asked did not have it, or said nothing: another one may. */
export function requestFailed({ sync, at }: ConsensusState, want: Want): void {
  const peer = want.askedOf === undefined ? undefined : sync.peers.get(want.askedOf);
  if (peer) {
    peer.want = undefined;
    peer.restUntilMs = at.monotonicMs + CONSENSUS_LIMITS.wantRestMs;
    want.failed.add(peer.name);
  }
  want.askedOf = undefined;
}

export function dropWant({ sync, arrivals }: ConsensusState, want: Want): void {
  sync.wants.delete(want.key);
  if (want.wanted.want === 'block') arrivals.asked.delete(hex(want.wanted.id));
  const peer = want.askedOf === undefined ? undefined : sync.peers.get(want.askedOf);
  if (peer) peer.want = undefined;
}

function giveUp(state: ConsensusState, want: Want): void {
  dropWant(state, want);
  state.sync.resting.set(want.key, state.at.monotonicMs + CONSENSUS_LIMITS.wantRestMs);
  keepLatest(state.sync.resting, CONSENSUS_LIMITS.wantsMax);
}

/** First those who spoke of it, then whoever spoke last and is not busy. */
function peerFor({ sync }: ConsensusState, want: Want): Peer | 'busy' | undefined {
  const first = [...want.askable].flatMap((name) => sync.peers.get(name) ?? []);
  const others = want.anyone ? [...sync.peers.values()].sort((left, right) => right.heardMs - left.heardMs) : [];
  const left = [...first, ...others].filter(({ name }) => !want.failed.has(name));
  return left.length === 0 ? undefined : (left.find((peer) => peer.want === undefined) ?? 'busy');
}

function request({ outbox, at }: ConsensusState, want: Want, peer: Peer): void {
  want.askedOf = peer.name;
  want.deadlineMs = at.monotonicMs + CONSENSUS_LIMITS.requestMs;
  peer.want = want.key;
  broadcast(outbox, 'request', encodeStrict(ChainRequest, { to: Uint8Array.fromHex(peer.name), want: want.wanted }));
}
