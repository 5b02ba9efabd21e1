/** This member's part in the decision on a checkpoint: the machine of votes, and what it wants done. Pure. Specification §13.1-13.3. */
import { BallotMessage, ProposalMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { signMessage } from '#protocol/signed.ts';
import type { Backing, DecisionSetup, VoteEffect, VoteEvent, VoteRecord } from '../votes/decision.ts';
import { voteTimes } from '../votes/decision-state.ts';
import { startDecision, stepDecision } from '../votes/machine.ts';
import { decodeVoteRecord, encodeVoteRecord } from '../votes/vote-record.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { accuseOfBallots } from './accusation.ts';
import { broadcast, persistVotes } from './outbox.ts';
import type { Checkpoint, ConsensusSetup, ConsensusState, Finality } from './state.ts';
import { ancestorOf, type TakenBlock } from './tree.ts';
import { askForBlock } from './wants.ts';

type Begun = Pick<Finality, 'instance' | 'voters' | 'decision'>;
type Memory = Pick<Finality, 'votesFrom' | 'keptVotes'>;

/** The decision on the checkpoint after this one. */
export function beginDecision(setup: ConsensusSetup, networkId: Uint8Array, last: Checkpoint, memory: Memory): Begun {
  const number = last.number + 1;
  const instance = checkpointInstance(networkId, number, last.block.position.id);
  const voters = setup.ledger.voters(last.block.position, number);
  const weights = new Map(voters.map((node) => [hex(node), 1]));
  const kept = keptRecord(instance, memory);
  const decisionSetup: DecisionSetup = {
    instance,
    voters: { weights, total: voters.length },
    ...voteTimes(setup.network.genesis.consensus.targetIntervalMs),
    ...(mayVote(number, memory, kept) && { self: hex(setup.node) }),
    ...(kept && { kept }),
  };
  return { instance, voters, decision: startDecision(decisionSetup) };
}

function keptRecord(instance: Uint8Array, { keptVotes }: Memory): VoteRecord | undefined {
  const decoded = keptVotes && sameBytes(keptVotes.instance, instance) ? decodeVoteRecord(keptVotes.votes) : undefined;
  return decoded?.status === 'decoded' ? decoded.value : undefined;
}

/** Who no longer knows what it has voted on watches, so that it never contradicts itself. */
function mayVote(number: number, { votesFrom, keptVotes }: Memory, kept: VoteRecord | undefined): boolean {
  if (kept) return true;
  if (number < votesFrom) return false;
  return !keptVotes || number >= votesFrom + CONSENSUS_LIMITS.rememberedCheckpoints;
}

/** Tells the decision of blocks that may be voted for: those at most 64 heights above the checkpoint. */
export function tellBlock(state: ConsensusState, { position }: TakenBlock): void {
  const above = position.height - state.tree.root.position.height;
  if (above < 1 || above > LIMITS.checkpointStepMax) return;
  tellVotes(state, { type: 'valueKnown', value: position.id, nowMs: state.at.monotonicMs });
}

/** The candidate follows the head. */
export function tellCandidate(state: ConsensusState): void {
  const candidate = candidateOf(state);
  if (!candidate || candidate.key === state.finality.candidate) return;
  state.finality.candidate = candidate.key;
  tellVotes(state, { type: 'candidateChosen', value: candidate.position.id, nowMs: state.at.monotonicMs });
}

/** Up to 64 heights above the checkpoint, the largest power of two. */
function candidateOf({ tree, head }: ConsensusState): TakenBlock | undefined {
  const { height } = tree.root.position;
  const above = Math.min(head.position.height - height, LIMITS.checkpointStepMax);
  if (above < 1) return undefined;
  const powerOfTwo = 1 << (31 - Math.clz32(above));
  return ancestorOf(tree, head, height + powerOfTwo);
}

export function tellVotes(state: ConsensusState, event: VoteEvent): void {
  for (const effect of stepDecision(state.finality.decision, event)) perform(state, effect);
}

/** The taken block that this voter is locked on. */
export function lockedBlock({ finality, tree }: ConsensusState): TakenBlock | undefined {
  const { locked } = finality.decision;
  return locked && tree.blocks.get(hex(locked.value));
}

function perform(state: ConsensusState, effect: VoteEffect): void {
  switch (effect.effect) {
    case 'keep':
      persistVotes(state.outbox, state.finality.instance, encodeVoteRecord(effect.record));
      return;
    case 'cast':
      cast(state, effect);
      return;
    case 'repeat':
      for (const envelope of effect.envelopes) broadcast(state.outbox, 'ballot', envelope);
      return;
    case 'propose':
      propose(state, effect);
      return;
    case 'decided':
      state.finality.decided = effect;
      return;
    case 'equivocated':
      accuseOfBallots(state, effect.node, effect.first, effect.second);
      return;
    case 'want':
      wantBlock(state, effect.value, effect.backing);
      return;
  }
}

function cast(state: ConsensusState, { round, step, value }: VoteEffect & { effect: 'cast' }): void {
  const { setup, networkId, finality, at } = state;
  const ballot: Ballot = { network: networkId, instance: finality.instance, round, step, ...(value && { value }), node: setup.node };
  const envelope = signMessage(BallotMessage, ballot, setup.sign);
  broadcast(state.outbox, 'ballot', envelope);
  tellVotes(state, { type: 'ballotReceived', cast: { ballot, envelope, key: setup.operationalKey }, nowMs: at.monotonicMs });
}

function propose({ setup, networkId, finality, outbox }: ConsensusState, effect: VoteEffect & { effect: 'propose' }): void {
  const { round, value, validRound } = effect;
  const prevotes = effect.prevotes.map(({ key, envelope }) => ({ key, envelope }));
  const proposal = { network: networkId, instance: finality.instance, round, value, prevotes, node: setup.node };
  broadcast(outbox, 'ballot', signMessage(ProposalMessage, { ...proposal, ...(validRound !== undefined && { validRound }) }, setup.sign));
}

/** Others rest on this block: it is asked of anyone; on the word of half of the voters it is not held (§12.4). */
function wantBlock(state: ConsensusState, id: Uint8Array, backing: Backing): void {
  const key = hex(id);
  if (backing === 'half') state.finality.backed.add(key);
  const { tree, arrivals } = state;
  arrivals.refused.delete(key);
  if (tree.blocks.has(key) || arrivals.held.has(key) || arrivals.orphans.has(key)) return;
  const anyPeer = state.sync.peers.keys().next().value;
  if (anyPeer !== undefined) askForBlock(state, { id }, anyPeer);
}
