/**
 * When a member that may have forgotten votes of its own may speak again. Pure. Specification §14.4.
 *
 * It can have voted on number c only if it knew checkpoint c − 1. Of every certificate that was ever complete, the one before is
 * known to an honest member among any others that are more than two thirds of the seats; itself it can't ask. So two more than it
 * has once it caught up with these is beyond everything on which it can have voted. Where fewer are up, nothing is certified
 * without it in any case. A liar among them gains nothing: what it announces has to be shown.
 *
 * With fewer than four seats nothing is ever certified without it, so it speaks as soon as it has caught up with all.
 */

/** Below, no member may fail (§13.5). */
const seatsThatBearOneFault = 4;

export interface Abstention {
  /** Members, by node id, that have said where they stand since the start. */
  readonly heard: ReadonlySet<string>;
  /** When enough had been heard, on the monotonic clock. */
  readonly heardMs: number | undefined;
  /** From this checkpoint on nothing of what was lost matters. */
  readonly until: number | undefined;
}

export const newAbstention: Abstention = { heard: new Set(), heardMs: undefined, until: undefined };

export interface AbstentionView {
  /** The member's last certified checkpoint. */
  readonly number: number;
  /** Seats in force, hexadecimal, and this member's own. */
  readonly seats: ReadonlySet<string>;
  readonly self: string;
  readonly nowMs: number;
  /** How long after that a member takes to catch up with what was announced. */
  readonly settleMs: number;
}

export function hearFrom(abstention: Abstention, peer: string): Abstention {
  return abstention.heard.has(peer) ? abstention : { ...abstention, heard: new Set([...abstention.heard, peer]) };
}

export function stepAbstention(
  abstention: Abstention,
  view: AbstentionView,
): { readonly abstention: Abstention; readonly isOver: boolean } {
  const { number, seats, self, nowMs, settleMs } = view;
  if (abstention.until !== undefined) return { abstention, isOver: number >= abstention.until };
  const heard = [...abstention.heard].filter((peer) => peer !== self && seats.has(peer)).length;
  const bearsOne = seats.size >= seatsThatBearOneFault;
  const isEnough = bearsOne ? 3 * heard > 2 * seats.size : heard >= seats.size - 1;
  if (!isEnough) return { abstention, isOver: false };
  const heardMs = abstention.heardMs ?? nowMs;
  const until = nowMs - heardMs >= settleMs ? number + (bearsOne ? 2 : 0) : undefined;
  return { abstention: { ...abstention, heardMs, until }, isOver: false };
}

/** The reason for which a chip is not asked. */
export class Abstaining extends Error {}
