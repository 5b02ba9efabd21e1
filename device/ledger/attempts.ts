/** What becomes of a capsule whose attempt was given up, or that has ended. Pure. Specification §15.5. */
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { recordOf } from './member-identity.ts';
import type { Place } from './position.ts';
import { firstDrawing } from './two-leaders.ts';

/** Another box is drawn; after the last attempt the capsule has failed. */
export function givenUp(record: CapsuleRecord, { height, lead }: Pick<Place, 'height' | 'lead'>): CapsuleRecord {
  if (record.attempts.length >= LIMITS.attemptsMax) return endedWith(record, { state: 'failed', reason: 'box-lost', height });
  return awaitingDraw(settled(record), { height, ...(lead && { lead }) });
}

export function awaitingDraw(record: CapsuleRecord, { height, lead }: Pick<Place, 'height' | 'lead'>): CapsuleRecord {
  const drawing = firstDrawing(record.gateway, lead, height);
  return { ...record, awaitsDraw: 'yes', ...(drawing && { drawing }) };
}

export function endedWith(record: CapsuleRecord, end: NonNullable<CapsuleRecord['end']>): CapsuleRecord {
  return { ...settled(record), awaitsDraw: 'no', end };
}

/** Whether the chain itself shows that the box of the last attempt is gone. */
export function isBoxGone(state: ChainState, { attempts }: CapsuleRecord): boolean {
  const last = attempts.at(-1);
  if (!last) return false;
  return recordOf(state, last.node)?.standing !== 'member' || !state.boxes.has(`${hex(last.node)}/${last.box}`);
}

function settled({ asked: _asked, answeredHeight: _answered, drawing: _drawing, draw: _draw, ...record }: CapsuleRecord): CapsuleRecord {
  return record;
}
