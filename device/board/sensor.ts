/** One thing that is read at a time: a chip, a value of the kernel, a fan, a switch. Declarations only. Specification §16.3. */
import type { SensorDefinition } from './ports.ts';

/** `value` in the unit of the quantity. `overflow`: the chip is at the end of its scale, and why. */
export type Measured = { readonly value: number; readonly overflow?: string };

export interface Sensor {
  readonly definitions: readonly SensorDefinition[];
  /** While the box is on, values that have not moved at all for so long are stuck; never without it. */
  readonly stuckAfterMs?: number | undefined;
  /** One value for each definition. Rejects with the reason where it can't be read. */
  read(): Promise<readonly Measured[]>;
}
