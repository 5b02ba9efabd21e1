/**
 * The core as it was, from what the store gives back after any end: what is damaged or missing is left out, and asked for again.
 * Pure. Specification §14.4.
 */
import { readBlock } from '#protocol/chain/block.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { networkId as idOf } from '#protocol/network.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { noteCertificate, stop } from './certificates.ts';
import { datedMs, toleranceOf } from './due.ts';
import { noEndorsements } from './endorsing.ts';
import { moveCheckpoint } from './finalising.ts';
import { emptyOutbox } from './outbox.ts';
import type { Position } from '../ledger/position.ts';
import type { Arrivals, Checkpoint, ConsensusSetup, ConsensusState } from './state.ts';
import { decodeState } from '#protocol/chain/state-encoding.ts';
import { blockArrived, takeArrivals } from './taking.ts';
import { plantTree, type TakenBlock } from './tree.ts';
import { beginDecision } from './votes.ts';

export function restore(setup: ConsensusSetup): ConsensusState {
  const state = stateAt(setup, keptCheckpoint(setup) ?? genesisCheckpoint(setup));
  const certificates = [...setup.kept.certificates].sort((left, right) => left.number - right.number);
  for (const { block } of setup.kept.blocks) {
    blockArrived(state, block.encoded, state.self, 'kept');
    takeArrivals(state);
  }
  for (const [index, certificate] of certificates.entries()) {
    const next = certificates[index + 1];
    if (next?.number === certificate.number && !sameBytes(next.block, certificate.block)) stop(state, certificate, next);
    const block = state.tree.blocks.get(hex(certificate.block));
    const isNext = certificate.number === state.finality.last.number + 1 && block && block !== state.tree.root;
    if (isNext) moveCheckpoint(state, certificate, block);
    // Its block, or one before it, is damaged: what is missing is asked for.
    else if (certificate.number > state.finality.last.number) noteCertificate(state, { certificate, from: state.self, judged: true });
  }
  return { ...state, head: state.tree.root, headInDoubt: true, outbox: { ...emptyOutbox(), reports: state.outbox.reports } };
}

/** A core that begins at this checkpoint and has heard of nothing yet. */
export function stateAt(setup: ConsensusSetup, last: Checkpoint): ConsensusState {
  const { kept, at, archive, network, node } = setup;
  const networkId = idOf(network);
  const memory = { votesFrom: votesFrom(setup), keptVotes: usefulVotes(setup, networkId) };
  const finality = {
    ...{ last, ...beginDecision(setup, networkId, last, memory), decided: undefined, backed: new Set<string>(), candidate: '' },
    ...{ history: new Map(), pending: new Map(), past: new Set<string>(), ...memory, stateHeight: last.block.position.height },
  };
  return {
    ...{
      setup: { ...setup, kept: withoutBlocks(kept) },
      networkId,
      self: hex(node),
      toleranceMs: toleranceOf(network.genesis.consensus.targetIntervalMs),
      at,
    },
    onlineSinceMs: at.unixMs,
    ...{ outbox: emptyOutbox(), tree: plantTree(last.block, archive), head: last.block, headInDoubt: true, base: '' },
    ...{ arrivals: noArrivals(), finality, early: { waiting: new Map(), count: 0, seen: new Set(), slots: new Map() } },
    endorsements: noEndorsements(kept),
    ...{ pool: { transactions: new Map(), refused: new Set(), bytes: 0 }, keys: new Map() },
    ...{
      tpm: { asked: undefined, restUntilMs: 0, proofs: new Map() },
      ownWait: undefined,
      ownHeight: kept.ownHeight,
      ownVoucher: undefined,
      shownVouchers: new Map(),
    },
    ...{
      sync: { peers: new Map(), wants: new Map(), resting: new Map(), pruned: { aboveHeight: -1, peers: new Set(), isSaid: false } },
      equivocators: new Set(),
      conflict: undefined,
      announced: '',
    },
    ...{ joining: undefined, anchorFault: undefined },
  };
}

/** What the tree and the archive hold is not held here too. */
function withoutBlocks({ state: _state, ...kept }: ConsensusSetup['kept']): ConsensusSetup['kept'] {
  return { ...kept, blocks: [] };
}

function noArrivals(): Arrivals {
  const waiting = { queue: new Map(), held: new Map(), orphans: new Map(), childrenOf: new Map(), orphanBytes: 0 };
  return { ...waiting, forced: new Set(), certified: new Set(), asked: new Set(), refused: new Set(), seen: new Set() };
}

function genesisCheckpoint(setup: ConsensusSetup): Checkpoint {
  return { number: 0, block: plainBlock(setup.ledger.genesis(), setup), certificate: undefined };
}

/** The kept state, where it is whole and its block and certificate are there. */
function keptCheckpoint(setup: ConsensusSetup): Checkpoint | undefined {
  const { kept, archive } = setup;
  const encoded = kept.state && archive.block(kept.state.block);
  const read = encoded && readBlock(encoded);
  const certificate = kept.certificates.find(({ block }) => kept.state && sameBytes(block, kept.state.block));
  const number = certificate?.number ?? kept.state?.start;
  if (!kept.state || read?.status !== 'decoded' || number === undefined || !sameBytes(read.value.id, kept.state.block)) return undefined;
  const { header, id } = read.value;
  const state = decodeState(kept.state.state, header.state);
  if (state.status === 'malformed') return undefined;
  const position = { id, height: header.height, timeMs: header.timeMs, state: state.value };
  return { number, block: plainBlock(position, setup), certificate };
}

/** Where a tree begins: for whoever was away, chain time says since when its children wait (§12.4). */
export function plainBlock(position: Position, { at }: Pick<ConsensusSetup, 'at'>): TakenBlock {
  const anchorMs = datedMs(position.timeMs, at);
  const times = { waitMs: 0, seenMs: at.monotonicMs, earliestMs: anchorMs, anchorMs };
  return { key: hex(position.id), parent: '', position, block: undefined, ...times };
}

/** The number after the last certificate that was ever stored, though blocks below it may be damaged. */
function votesFrom({ kept }: ConsensusSetup): number {
  return kept.certificates.reduce((latest, { number }) => Math.max(latest, number), 0) + 1;
}

/** Votes on a checkpoint that is certified are of no use; others are kept until their instance comes. */
function usefulVotes(setup: ConsensusSetup, networkId: Uint8Array): ConsensusSetup['kept']['votes'] {
  const { votes } = setup.kept;
  if (!votes) return undefined;
  const latest = votesFrom(setup) - 1;
  const certified = setup.kept.certificates.filter(({ number }) => number > latest - CONSENSUS_LIMITS.rememberedCheckpoints);
  const isPast = certified.some(({ number, previous }) => sameBytes(checkpointInstance(networkId, number, previous), votes.instance));
  return isPast ? undefined : votes;
}
