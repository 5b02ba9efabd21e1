/**
 * Voters endorse a head that is not final when it should be; the fork choice does not leave what more than half of them endorse. Pure.
 * Specification §12.8.
 */
import { EndorsementMessage, type Endorsement } from '#protocol/chain/endorsement.ts';
import { hex } from '#protocol/digest.ts';
import { signMessage } from '#protocol/signed.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { endorsedAfterOf } from './due.ts';
import type { KeptChain } from './events.ts';
import { broadcast } from './outbox.ts';
import type { ConsensusState, Endorsements } from './state.ts';
import type { TakenBlock, Tree } from './tree.ts';

/** What was endorsed is not kept: after a start only blocks above all that are known are endorsed. */
export function noEndorsements({ blocks }: Pick<KeptChain, 'blocks'>): Endorsements {
  const ownHeight = blocks.reduce((highest, { block }) => Math.max(highest, block.header.height), 0);
  return { said: new Map(), contradicted: new Set(), sinceNumber: 0, ownHeight };
}

/** When this member owes an endorsement of its head, on the monotonic clock. */
export function endorseAtMs({ setup, head, tree, finality, endorsements }: ConsensusState): number | undefined {
  const isVoter = finality.decision.setup.self !== undefined;
  if (!isVoter || head === tree.root || head.position.height <= endorsements.ownHeight) return undefined;
  return Math.max(head.earliestMs, head.seenMs) + endorsedAfterOf(setup.network.genesis.consensus.targetIntervalMs);
}

export function endorseHead(state: ConsensusState): void {
  const { head, setup, networkId, self, endorsements } = state;
  if ((endorseAtMs(state) ?? Infinity) > state.at.monotonicMs) return;
  const { height, id } = head.position;
  endorsements.ownHeight = height;
  noteEndorsement(state, self, height, head.key);
  const endorsement = { network: networkId, height, block: id, node: setup.node };
  broadcast(state.outbox, 'ballot', signMessage(EndorsementMessage, endorsement, setup.sign));
}

/** By a voter, of a height that matters here, and not said before. */
export function isEndorsementNew({ tree, head, finality, endorsements }: ConsensusState, { height, block, node }: Endorsement): boolean {
  const voter = hex(node);
  if (!finality.decision.setup.voters.weights.has(voter) || endorsements.contradicted.has(voter)) return false;
  if (height <= tree.root.position.height || height > head.position.height + CONSENSUS_LIMITS.endorsedHeights) return false;
  const said = endorsements.said.get(voter) ?? new Map<number, string>();
  const isTooOld = said.size >= CONSENSUS_LIMITS.endorsedHeights && height < Math.min(...said.keys());
  return !isTooOld && said.get(height) !== hex(block);
}

export function noteEndorsement({ endorsements }: ConsensusState, node: string, height: number, key: string): void {
  const said = endorsements.said.get(node) ?? new Map<number, string>();
  endorsements.said.set(node, said);
  if ((said.get(height) ?? key) !== key) endorsements.contradicted.add(node);
  said.set(height, key);
  if (said.size > CONSENSUS_LIMITS.endorsedHeights) said.delete(Math.min(...said.keys()));
}

/** The highest taken block that, with what stands on it, has the latest endorsements of more than half of the weight. */
export function backedBlock(state: Pick<ConsensusState, 'tree' | 'endorsements' | 'finality'>): TakenBlock | undefined {
  forgetFinal(state);
  const { tree, endorsements, finality } = state;
  const { weights, total } = finality.decision.setup.voters;
  const weightOn = new Map<TakenBlock, number>();
  let left = 0;
  for (const [node, said] of endorsements.said) {
    const block = endorsements.contradicted.has(node) ? undefined : latestTaken(tree, said);
    const weight = weights.get(node) ?? 0;
    if (block) weightOn.set(block, (weightOn.get(block) ?? 0) + weight);
    if (block) left += weight;
  }
  return left * 2 > total ? majorityOf(tree, weightOn, total) : undefined;
}

/** From the highest endorsed block downwards each gives its weight to its parent, until one has more than half. */
function majorityOf(tree: Tree, weightOn: Map<TakenBlock, number>, total: number): TakenBlock | undefined {
  let downTo: number | undefined;
  while (weightOn.size > 0) {
    const top = [...weightOn.keys()].reduce((one, other) => (other.position.height > one.position.height ? other : one));
    const weight = weightOn.get(top) ?? 0;
    downTo ??= top.position.height - CONSENSUS_LIMITS.endorsedHeights;
    if (weight * 2 > total) return top;
    weightOn.delete(top);
    const parent = tree.blocks.get(top.parent);
    if (!parent || parent === tree.root || parent.position.height < downTo) continue;
    weightOn.set(parent, (weightOn.get(parent) ?? 0) + weight);
  }
  return undefined;
}

/** Where another height was said than the block's, two blocks of one height could be endorsed without a contradiction. */
function latestTaken(tree: Tree, said: ReadonlyMap<number, string>): TakenBlock | undefined {
  let latest: TakenBlock | undefined;
  for (const [height, key] of said) {
    const block = tree.blocks.get(key);
    if (block?.position.height !== height || block === tree.root) continue;
    if (!latest || height > latest.position.height) latest = block;
  }
  return latest;
}

/** A checkpoint settles what was said below it, and who has contradicted itself counts again. */
function forgetFinal({ endorsements, finality: { last }, tree }: Pick<ConsensusState, 'tree' | 'endorsements' | 'finality'>): void {
  if (endorsements.sinceNumber === last.number) return;
  endorsements.sinceNumber = last.number;
  endorsements.contradicted.clear();
  for (const [node, said] of endorsements.said) {
    for (const height of said.keys()) if (height <= tree.root.position.height) said.delete(height);
    if (said.size === 0) endorsements.said.delete(node);
  }
}
