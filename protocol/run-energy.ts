/** The energy that a run took, as its device measured it from outside of the box. Specification §17.4. */
import { LIMITS } from './limits.ts';
import { integer, oneOf, struct, type Infer } from './schema.ts';
import { Name } from './topics.ts';

const Whole = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** By what a device senses a box. `simulated`: a program says it, and nothing was measured. */
export const SENSED_BY = ['wires', 'simulated', 'ipmi', 'redfish'] as const;
export const SensedBy = oneOf(...SENSED_BY);
export type SensedBy = (typeof SENSED_BY)[number];

export const RunEnergy = struct({
  source: SensedBy,
  sensor: Name,
  /** What was integrated over, by the clock of the device. */
  fromMs: Whole,
  toMs: Whole,
  /** Time in this span without readings: not integrated. */
  unobservedMs: Whole,
  millijoules: Whole,
  /** The energy of the observed time lies within ± this. */
  errorMillijoules: Whole,
  samples: Whole,
  /** Other runs that the box had at most at the same time: its watts are not divided among them. */
  sharedWith: integer({ min: 0, max: 64 }),
});
export type RunEnergy = Infer<typeof RunEnergy>;

/** What a run takes at this moment, and has taken so far. */
export const POWER_NOW = { source: SensedBy, milliwatts: Whole, millijoules: Whole };

/** What a run's own times are, by the clock of the box. */
export interface RunSpan {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** Why an account of energy can't be true; `undefined` where it can. */
export function objectionToEnergy(energy: RunEnergy, run: RunSpan): string | undefined {
  const { fromMs, toMs, unobservedMs, millijoules, samples } = energy;
  if (toMs < fromMs) return `the energy ends (${toMs}) before it begins (${fromMs})`;
  if (unobservedMs > toMs - fromMs) return `${unobservedMs} ms of ${toMs - fromMs} ms are said to be unobserved`;
  if (fromMs > run.endedAtMs + LIMITS.clockSkewMaxMs || toMs + LIMITS.clockSkewMaxMs < run.startedAtMs)
    return 'the energy is of another time than the run';
  const observedMs = toMs - fromMs - unobservedMs;
  if (millijoules > 0 && (samples === 0 || observedMs === 0)) return 'energy is claimed without a reading';
  // mJ over ms are W.
  if (millijoules > observedMs * LIMITS.boxWattsMax) return `${millijoules} mJ in ${observedMs} ms are more than ${LIMITS.boxWattsMax} W`;
  return undefined;
}

/** Of a run, how many of 1,000 parts were observed. */
export function observedPermille({ fromMs, toMs, unobservedMs }: RunEnergy, run: RunSpan): number {
  const runMs = Math.max(1, run.endedAtMs - run.startedAtMs);
  return Math.min(1_000, Math.floor(((toMs - fromMs - unobservedMs) * 1_000) / runMs));
}

/** For people: `12.3 J ± 0.4 J`. */
export function joulesText({ millijoules, errorMillijoules }: Pick<RunEnergy, 'millijoules' | 'errorMillijoules'>): string {
  return `${joules(millijoules)} J ± ${joules(errorMillijoules)} J`;
}

function joules(millijoules: number): string {
  return (millijoules / 1_000).toFixed(millijoules < 100_000 ? 1 : 0);
}
