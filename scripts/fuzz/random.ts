/** Numbers that look random and come again with their seed, so that a failure is found again. Mulberry32. */

/** A whole number from 0 to `below` − 1. */
export type Draw = (below: number) => number;

export function drawFrom(seed: number): Draw {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** FNV-1a of a name: each target has draws of its own, whatever else runs. */
export function seedOf(seed: number, name: string): number {
  let state = 0x811c9dc5 ^ seed;
  for (const byte of new TextEncoder().encode(name)) state = Math.imul(state ^ byte, 0x01000193);
  return state;
}

export function pick<T>(draw: Draw, from: readonly T[]): T {
  const chosen = from[draw(from.length)];
  if (chosen === undefined) throw new RangeError('nothing to choose from');
  return chosen;
}
