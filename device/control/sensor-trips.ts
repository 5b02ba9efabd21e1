/**
 * The alarms of all sensors of one box. Pure but for what it remembers. Specification §17.2.
 *
 * Of a box that is off, fans stand still and many sensors give nothing: that is no alarm. Hardware that has sensed power before and
 * senses it no more is away as a whole: one alarm says so, however many sensors it has.
 */
import type { BoxHardware, PowerState, Reading, SensorDefinition } from '../board/ports.ts';
import type { Objection } from './box-state.ts';
import { QUIET, stepTrip, type Trip, type TripNews } from './limits-trip.ts';

/** What an alarm is about that speaks of all sensors at once. */
const HARDWARE = 'hardware';
const UNLIMITED: SensorDefinition = { name: HARDWARE, quantity: 'energy', accuracy: { permille: 0, absolute: 0 }, periodMs: 1 };

export class SensorTrips {
  readonly #trips = new Map<string, Trip>();
  #hasSensedPower = false;
  /** The sensor whose failures count for all while the hardware is away. */
  #witness: string | undefined;

  /** @param standing what was raised before this program started: it is over only when it is measured to be */
  constructor(standing: readonly Objection[]) {
    for (const { alarm, about } of standing) {
      if (about === '' || alarm === 'contradiction') continue;
      const trip = this.#trips.get(about) ?? QUIET;
      this.#trips.set(about, alarm === 'sensor-failed' ? { ...trip, broken: true, failed: 1 } : { ...trip, tripped: true });
    }
  }

  /** @param power of the box, as last sensed */
  read(reading: Reading, definition: SensorDefinition, power: PowerState): readonly TripNews[] {
    if (power === 'unknown')
      return this.#hasSensedPower && reading.quality === 'failed' ? this.#away(reading) : this.#step(reading, definition);
    this.#hasSensedPower = true;
    const back = this.#trips.has(HARDWARE) ? this.#step({ ...reading, sensor: HARDWARE, quality: 'good' }, UNLIMITED) : [];
    const isNoAlarm = (power === 'off' || power === 'sleeping') && (isUnread(reading) || isBelow(reading, definition));
    return isNoAlarm ? back : [...back, ...this.#step(reading, definition)];
  }

  /** The way to the box could not be opened. */
  unopened(problem: string, atMs: number): readonly TripNews[] {
    const news = this.#step({ sensor: HARDWARE, quantity: 'energy', value: 0, atMs, quality: 'failed' }, UNLIMITED);
    const detail = `the way to it can't be opened: ${problem}`;
    return news.map((one) => (one.type === 'raised' ? { ...one, detail } : one));
  }

  /** Of each sample one reading counts. */
  #away(reading: Reading): readonly TripNews[] {
    this.#witness ??= reading.sensor;
    if (reading.sensor !== this.#witness) return [];
    const detail = `power is not sensed any more, and ${reading.sensor} gives nothing: ${reading.detail ?? 'without a reason'}`;
    return this.#step({ ...reading, sensor: HARDWARE }, UNLIMITED).map((news) => (news.type === 'raised' ? { ...news, detail } : news));
  }

  #step(reading: Reading, definition: SensorDefinition): readonly TripNews[] {
    const { trip, news } = stepTrip(this.#trips.get(reading.sensor) ?? QUIET, reading, definition);
    this.#trips.set(reading.sensor, trip);
    return news;
  }

  /** What no sensor is there any more to show to be over. */
  isUnsensed(alarm: Objection['alarm'], about: string, hardware: BoxHardware | undefined): boolean {
    return alarm !== 'contradiction' && hardware?.sensors.some(({ name }) => name === about) !== true;
  }
}

function isUnread({ quality }: Reading): boolean {
  return quality === 'failed' || quality === 'stuck';
}

function isBelow({ value }: Reading, { limits }: SensorDefinition): boolean {
  return limits?.min !== undefined && value < limits.min;
}
