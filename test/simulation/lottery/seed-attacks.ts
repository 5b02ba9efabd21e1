/**
 * What can be had by choosing the seed of the draws, or the key that draws: withholding the last blocks of an epoch (or every
 * block, were the seed renewed by each), a private tree of forks, overlapped waits, grinding of keys. Specification §11.5, §12.1.
 */
import type { Chance } from '../chance.ts';

/** Of the wins of an epoch, by a group that knows its own draws under a seed, in the mean and the deviation from seed to seed. */
export function expectedWins(share: number, heights: number): { readonly mean: number; readonly deviation: number } {
  // Its shortest wait w is exponential with rate `share`; it wins with probability exp(−(1 − share)·w).
  const square = share / (2 - share);
  return { mean: heights * share, deviation: Math.sqrt(heights * (square - share * share)) };
}

/**
 * Seeds among which a group can choose by giving up some of the last blocks of an epoch: at each of the last heights at
 * which it comes first, one of its own blocks that come before the first honest one, or that. More than it has, since it
 * is taken to know the honest blocks ahead.
 * @returns how many seeds there are at a cost of 0, 1, … blocks
 */
export function seedChoices(share: number, heights: number, chance: Chance): readonly number[] {
  let byCost: number[] = [1];
  for (let height = 0; height < heights; height += 1) {
    let own = 0;
    while (chance.happens(share)) own += 1;
    if (own === 0) return byCost;
    const before = byCost;
    byCost = Array.from({ length: before.length + 1 }, (_, cost) => (before[cost] ?? 0) * own + (before[cost - 1] ?? 0));
  }
  return byCost;
}

/** Share of blocks of a group that withholds for the better seed, one epoch in two (§12.1: each seed comes from the epoch before the last). */
export function withholdingShare(share: number, epochHeights: number, epochs: number, chance: Chance): number {
  const { mean, deviation } = expectedWins(share, epochHeights);
  let wins = 0;
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const values = seedChoices(share, epochHeights, chance).map((seeds, cost) => mean + deviation * greatestNormal(seeds, chance) - cost);
    wins += values.reduce((best, value) => Math.max(best, value), -Infinity);
  }
  return wins / (epochs * epochHeights);
}

/**
 * The same with a seed that every block renews: of its blocks before the first honest one the group shows the one whose seed
 * gives it the shortest wait at the next height.
 */
export function withholdingSharePerBlock(share: number, heights: number, chance: Chance): number {
  let wins = 0;
  let ownWait = chance.exponential(1 / share);
  for (let height = 0; height < heights; height += 1) {
    const honestWait = chance.exponential(1 / (1 - share));
    let choices = ownWait < honestWait ? 1 : 0;
    wins += choices;
    // Further own draws before the honest one: a Poisson process of rate `share` over what is left.
    for (let at = ownWait; choices > 0 && (at += chance.exponential(1 / share)) < honestWait;) choices += 1;
    ownWait = chance.exponential(1 / share / Math.max(1, choices));
  }
  return wins / heights;
}

/** The greatest of `count` normal draws, by inversion of its distribution. */
function greatestNormal(count: number, chance: Chance): number {
  if (count < 1) return -Infinity;
  return inverseNormal(Math.pow(chance.share() || 2 ** -33, 1 / count));
}

/** Quantile of the normal law by bisection of Abramowitz and Stegun 26.2.17; good to 10^-6. */
export function inverseNormal(probability: number): number {
  let [low, high] = [-9, 9];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (normalLaw(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function normalLaw(value: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(value));
  const tail =
    (Math.exp((-value * value) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return value < 0 ? tail : 1 - tail;
}

/**
 * How much faster than a plain chain a private tree of forks grows, when each block renews the draws of its branch: on every
 * block as many children as there are seats, of which the earliest at each height are followed. The limit is e.
 */
export function privateTreeSpeed(generations: number, kept: number, chance: Chance): number {
  let earliest: number[] = [0];
  for (let generation = 0; generation < generations; generation += 1) {
    // A branch's children after this are later than those of others that are kept.
    const horizon = (earliest[0] ?? 0) + 14;
    const children: number[] = [];
    for (const parent of earliest)
      for (let at = parent + chance.exponential(1); at < horizon; at += chance.exponential(1)) children.push(at);
    earliest = children.sort((left, right) => left - right).slice(0, kept);
  }
  return generations / (earliest[0] ?? Infinity);
}

/** The same where the seed holds for an epoch: a draw is the same on every branch, so every branch has the pace of one chain. */
export function privateChainSpeed(generations: number, chance: Chance): number {
  return generations / Array.from({ length: generations }, () => chance.exponential(1)).reduce((sum, wait) => sum + wait, 0);
}

/** How much faster than one after the other a history of `heights` waits is made when all of them may run at the same time. */
export function overlappedSpeed(heights: number, chance: Chance): number {
  const waits = Array.from({ length: heights }, () => chance.exponential(1));
  return waits.reduce((sum, wait) => sum + wait, 0) / waits.reduce((longest, wait) => Math.max(longest, wait), 0);
}

export interface Grinding {
  /** Wins of the best of the keys under the seed for which it was chosen, and under another one, over its fair share. */
  readonly knownSeed: number;
  readonly laterSeed: number;
}

/** A member that tries many keys and keeps the one with the most promising draws. */
export function grindKeys(nodes: number, heights: number, keys: number, chance: Chance): Grinding {
  const draws = (): number[] => Array.from({ length: heights }, () => chance.exponential(nodes));
  const promise = (waits: readonly number[]): number => waits.reduce((sum, wait) => sum + Math.exp(-wait * (1 - 1 / nodes)), 0);
  let best = draws();
  let bestPromise = promise(best);
  for (let key = 1; key < keys; key += 1) {
    const waits = draws();
    const its = promise(waits);
    if (its > bestPromise) [best, bestPromise] = [waits, its];
  }
  const winsOver = (waits: readonly number[]): number =>
    (waits.filter((wait) => wait < chance.exponential(nodes / (nodes - 1))).length * nodes) / heights;
  return { knownSeed: winsOver(best), laterSeed: winsOver(draws()) };
}
