/** From what a sensor measured to readings with a quality. Pure. Specification §16.3. */
import type { PowerState, Reading } from './ports.ts';
import type { Measured, Sensor } from './sensor.ts';

/** What a sensor said when it last said something else. */
export interface Stillness {
  readonly values: readonly number[];
  readonly sinceMs: number;
}

type Described = Pick<Sensor, 'definitions' | 'stuckAfterMs'>;

/** @param before of the same sensor; a box that is not on may stand still for ever */
export function readingsOf(
  { definitions, stuckAfterMs }: Described,
  measured: readonly Measured[],
  { atMs, power, before }: { readonly atMs: number; readonly power: PowerState; readonly before: Stillness | undefined },
): { readonly readings: readonly Reading[]; readonly stillness: Stillness } {
  const values = measured.map(({ value }) => value);
  const isStill = before?.values.length === values.length && before.values.every((value, index) => value === values[index]);
  const stillness = isStill && power === 'on' ? before : { values, sinceMs: atMs };
  const stillMs = atMs - stillness.sinceMs;
  const isStuck = stuckAfterMs !== undefined && stillMs >= stuckAfterMs;
  const readings = definitions.map(({ name: sensor, quantity }, index): Reading => {
    const { value = 0, overflow } = measured[index] ?? {};
    const plain = { sensor, quantity, value, atMs };
    if (overflow !== undefined) return { ...plain, quality: 'out-of-range', detail: overflow };
    if (isStuck) return { ...plain, quality: 'stuck', detail: `the same value for ${Math.floor(stillMs / 1_000)} s while the box is on` };
    return { ...plain, quality: 'good' };
  });
  return { readings, stillness };
}

export function failedReadings({ definitions }: Described, detail: string, atMs: number): Reading[] {
  return definitions.map(({ name: sensor, quantity }) => ({ sensor, quantity, value: 0, atMs, quality: 'failed', detail }));
}
