/** The alarms of all sensors of one box. Pure but for what it remembers. Specification §17.2. */
import type { BoxHardware, Reading, SensorDefinition } from '../board/ports.ts';
import type { Objection } from './box-state.ts';
import { QUIET, stepTrip, type Trip, type TripNews } from './limits-trip.ts';

export class SensorTrips {
  readonly #trips = new Map<string, Trip>();

  /** @param standing what was raised before this program started: it is over only when it is measured to be */
  constructor(standing: readonly Objection[]) {
    for (const { alarm, about } of standing) {
      if (about === '' || alarm === 'contradiction') continue;
      const trip = this.#trips.get(about) ?? QUIET;
      this.#trips.set(about, alarm === 'sensor-failed' ? { ...trip, broken: true, failed: 1 } : { ...trip, tripped: true });
    }
  }

  read(reading: Reading, definition: SensorDefinition): readonly TripNews[] {
    const { trip, news } = stepTrip(this.#trips.get(reading.sensor) ?? QUIET, reading, definition);
    this.#trips.set(reading.sensor, trip);
    return news;
  }

  /** What no sensor is there any more to show to be over. */
  isUnsensed(alarm: Objection['alarm'], about: string, hardware: BoxHardware | undefined): boolean {
    return alarm !== 'contradiction' && hardware?.sensors.some(({ name }) => name === about) !== true;
  }
}
