/**
 * What the sensors of a simulated box say: the truth of its physics, or what a fault makes of it. Pure. Specification §16.4.
 */
import { powerLed } from './mainboard.ts';
import { acceleratorMw, exhaustMilliC, feedMw, processorMilliC, processorMw } from './physics.ts';
import type { BoxDesign, BoxState } from './physics.ts';

/** Named as their readings are in board-configs/simulated/board.yaml, and the power LED. */
export const SENSOR_NAMES = [
  ...(['box-power', 'processor-power', 'accelerator-power'] as const),
  ...(['processor-temperature', 'exhaust-temperature', 'intake-temperature'] as const),
  ...(['processor-fan', 'rear-fan', 'intrusion', 'power-led', 'disk'] as const),
] as const;
export type SensorName = (typeof SENSOR_NAMES)[number];

export type Fault =
  | { readonly kind: 'failed' }
  /** What it said when it stuck. */
  | { readonly kind: 'stuck'; readonly value: number }
  /** It says more and more, or less and less. */
  | { readonly kind: 'drifting'; readonly permillePerMinute: number; readonly sinceMs: number };

export type Faults = Readonly<Partial<Record<SensorName, Fault>>>;

/** In mW, m°C, revolutions a minute; LEDs and the door 0 or 1. */
export function truth(design: BoxDesign, state: BoxState, sensor: SensorName): number {
  switch (sensor) {
    case 'box-power':
      return feedMw(design, state);
    case 'processor-power':
      return processorMw(design, state);
    case 'accelerator-power':
      return acceleratorMw(design, state);
    case 'processor-temperature':
      return processorMilliC(design, state);
    case 'exhaust-temperature':
      return exhaustMilliC(design, state);
    case 'intake-temperature':
      return design.ambientMilliC;
    case 'processor-fan':
    case 'rear-fan':
      return state.fanRpm;
    case 'intrusion':
      return state.isDoorOpen ? 1 : 0;
    case 'power-led':
      return powerLed(state.mainboard);
    case 'disk':
      return state.isDiskActive ? 1 : 0;
  }
}

/** @param nowMs of the same clock as the fault's. @returns undefined for a sensor that gives nothing */
export function sensed(design: BoxDesign, state: BoxState, faults: Faults, sensor: SensorName, nowMs: number): number | undefined {
  const value = truth(design, state, sensor);
  const fault = faults[sensor];
  if (!fault) return value;
  if (fault.kind === 'failed') return undefined;
  if (fault.kind === 'stuck') return fault.value;
  return value + Math.trunc((value * fault.permillePerMinute * Math.max(0, nowMs - fault.sinceMs)) / (1_000 * 60_000));
}
