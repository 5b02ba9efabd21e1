/** A reading as far as it can be true of a box: whoever senses it, a BMC or a chip, may give any number. Pure. Specification §17.3. */
import { LIMITS } from '#protocol/limits.ts';
import type { Reading } from '../board/ports.ts';

/** In mW. */
export const MILLIWATTS_MAX = LIMITS.boxWattsMax * 1_000;

export function plausible(reading: Reading): Reading {
  const { quantity, value, quality } = reading;
  if (!Number.isSafeInteger(value))
    return { ...reading, value: 0, quality: 'failed', detail: `it gave ${value}, which is no whole number` };
  if (quantity !== 'power' || quality !== 'good' || Math.abs(value) <= MILLIWATTS_MAX) return reading;
  return { ...reading, quality: 'out-of-range', detail: `it gave ${value} mW; no box takes more than ${LIMITS.boxWattsMax} W` };
}
