/** What a block does for capsules by itself: draws boxes, lets deadlines pass, forgets what has ended. Pure. Specification §15. */
import { boxOrder } from '#protocol/chain/public-draw.ts';
import type { BoxRecord, CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { recordOf } from './member-identity.ts';
import { hasSeat } from './seats.ts';

/** A block's height, chain time and VRF output. */
export interface Upkeep {
  readonly height: number;
  readonly timeMs: number;
  readonly output: Uint8Array;
}

/** Before the block's transactions, so that no capsule gets a box from the block that orders it. */
export function withUpkeep(state: ChainState, upkeep: Upkeep): ChainState {
  let { capsules } = state;
  for (const [key, record] of state.capsules) {
    if (mayBeForgotten(record, upkeep)) capsules = capsules.without(key);
    else if (!record.end && hasExpired(record, upkeep)) capsules = capsules.with(key, expired(record, upkeep));
  }
  const kept = capsules === state.capsules ? state : { ...state, capsules };
  return withBoxesDrawn(kept, upkeep);
}

/** Capsules that have not ended. */
export function openCapsules({ capsules }: ChainState): number {
  const known = openCounts.get(capsules) ?? capsules.values().reduce((count, { end }) => (end ? count : count + 1), 0);
  openCounts.set(capsules, known);
  return known;
}

const openCounts = new WeakMap<ChainState['capsules'], number>();

/** Never while the same submission would be taken again (§11.3). */
function mayBeForgotten({ end, acceptedAtMs }: CapsuleRecord, { height, timeMs }: Upkeep): boolean {
  return end !== undefined && height - end.height >= LIMITS.chainCapsuleKeepHeights && timeMs - acceptedAtMs > LIMITS.submissionAgeMaxMs;
}

/** Past its deadline without a box, or so old that nobody will end it any more. */
function hasExpired({ deadlineMs, awaitsDraw, acceptedAtMs }: CapsuleRecord, { timeMs }: Upkeep): boolean {
  const isLate = deadlineMs !== undefined && deadlineMs < timeMs && awaitsDraw === 'yes';
  return isLate || timeMs - acceptedAtMs > LIMITS.chainCapsuleOpenMaxMs;
}

function expired(record: CapsuleRecord, { height }: Upkeep): CapsuleRecord {
  return { ...record, awaitsDraw: 'no', end: { state: 'expired', reason: 'deadline', height } };
}

/** In the order in which the capsules were ordered, as far as a block's draws reach. */
function withBoxesDrawn(state: ChainState, { height, output }: Upkeep): ChainState {
  const waiting = [...state.capsules.values().filter(({ awaitsDraw }) => awaitsDraw === 'yes')].sort(byOrder);
  if (waiting.length === 0) return state;
  const boxes = [...state.boxes.values().filter((box) => isReachable(state, box))];
  let [capsules, ranks] = [state.capsules, 0];
  for (const record of waiting) {
    const fitting = boxes.filter((box) => fits(box, record));
    if (ranks > 0 && ranks + fitting.length > LIMITS.boxRanksPerBlockMax) break;
    ranks += fitting.length;
    const drawn = drawnFor(record, fitting, output);
    if (!drawn) continue;
    const attempts = [...record.attempts, { node: drawn.node, box: drawn.box.name, height }];
    capsules = capsules.with(record.capsule, { ...record, attempts, awaitsDraw: 'no' });
  }
  return { ...state, capsules };
}

function byOrder(left: CapsuleRecord, right: CapsuleRecord): number {
  return left.orderedHeight - right.orderedHeight || (left.capsule < right.capsule ? -1 : 1);
}

/** Of a member with a seat, whose vote stands in one of the last certificates; while there are few, of every member. */
function isReachable(state: ChainState, { node }: BoxRecord): boolean {
  const record = recordOf(state, node);
  const { number } = state.core.checkpoint;
  if (record?.standing !== 'member' || !hasSeat(state, node)) return false;
  return number < LIMITS.voteSilenceMax || number - record.votedIn < LIMITS.voteSilenceMax;
}

function fits({ box }: BoxRecord, { runtime, trust }: CapsuleRecord): boolean {
  return box.trust === trust && box.runtimes.includes(runtime);
}

/** The first one not tried before; where all were tried, the first. */
function drawnFor({ capsule, attempts }: CapsuleRecord, fitting: readonly BoxRecord[], output: Uint8Array): BoxRecord | undefined {
  const named = fitting.map((record) => ({ node: record.node, box: record.box.name, record }));
  const order = boxOrder(output, capsule, attempts.length + 1, named);
  const tried = new Set(attempts.map(({ node, box }) => `${hex(node)}/${box}`));
  return (order.find(({ node, box }) => !tried.has(`${hex(node)}/${box}`)) ?? order[0])?.record;
}
