/** What a block does for capsules by itself: draws boxes, lets deadlines pass, forgets what has ended. Pure. Specification §15. */
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import { LIMITS } from '#protocol/limits.ts';
import { endedWith, givenUp } from './attempts.ts';
import { withBoxesDrawn } from './box-draw.ts';
import { capsulesWhere, type Agenda } from './capsule-agenda.ts';
import type { DrawingBlock } from './two-leaders.ts';

/** A block's height, leader, VRF output and chain time. */
export interface Upkeep extends DrawingBlock {
  readonly timeMs: number;
}

/** Before the block's transactions, so that no capsule gets a box from the block that orders it. */
export function withUpkeep(state: ChainState, upkeep: Upkeep): ChainState {
  let { capsules } = state;
  for (const { capsule } of capsulesWhere(state.capsules, (agenda) => mayBeForgotten(agenda, upkeep))) capsules = capsules.without(capsule);
  for (const record of capsulesWhere(capsules, (agenda) => hasExpired(agenda, upkeep)))
    capsules = capsules.with(record.capsule, expired(record, upkeep));
  const { height, leader: node, output } = upkeep;
  for (const record of capsulesWhere(capsules, (agenda) => isUnanswered(agenda, upkeep)))
    capsules = capsules.with(record.capsule, givenUp(record, { height, lead: { node, output } }));
  return withBoxesDrawn(capsules === state.capsules ? state : { ...state, capsules }, upkeep);
}

/** Never while the same submission would be taken again (§11.3). */
function mayBeForgotten({ endedHeight, endedAcceptedAtMs }: Agenda, { height, timeMs }: Upkeep): boolean {
  return height - endedHeight >= LIMITS.chainCapsuleKeepHeights && timeMs - endedAcceptedAtMs > LIMITS.submissionAgeMaxMs;
}

/** Past its deadline without a box, or so old that nobody will end it any more. */
function hasExpired({ waitingDeadlineMs, openAcceptedAtMs }: Agenda, { timeMs }: Upkeep): boolean {
  return waitingDeadlineMs < timeMs || timeMs - openAcceptedAtMs > LIMITS.chainCapsuleOpenMaxMs;
}

function expired(record: CapsuleRecord, { height }: Upkeep): CapsuleRecord {
  return endedWith(record, { state: 'expired', reason: 'deadline', height });
}

/** Of those whose executor was asked, after the blocks and the time that it had. */
function isUnanswered({ askedHeight, askedMs }: Agenda, { height, timeMs }: Upkeep): boolean {
  return height - askedHeight > LIMITS.retryAnswerHeights && timeMs - askedMs >= LIMITS.retryAnswerMs;
}
