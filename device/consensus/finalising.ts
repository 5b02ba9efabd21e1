/** A checkpoint becomes final: what lost is forgotten, and the next decision begins. Pure. Specification §13.1, §14.4. */
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { CHAIN_LIMITS, CONSENSUS_LIMITS } from '../limits.ts';
import { takeEarly } from './ballots.ts';
import { keepLatest, remember } from './bounded.ts';
import { anchorFinal } from './due.ts';
import { moveHead } from './head.ts';
import { dropFinalisedKeys } from './keys.ts';
import { dropFinalisedOrphans } from './orphans.ts';
import { persist, report } from './outbox.ts';
import type { ConsensusState } from './state.ts';
import { encodeState } from '#protocol/chain/state-encoding.ts';
import { makeWhole } from './thinning.ts';
import { descendsFrom, finaliseTo, highestBy, type TakenBlock } from './tree.ts';
import { beginDecision, tellBlock } from './votes.ts';

/** @param block taken, above the last checkpoint */
export function finalise(state: ConsensusState, certificate: FinalityCertificate, block: TakenBlock): void {
  persist(state.outbox, { record: 'certificate', certificate });
  makeWhole(block);
  const { position, seenMs } = block;
  const aboveHeight = state.finality.last.block.position.height;
  report(state.outbox, { report: 'checkpointFinalised', certificate, afterMs: state.at.monotonicMs - seenMs, position, aboveHeight });
  if (!descendsFrom(state.tree, state.head, block)) moveHead(state, block);
  moveCheckpoint(state, certificate, block);
  anchorFinal(state.tree, state.at, state.setup.network.genesis.consensus.targetIntervalMs);
  freeHeights(state);
  keepState(state);
  for (const taken of state.tree.blocks.values()) tellBlock(state, taken);
  takeEarly(state, 'everyone');
}

/** What is known about finality after this certificate, without telling anybody. */
export function moveCheckpoint(state: ConsensusState, certificate: FinalityCertificate, block: TakenBlock): void {
  const { finality, tree, setup, networkId, early } = state;
  finality.history.set(certificate.number, { certificate, voters: finality.voters });
  keepLatest(finality.history, CONSENSUS_LIMITS.rememberedCheckpoints);
  remember(finality.past, hex(finality.instance), CONSENSUS_LIMITS.rememberedCheckpoints);
  for (const number of finality.pending.keys()) if (number <= certificate.number) finality.pending.delete(number);
  if (finality.keptVotes && sameBytes(finality.keptVotes.instance, finality.instance)) finality.keptVotes = undefined;
  finality.last = { number: certificate.number, block, certificate };
  makeWhole(block);
  finaliseTo(tree, block);
  Object.assign(finality, beginDecision(setup, networkId, finality.last, finality));
  finality.decided = undefined;
  finality.backed.clear();
  finality.candidate = '';
  early.slots.clear();
  dropFinalisedOrphans(state);
  dropFinalisedKeys(state);
  state.headInDoubt = true;
}

/**
 * Heights of which this member has made blocks that have lost are free again. Were they not, a branch that becomes final though the members
 * have built higher on another could be continued by nobody (§12.6).
 */
function freeHeights(state: ConsensusState): void {
  const height = highestBy(state.tree, state.self, state.ownHeight);
  if (height >= state.ownHeight) return;
  state.ownHeight = height;
  persist(state.outbox, { record: 'ownHeight', height });
}

/** From time to time the state, so that a restart does not begin at the genesis; and what is below the retention may go. */
function keepState({ finality, outbox }: ConsensusState): void {
  const { height, id, state } = finality.last.block.position;
  if (height - finality.stateHeight < CHAIN_LIMITS.stateEveryHeights) return;
  finality.stateHeight = height;
  persist(outbox, { record: 'state', height, block: id, state: encodeState(state) });
  persist(outbox, { record: 'prune', belowHeight: height });
}
