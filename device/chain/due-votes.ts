/**
 * What members owe: since when there has been something to vote on, and what each could have said of the head. Pure.
 * Specification §14.5.
 *
 * A drawn wait may last longer than any silence that means something; nobody votes, or says a head, while it runs.
 */

interface HeadMove {
  readonly atMs: number;
  readonly height: number;
}

/** Times are of a monotonic clock, in ms. */
export interface DueVotes {
  /** The last checkpoint, by its number. */
  readonly checkpoint: number;
  /** Since when the head has stood above it; absent while it does not. */
  readonly sinceMs?: number;
  /** When the head moved: all that are younger than the silence, and the newest that is not. */
  readonly moves: readonly HeadMove[];
}

export interface DueAt {
  readonly nowMs: number;
  /** From which silence on somebody counts as silent. */
  readonly silenceMs: number;
}

export const NOTHING_DUE: DueVotes = { checkpoint: -1, moves: [] };

/** To be called whenever the head or the last checkpoint may have changed. */
export function noteDue(due: DueVotes, headHeight: number, checkpoint: { number: number; height: number }, at: DueAt): DueVotes {
  const { nowMs, silenceMs } = at;
  const isDue = headHeight > checkpoint.height;
  const sinceMs = isDue ? (due.checkpoint === checkpoint.number ? (due.sinceMs ?? nowMs) : nowMs) : undefined;
  const { moves } = due;
  const last = moves.at(-1);
  // Thousands of blocks come at once while catching up: some of them are enough.
  const isMove = last === undefined || (last.height !== headHeight && nowMs - last.atMs >= silenceMs / movesKept);
  return {
    checkpoint: checkpoint.number,
    ...(sinceMs === undefined ? {} : { sinceMs }),
    moves: isMove ? withoutOld([...moves, { atMs: nowMs, height: headHeight }], at) : moves,
  };
}

/** For how long votes have been due that have made no checkpoint; 0 where nothing is to be voted on. */
export function dueForMs({ sinceMs }: DueVotes, nowMs: number): number {
  return sinceMs === undefined ? 0 : Math.max(0, nowMs - sinceMs);
}

/** Whether somebody has let pass, for the whole of the silence, a head that is higher than the last that it said. */
export function isOverdue({ moves }: DueVotes, said: { atMs: number; height: number } | undefined, { nowMs, silenceMs }: DueAt): boolean {
  const { atMs, height } = said ?? { atMs: -Infinity, height: -1 };
  return moves.some((move) => nowMs - move.atMs > silenceMs && move.atMs > atMs && move.height > height);
}

const movesKept = 64;

function withoutOld(moves: readonly HeadMove[], { nowMs, silenceMs }: DueAt): readonly HeadMove[] {
  const newestOld = moves.findLastIndex((move) => nowMs - move.atMs > silenceMs);
  return newestOld <= 0 ? moves : moves.slice(newestOld);
}
