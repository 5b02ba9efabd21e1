/** Waits of all nodes of a modelled race at each height: the same numbers whatever the group does. */
import type { Chance } from '../chance.ts';
import type { RaceSettings } from './race-settings.ts';

export interface HeightDraws {
  readonly waits: Float64Array;
  /** Of those who wait as they should. */
  readonly shortestHonestMs: number;
  readonly shortest: number;
  /** The group's nodes by their waits. */
  readonly forgedOrder: readonly number[];
}

export function drawHeight(settings: RaceSettings, draws: Chance): HeightDraws {
  const { nodes, forged, targetIntervalMs, minimumWaitMs } = settings;
  const waits = Float64Array.from({ length: nodes }, () => minimumWaitMs + draws.exponential(targetIntervalMs * nodes));
  const shortest = waits.reduce((best, wait, node) => (wait < (waits[best] ?? Infinity) ? node : best), 0);
  const forgedOrder = Array.from({ length: forged }, (_, node) => node).sort((left, right) => (waits[left] ?? 0) - (waits[right] ?? 0));
  return {
    waits,
    shortest,
    shortestHonestMs: waits.subarray(firstHonest(settings)).reduce((least, wait) => Math.min(least, wait), Infinity),
    forgedOrder,
  };
}

/** Under `honest` the forged chips behave like the others. */
export function firstHonest({ trick, forged }: RaceSettings): number {
  return trick === 'honest' ? 0 : forged;
}
