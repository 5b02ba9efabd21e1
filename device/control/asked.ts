/** A challenge of control's own, outside of runs: for how long it may be answered, and when a box that rests is asked again. Pure. Specification §17.1. */
import type { Random } from '../ports.ts';
import { CONTROL_LIMITS } from './limits.ts';
import type { Challenged } from './ports.ts';

/** The challenge, and when it was last said. */
export interface Asked {
  readonly run: string;
  readonly challenged: Challenged;
  readonly saidAtMs: number;
}

export function mayBeAnswered({ challenged: { issuedAtMs } }: Asked, evidenceFromMs: number, atMs: number): boolean {
  return issuedAtMs >= evidenceFromMs && atMs - issuedAtMs < CONTROL_LIMITS.challengeAgeMaxMs;
}

/** Of a box that rests: it can't foresee when it is measured (§6.6). */
export function nextMoment(atMs: number, random: Random): number {
  const { min, max } = CONTROL_LIMITS.askedAgainMs;
  const drawn = new DataView(random(4).buffer).getUint32(0);
  return atMs + min + (drawn % (max - min));
}
