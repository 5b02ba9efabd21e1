/** When a box is checked during a run: drawn by the device when the run starts, told to nobody. Pure. Specification §6.6. */
import { DEVICE_LIMITS } from '../limits.ts';

/** Random bytes that a draw takes: six for each moment. */
export const momentBytes = 18;

const { checkAfterMsMin, checkAfterMsMax } = DEVICE_LIMITS;

/**
 * Ascending Unix times in ms. The first comes soon, so that a short run is checked too; the others are spread over what the run may
 * take, one in its first sixteenth, since most runs take far less than they may.
 * @param random `momentBytes` unpredictable bytes. @param wallMs how long the run may take
 */
export function drawMoments(random: Uint8Array, startedAtMs: number, wallMs: number): number[] {
  const early = checkAfterMsMin + (numberAt(random, 0) % (checkAfterMsMax - checkAfterMsMin));
  const middle = checkAfterMsMax + (numberAt(random, 6) % Math.max(checkAfterMsMax, Math.floor(wallMs / 16)));
  const late = checkAfterMsMax + (numberAt(random, 12) % Math.max(checkAfterMsMax, wallMs));
  return [early, middle, late].sort((left, right) => left - right).map((afterMs) => startedAtMs + afterMs);
}

/** 48 bits. */
function numberAt(random: Uint8Array, at: number): number {
  return random.subarray(at, at + 6).reduce((number, byte) => number * 256 + byte, 0);
}
