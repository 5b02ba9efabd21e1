/**
 * Asks the hardware of one box for its readings, as often as its fastest sensor is worth it while the box has a run, and hears its
 * edges. It holds nothing but what is being read. Specification §17.3.
 */
import type { BoxHardware, HardwareChange, Reading } from '../board/ports.ts';
import { CONTROL_LIMITS } from './limits.ts';
import { plausible } from './plausible.ts';

export interface Sampler {
  /** Whether the box has a run. */
  pace(isAtWork: boolean): void;
  stop(): void;
}

/** @param onReadings those of one sample. @param onChange what comes at once, between samples */
export function startSampler(
  hardware: BoxHardware,
  onReadings: (readings: readonly Reading[]) => void,
  onChange: (change: HardwareChange) => void,
): Sampler {
  const fastestMs = Math.max(CONTROL_LIMITS.periodMinMs, Math.min(...hardware.sensors.map((sensor) => sensor.periodMs), 60_000));
  let periodMs = Math.max(fastestMs, CONTROL_LIMITS.periodAtRestMs);
  /** By sensor, when its last edge came. */
  const edges = new Map<string, number>();
  let isReading = false;
  let isStopped = false;
  const sample = async (): Promise<void> => {
    // A slow bus is not asked twice: what is missing shows as a gap.
    if (isReading) return;
    isReading = true;
    try {
      const readings = (await hardware.sample()).map(plausible).filter((reading) => !isOvertaken(reading, edges.get(reading.sensor)));
      if (!isStopped) onReadings(readings);
    } finally {
      isReading = false;
    }
  };
  const unsubscribe = hardware.onChange((change) => {
    if (change.kind === 'reading') edges.set(change.reading.sensor, change.reading.atMs);
    if (!isStopped) onChange(change.kind === 'reading' ? { ...change, reading: plausible(change.reading) } : change);
  });
  let dueMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    dueMs = nextDueMs(dueMs, performance.now(), periodMs);
    timer = setTimeout(tick, Math.ceil(dueMs - performance.now()));
    void sample();
  };
  if (hardware.sensors.length > 0) tick();
  return {
    pace: (isAtWork) => {
      const wantedMs = isAtWork ? fastestMs : Math.max(fastestMs, CONTROL_LIMITS.periodAtRestMs);
      if (timer === undefined || isStopped || wantedMs === periodMs) return;
      periodMs = wantedMs;
      clearTimeout(timer);
      dueMs = performance.now();
      tick();
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
      unsubscribe();
    },
  };
}

/** A sensor's last reading stands until its period is over, also past an edge. Pure; a clock that was set back hides no reading. */
export function isOvertaken({ atMs }: Reading, edgeAtMs: number | undefined): boolean {
  return edgeAtMs !== undefined && atMs < edgeAtMs && edgeAtMs - atMs <= CONTROL_LIMITS.readingStandsMaxMs;
}

/** By the clock and not from one tick to the next: what one comes late the next one does not, and what is missed is left out. */
export function nextDueMs(dueMs: number, nowMs: number, periodMs: number): number {
  const lateMs = Math.max(0, nowMs - dueMs);
  return dueMs + periodMs * (Math.floor(lateMs / periodMs) + 1);
}
