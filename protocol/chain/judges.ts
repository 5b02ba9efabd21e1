/** Who judges a member's evidence, and with what weight: the same for whoever repeats the draw. Specification §18.3. */
import { domainDigest, hex, uint64 } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import type { SlotDraw } from './trust-state.ts';
import { orderedBy } from './public-draw.ts';
import type { JudgedSlot } from './verdict.ts';

export interface Judges {
  /** Weights by node id in hexadecimal. */
  readonly weights: ReadonlyMap<string, number>;
  /** Of all of them, the absent included. */
  readonly total: number;
  /** Whether some were drawn, of enough that qualify; else all seats judge. */
  readonly drawn: boolean;
}

/** @param judges of the genesis: how many are drawn at level 0 */
export function judgesOf(network: Uint8Array, draw: SlotDraw, { subject, level }: JudgedSlot, judges: number): Judges {
  const seats = draw.seats.map((node, index) => ({ node, weight: draw.weights[index] ?? 0 }));
  const others = seats.filter(({ node }) => hex(node) !== hex(subject));
  const qualified = others.filter(({ weight }) => weight > 0);
  const drawn = level === 0 && others.length > judges && qualified.length >= Math.min(judges, LIMITS.judgesLeast);
  const open = drawn ? qualified : seats.map(({ node }) => ({ node, weight: 1 }));
  const committee = domainDigest('verdict-committee', network, draw.seed, subject, uint64(draw.slot));
  const ordered = orderedBy(open, ({ node }) => domainDigest('committee-order', committee, node));
  const chosen = ordered.slice(0, drawn ? judges : LIMITS.committeeSize);
  return {
    weights: new Map(chosen.map(({ node, weight }) => [hex(node), weight])),
    total: chosen.reduce((sum, { weight }) => sum + weight, 0),
    drawn,
  };
}
