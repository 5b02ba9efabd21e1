/**
 * What is known of a BMC's sensor before it is read: its name here, its accuracy, its numbers in whole units. Pure.
 * Specification §16.5.
 */
import type { Accuracy, Bounds, Quantity } from '../board/ports.ts';
import type { BmcValue } from './bmc.ts';
import { BMC_LIMITS } from './limits.ts';

const NAME_CHARACTERS_MAX = 32;

/** Of a BMC that states none. */
const ASSUMED: Readonly<Record<Quantity, Accuracy>> = {
  power: { permille: 100, absolute: 1_000 },
  energy: { permille: 100, absolute: 1_000 },
  current: { permille: 100, absolute: 100 },
  voltage: { permille: 50, absolute: 0 },
  fan: { permille: 50, absolute: 0 },
  temperature: { permille: 0, absolute: 3_000 },
  intrusion: { permille: 0, absolute: 0 },
  disk: { permille: 0, absolute: 0 },
};

export function assumedAccuracy(quantity: Quantity): Accuracy {
  return ASSUMED[quantity];
}

/** How often sensors are worth asking for: a BMC rests for as long as it takes to tell them. @param tookMs for all of them, once */
export function samplePeriodMs(tookMs: number): number {
  return Math.max(BMC_LIMITS.samplePeriodMs, Math.ceil((2 * tookMs) / 1_000) * 1_000);
}

/** Names of lower-case letters, digits and hyphens, one for each, in their order; those in `taken` are not given again. */
export function sensorNames(given: readonly string[], taken: readonly string[] = []): string[] {
  const used = new Set(taken);
  return given.map((name) => {
    const base = plainName(name);
    let made = base;
    for (let number = 2; used.has(made); number += 1) made = `${base}-${number}`;
    used.add(made);
    return made;
  });
}

function plainName(name: string): string {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? ['sensor'];
  return words.join('-').slice(0, NAME_CHARACTERS_MAX).replace(/-$/, '');
}

/** Watts to milliwatts and the like; revolutions a minute stay. @returns undefined beyond what is exact */
export function inUnit(quantity: Quantity, value: number): number | undefined {
  const scaled = Math.round(quantity === 'fan' ? value : value * 1_000);
  return Number.isSafeInteger(scaled) ? scaled + 0 : undefined;
}

/** A number that the BMC gave, judged by the range that it gives for the sensor. */
export function judgeValue(quantity: Quantity, given: number, range: Bounds = {}): BmcValue {
  const value = inUnit(quantity, given);
  if (value === undefined) return noValue(`it gave ${given}, which is beyond any sensor`);
  const { min = -Infinity, max = Infinity } = range;
  if (value >= min && value <= max) return { value, quality: 'good' };
  return { value, quality: 'out-of-range', detail: `the BMC says that this sensor measures ${min} to ${max}` };
}

export function noValue(detail: string): BmcValue {
  return { value: 0, quality: 'failed', detail };
}
