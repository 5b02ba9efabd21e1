/** How much stands behind what a box says of itself: of an offer, of a run, and what a capsule asks for at least. Specification §6.3. */
import { oneOf } from './schema.ts';

/** Weakest first: the box's own word; quotes of a program that plays a TPM; quotes and logs of a chip. */
export const TRUST_LEVELS = ['self-reported', 'software-tpm', 'tpm-measured'] as const;
export const TrustLevel = oneOf(...TRUST_LEVELS);
export type TrustLevel = (typeof TRUST_LEVELS)[number];

/** Whether a box of this level may run what asks for `least`. */
export function satisfies(level: TrustLevel, least: TrustLevel): boolean {
  return TRUST_LEVELS.indexOf(level) >= TRUST_LEVELS.indexOf(least);
}

export function higherLevel(left: TrustLevel, right: TrustLevel): TrustLevel {
  return satisfies(left, right) ? left : right;
}

export function lesserLevel(left: TrustLevel, right: TrustLevel): TrustLevel {
  return satisfies(left, right) ? right : left;
}
