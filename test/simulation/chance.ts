/**
 * Draws for a simulated world. Each concern (a link's losses, one member's crashes, …) draws from a stream of its own, made
 * of the seed and its name, so that switching one fault off leaves the draws of all others as they were.
 */
import { hash } from 'node:crypto';

export interface Chance {
  /** A number in [0, 1). */
  share(): number;
  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number;
  happens(probability: number): boolean;
  between(min: number, max: number): number;
  /** With this mean; the draw of waiting times. */
  exponential(mean: number): number;
  pick<T>(from: readonly T[]): T;
  /** Some of them, each with this probability, in their order. */
  some<T>(from: readonly T[], probability: number): T[];
  shuffled<T>(from: readonly T[]): T[];
  bytes(length: number): Uint8Array;
}

/** The streams of one seed: `chanceOf('crash', 3)` is the same stream of draws in every run of the seed. */
export type Chances = (...concern: readonly (string | number)[]) => Chance;

export function chancesOf(seed: number): Chances {
  return (...concern) => chanceFrom(hash('sha256', `${seed} ${concern.join(' ')}`, 'hex'));
}

/** sfc32 (Chris Doty-Humphrey's Small Fast Counting generator), seeded by the first 96 bits of a digest. */
function chanceFrom(digest: string): Chance {
  let a = Number.parseInt(digest.slice(0, 8), 16) | 0;
  let b = Number.parseInt(digest.slice(8, 16), 16) | 0;
  let c = Number.parseInt(digest.slice(16, 24), 16) | 0;
  let counter = 1;
  const word = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  const share = (): number => word() / 2 ** 32;
  const below = (limit: number): number => Math.floor(share() * limit);
  const happens = (probability: number): boolean => share() < probability;
  return {
    share,
    below,
    happens,
    between: (min, max) => min + share() * (max - min),
    exponential: (mean) => -Math.log(1 - share()) * mean,
    pick: (from) => picked(from, below(from.length)),
    some: (from, probability) => from.filter(() => happens(probability)),
    shuffled: (from) => shuffled(from, below),
    bytes: (length) => Uint8Array.from({ length }, () => word() & 0xff),
  };
}

function picked<T>(from: readonly T[], index: number): T {
  if (from.length === 0) throw new RangeError('nothing to choose from');
  return from[index] as T;
}

/** Fisher and Yates. */
function shuffled<T>(from: readonly T[], below: (limit: number) => number): T[] {
  const mixed = [...from];
  for (let index = mixed.length - 1; index > 0; index -= 1) {
    const other = below(index + 1);
    [mixed[index], mixed[other]] = [mixed[other] as T, mixed[index] as T];
  }
  return mixed;
}
