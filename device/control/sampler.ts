/**
 * Asks the hardware of one box for its readings, as often as its fastest sensor is worth it, and hears its edges. It holds
 * nothing but what is being read. Specification §17.3.
 */
import type { BoxHardware, HardwareChange, Reading } from '../board/ports.ts';
import { CONTROL_LIMITS } from './limits.ts';

export interface Sampler {
  stop(): void;
}

/** @param onReadings those of one sample. @param onChange what comes at once, between samples */
export function startSampler(
  hardware: BoxHardware,
  onReadings: (readings: readonly Reading[]) => void,
  onChange: (change: HardwareChange) => void,
): Sampler {
  const periodMs = Math.max(CONTROL_LIMITS.periodMinMs, Math.min(...hardware.sensors.map((sensor) => sensor.periodMs), 60_000));
  let isReading = false;
  let isStopped = false;
  const sample = async (): Promise<void> => {
    // A slow bus is not asked twice: what is missing shows as a gap.
    if (isReading) return;
    isReading = true;
    try {
      const readings = await hardware.sample();
      if (!isStopped) onReadings(readings);
    } finally {
      isReading = false;
    }
  };
  const unsubscribe = hardware.onChange((change) => {
    if (!isStopped) onChange(change);
  });
  const timer = hardware.sensors.length === 0 ? undefined : setInterval(() => void sample(), periodMs);
  if (timer) void sample();
  return {
    stop: () => {
      isStopped = true;
      clearInterval(timer);
      unsubscribe();
    },
  };
}
