/** Where what the device senses and what the box says exclude one another. Pure. Specification §17.5. */
import type { RunEnergy, SensedBy } from '#protocol/run-energy.ts';
import type { PowerState, Reading } from '../board/ports.ts';
import { CONTROL_LIMITS } from './limits.ts';

/** Power of the box in mW when it does nothing, and when it does all it can; absent while it is not known. */
export interface PowerLevels {
  readonly idle?: number;
  readonly full?: number;
}

/** Levels as they are learned: the least and the greatest mean of a window. */
export interface LearnedLevels extends PowerLevels {
  readonly window: { readonly fromMs: number; readonly sum: number; readonly readings: number };
}

export const NOTHING_LEARNED: LearnedLevels = { window: { fromMs: 0, sum: 0, readings: 0 } };

/** A window in which the box was switched, or which has too few readings, teaches nothing. */
export function learnLevels(levels: LearnedLevels, reading: Reading, isOn: boolean): LearnedLevels {
  if (!isOn || reading.quality !== 'good') return { ...levels, window: { fromMs: reading.atMs, sum: 0, readings: 0 } };
  const { fromMs, sum, readings } = levels.window;
  const window = { fromMs: readings === 0 ? reading.atMs : fromMs, sum: sum + reading.value, readings: readings + 1 };
  if (reading.atMs - window.fromMs < CONTROL_LIMITS.levelWindowMs) return { ...levels, window };
  const mean = Math.round(window.sum / window.readings);
  return {
    idle: Math.min(levels.idle ?? mean, mean),
    full: Math.max(levels.full ?? mean, mean),
    window: { fromMs: reading.atMs, sum: 0, readings: 0 },
  };
}

export interface ClaimedWork {
  readonly energy: RunEnergy;
  /** As the report says. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** As they were when this boot of the box was first attested. */
  readonly processors: number;
  readonly levels: PowerLevels;
}

/**
 * A run that claims processors at work while the box drew what it draws when it rests: over the span that the device saw, which no claim
 * makes longer or shorter. @returns what is wrong, in a sentence
 */
export function idleAtWork({ energy, wallMs, cpuMs, processors, levels }: ClaimedWork): string | undefined {
  const { idle, full } = levels;
  if (idle === undefined || full === undefined || full * 2 < idle * 3) return undefined;
  const observedMs = energy.toMs - energy.fromMs - energy.unobservedMs;
  const spanMs = energy.toMs - energy.fromMs;
  if (energy.sharedWith > 0 || spanMs < CONTROL_LIMITS.judgedRunMs || observedMs * 5 < spanMs * 4) return undefined;
  const claimedMs = Math.min(wallMs, spanMs);
  const claimed = permilleOf(cpuMs, claimedMs * processors);
  if (claimed < 250) return undefined;
  // mJ · 1,000 / ms are mW; with the error it is the most that the box can have drawn.
  const most = Math.ceil(((energy.millijoules + energy.errorMillijoules) * 1_000) / observedMs);
  const least = idle + Math.floor((3 * permilleOf(cpuMs, spanMs * processors) * (full - idle)) / 10_000);
  if (most >= least) return undefined;
  return `the report claims ${Math.floor(claimed / 10)} % of ${processors} processors for ${claimedMs} ms, but the box drew at most ${watts(most)}; idle are ${watts(idle)}, full ${watts(full)}`;
}

function permilleOf(part: number, whole: number): number {
  return part >= whole ? 1_000 : Math.floor((part * 1_000) / whole);
}

export interface SensedPower {
  readonly power: PowerState;
  /** Sensed so since; Unix ms. */
  readonly sinceMs: number;
}

/** What is still on its way when the power goes is no contradiction. */
export function answersWhileOff({ power, sinceMs }: SensedPower, atMs: number): string | undefined {
  if (power !== 'off' || atMs - sinceMs <= CONTROL_LIMITS.wordsOnTheirWayMs) return undefined;
  return `it speaks ${Math.round((atMs - sinceMs) / 1_000)} s after its power was sensed off`;
}

export interface SeenBoot {
  readonly source: SensedBy;
  /** When power was last sensed to come back; absent if it was never seen off. */
  readonly poweredOnAtMs?: number;
  /** The boot that it named before that. */
  readonly bootBefore?: string;
}

/** After a reset that the device has seen, the boot must be another one. */
export function keptBoot({ source, poweredOnAtMs, bootBefore }: SeenBoot, bootId: string): string | undefined {
  if (source === 'simulated' || poweredOnAtMs === undefined || bootBefore !== bootId) return undefined;
  return `its power was off and on again, but it names the boot ${bootId} of before`;
}

/** @param uptimeS for how long it says that it has been up */
export function upTooLong({ source, poweredOnAtMs }: SeenBoot, uptimeS: number | undefined, atMs: number): string | undefined {
  if (source === 'simulated' || poweredOnAtMs === undefined || uptimeS === undefined) return undefined;
  const poweredS = Math.floor((atMs - poweredOnAtMs) / 1_000);
  if (uptimeS <= poweredS + CONTROL_LIMITS.uptimeSpareS) return undefined;
  return `it says that it has been up for ${uptimeS} s, its power is on since ${poweredS} s`;
}

function watts(milliwatts: number): string {
  return `${(milliwatts / 1_000).toFixed(1)} W`;
}
