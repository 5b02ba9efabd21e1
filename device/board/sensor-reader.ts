/** Reads one sensor no more often than it is worth, and says of a failure what it was. Specification §16.3. */
import { failedReadings, readingsOf, type Stillness } from './readings.ts';
import type { PowerState, Reading, SensorDefinition } from './ports.ts';
import type { Sensor } from './sensor.ts';

export class SensorReader {
  readonly #sensor: Sensor;
  readonly #periodMs: number;
  #stillness: Stillness | undefined;
  #last: readonly Reading[] = [];
  #lastMs = -Infinity;
  #dueMs = -Infinity;

  constructor(sensor: Sensor) {
    this.#sensor = sensor;
    this.#periodMs = Math.min(...sensor.definitions.map(({ periodMs }) => periodMs));
  }

  get definitions(): readonly SensorDefinition[] {
    return this.#sensor.definitions;
  }

  /**
   * Never rejects. Whoever asks once a period gets a new reading each time, also when it has asked late the time before.
   * @param nowMs Unix time; where the clock was set back a sensor is read anew
   */
  async read(nowMs: number, power: PowerState): Promise<readonly Reading[]> {
    if (nowMs < this.#lastMs) this.#dueMs = -Infinity;
    if (nowMs < this.#dueMs) return this.#last;
    this.#lastMs = nowMs;
    this.#dueMs = Math.max(this.#dueMs + this.#periodMs, nowMs + this.#periodMs / 2);
    try {
      const measured = await this.#sensor.read();
      const { readings, stillness } = readingsOf(this.#sensor, measured, { atMs: nowMs, power, before: this.#stillness });
      this.#stillness = stillness;
      this.#last = readings;
    } catch (error) {
      this.#stillness = undefined;
      this.#last = failedReadings(this.#sensor, error instanceof Error ? error.message : String(error), nowMs);
    }
    return this.#last;
  }
}
