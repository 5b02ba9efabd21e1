/**
 * The owner's standing order that a box is on: when its device presses the button, and when again. Pure. Specification §17.2.
 */
import type { PowerState } from '../board/ports.ts';
import { CONTROL_LIMITS } from './limits.ts';

const { restMs, pauseMinMs, pauseMaxMs, settledMs } = CONTROL_LIMITS.keepOn;

export interface KeepOn {
  /** Since the box last stayed on. */
  readonly presses: number;
  /** The next press is not made before; Unix ms. */
  readonly notBeforeMs: number;
}

export const UNPRESSED: KeepOn = { presses: 0, notBeforeMs: 0 };

/** The box has gone off before the eyes of its device, or its power LED has: then it is heard soon. */
export function wentOff(keepOn: KeepOn, atMs: number): KeepOn {
  return { ...keepOn, notBeforeMs: Math.max(keepOn.notBeforeMs, atMs + restMs) };
}

/** Each press that does not bring the box up doubles the time to the next: mains may be away for hours. */
export function pressed({ presses }: KeepOn, atMs: number): KeepOn {
  return { presses: presses + 1, notBeforeMs: atMs + Math.min(pauseMinMs * 2 ** Math.min(presses, 16), pauseMaxMs) };
}

/** @param power as it has been sensed since `sinceMs` */
export function isPressDue({ notBeforeMs }: KeepOn, power: PowerState, atMs: number): boolean {
  return (power === 'off' || power === 'sleeping') && atMs >= notBeforeMs;
}

/** Whether presses of before count no more. */
export function staysOn(power: PowerState, sinceMs: number, atMs: number): boolean {
  return power === 'on' && atMs - sinceMs >= settledMs;
}
