/**
 * The energy that a box takes while a run is on it: the trapezoidal rule over good readings of power, in whole numbers, with its
 * error and its gaps. Pure. Specification §17.4.
 */
import type { RunEnergy, SensedBy } from '#protocol/run-energy.ts';
import type { Reading, SensorDefinition } from '../board/ports.ts';
import { CONTROL_LIMITS } from './limits.ts';
import { MILLIWATTS_MAX } from './plausible.ts';

export interface Meter {
  readonly sensor: SensorDefinition;
  readonly fromMs: number;
  /** All time up to here is integrated or counted as unobserved. */
  readonly doneMs: number;
  readonly last: Point | undefined;
  /** Twice the energy and its error in µJ: mW · ms, so that halves are whole. */
  readonly doubled: number;
  readonly doubledError: number;
  readonly unobservedMs: number;
  /** Readings that it rests on, that from before its begin included. */
  readonly samples: number;
  readonly sharedWith: number;
}

interface Point {
  readonly value: number;
  readonly atMs: number;
}

/** @param last the newest reading before */
export function startMeter(sensor: SensorDefinition, fromMs: number, last?: Reading): Meter {
  const point = last && isMeasured(last) && last.atMs <= fromMs ? { value: last.value, atMs: last.atMs } : undefined;
  const samples = point ? 1 : 0;
  return { sensor, fromMs, doneMs: fromMs, last: point, doubled: 0, doubledError: 0, unobservedMs: 0, samples, sharedWith: 0 };
}

/** Readings that are not good, or not newer than the last, change nothing: they leave a gap. */
export function meterRead(meter: Meter, reading: Reading): Meter {
  if (!isMeasured(reading) || reading.atMs <= meter.doneMs) return meter;
  const point = { value: reading.value, atMs: reading.atMs };
  return { ...through(meter, point, meter.last ?? point), last: point, samples: meter.samples + 1 };
}

/** @param others runs that are on the box at the same time */
export function meterShared(meter: Meter, others: number): Meter {
  return others > meter.sharedWith ? { ...meter, sharedWith: others } : meter;
}

/** So far, or at the end: the last reading counts up to `toMs`, as long as it is not too old. */
export function energyUntil(meter: Meter, toMs: number, source: SensedBy): RunEnergy {
  const endMs = Math.max(toMs, meter.doneMs);
  const ended = meter.last ? through(meter, { value: meter.last.value, atMs: endMs }, meter.last) : unobserved(meter, endMs);
  return {
    source,
    sensor: meter.sensor.name,
    fromMs: meter.fromMs,
    toMs: endMs,
    unobservedMs: ended.unobservedMs,
    millijoules: Math.floor(ended.doubled / 2_000),
    errorMillijoules: Math.ceil(ended.doubledError / 2_000),
    samples: meter.samples,
    sharedWith: Math.min(meter.sharedWith, 64),
  };
}

/** The time from `doneMs` to `to` under the line between two readings. */
function through(meter: Meter, to: Point, from: Point): Meter {
  const fromMs = Math.max(meter.doneMs, Math.min(from.atMs, to.atMs));
  const isGap = to.atMs - from.atMs > gapMs(meter.sensor) || fromMs - meter.doneMs > gapMs(meter.sensor);
  // The first reading of all counts for the moment before it.
  const isFirst = meter.last === undefined && to.atMs - meter.doneMs <= gapMs(meter.sensor);
  if (isGap || (meter.last === undefined && !isFirst)) return unobserved(meter, to.atMs);
  const spanMs = to.atMs - meter.doneMs;
  const sum = from.value + to.value;
  const { permille, absolute } = meter.sensor.accuracy;
  return {
    ...meter,
    doneMs: to.atMs,
    doubled: meter.doubled + sum * spanMs,
    doubledError: meter.doubledError + Math.ceil(((sum * permille) / 1_000 + 2 * absolute + Math.abs(to.value - from.value)) * spanMs),
  };
}

function unobserved(meter: Meter, toMs: number): Meter {
  return { ...meter, doneMs: toMs, unobservedMs: meter.unobservedMs + (toMs - meter.doneMs) };
}

function gapMs({ periodMs }: SensorDefinition): number {
  return periodMs * CONTROL_LIMITS.gapPeriods;
}

function isMeasured({ quality, value }: Reading): boolean {
  return quality === 'good' && value >= 0 && value <= MILLIWATTS_MAX;
}
