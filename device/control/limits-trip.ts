/** Whether the readings of a sensor raise an alarm, or end one. Pure. Specification §17.2. */
import type { Quantity, Reading, SensorDefinition } from '../board/ports.ts';
import { CONTROL_LIMITS } from './limits.ts';
import type { Alarm } from './policy.ts';

/** What the last readings of one sensor were; bounded, however long it is read. */
export interface Trip {
  /** Readings in a row beyond the limits, well within them, without a value. */
  readonly beyond: number;
  readonly within: number;
  readonly failed: number;
  /** Which of the last readings were beyond the limits: a bit each, the newest lowest. */
  readonly recent: number;
  readonly tripped: boolean;
  readonly broken: boolean;
}

export type TripNews =
  | { readonly type: 'raised'; readonly alarm: Alarm; readonly about: string; readonly detail: string }
  | { readonly type: 'over'; readonly alarm: Alarm; readonly about: string };

export const QUIET: Trip = { beyond: 0, within: 0, failed: 0, recent: 0, tripped: false, broken: false };

/** Of quantities without an alarm of their own nothing trips but that they can't be read. */
const ALARM_OF: Readonly<Partial<Record<Quantity, Alarm>>> = {
  ...{ intrusion: 'intrusion', temperature: 'temperature', power: 'power', current: 'power', voltage: 'voltage', fan: 'fan' },
};

/** @returns the trip after the reading, and what is new */
export function stepTrip(trip: Trip, reading: Reading, definition: SensorDefinition): { trip: Trip; news: TripNews[] } {
  if (!Number.isFinite(reading.value)) return unread(trip, { ...reading, quality: 'failed' });
  if (reading.quality === 'failed' || reading.quality === 'stuck') return unread(trip, reading);
  const read = readAgain(trip, reading);
  const limited = definition.quantity === 'intrusion' ? openOrShut(read.trip, reading) : limitsOf(read.trip, reading, definition);
  return { trip: limited.trip, news: [...read.news, ...limited.news] };
}

function unread(trip: Trip, { sensor, quality, detail }: Reading): { trip: Trip; news: TripNews[] } {
  const failed = Math.min(trip.failed + 1, CONTROL_LIMITS.tripReadings.failed);
  const next = { ...trip, failed, beyond: 0, within: 0, recent: withNewest(trip.recent, false) };
  if (trip.broken || failed < CONTROL_LIMITS.tripReadings.failed) return { trip: next, news: [] };
  const words = `sensor ${sensor} is ${quality}${detail === undefined ? '' : `: ${detail}`}`;
  return { trip: { ...next, broken: true }, news: [{ type: 'raised', alarm: 'sensor-failed', about: sensor, detail: words }] };
}

function readAgain(trip: Trip, { sensor }: Reading): { trip: Trip; news: TripNews[] } {
  if (trip.failed === 0) return { trip, news: [] };
  const news: TripNews[] = trip.broken ? [{ type: 'over', alarm: 'sensor-failed', about: sensor }] : [];
  return { trip: { ...trip, failed: 0, broken: false }, news };
}

/** A door is open or shut: the first reading counts. */
function openOrShut(trip: Trip, { sensor, value }: Reading): { trip: Trip; news: TripNews[] } {
  const open = value !== 0;
  if (open === trip.tripped) return { trip, news: [] };
  const about = { alarm: 'intrusion', about: sensor } as const;
  const news: TripNews = open ? { type: 'raised', ...about, detail: `${sensor}: the case was opened` } : { type: 'over', ...about };
  return { trip: { ...trip, tripped: open }, news: [news] };
}

function limitsOf(trip: Trip, reading: Reading, { quantity, limits }: SensorDefinition): { trip: Trip; news: TripNews[] } {
  const alarm = ALARM_OF[quantity];
  if (!limits || !alarm) return { trip, news: [] };
  const { min = -Infinity, max = Infinity } = limits;
  const { value, sensor } = reading;
  const isBeyond = value < min || value > max;
  const isWithin = value >= min + marginOf(min, quantity) && value <= max - marginOf(max, quantity);
  const counted = {
    ...{ ...trip, recent: withNewest(trip.recent, isBeyond) },
    ...{ beyond: isBeyond ? Math.min(trip.beyond + 1, 9) : 0, within: isWithin ? Math.min(trip.within + 1, 9) : 0 },
  };
  const isTooMuch =
    counted.beyond >= CONTROL_LIMITS.tripReadings.beyond || ones(counted.recent) >= CONTROL_LIMITS.tripReadings.beyondOfLast;
  if (!trip.tripped && isBeyond && isTooMuch) {
    const detail = `${sensor} is at ${value}, ${value > max ? `above ${max}` : `below ${min}`}`;
    return { trip: { ...counted, tripped: true }, news: [{ type: 'raised', alarm, about: sensor, detail }] };
  }
  if (trip.tripped && counted.within >= CONTROL_LIMITS.tripReadings.within)
    return { trip: { ...counted, recent: 0, tripped: false }, news: [{ type: 'over', alarm, about: sensor }] };
  return { trip: counted, news: [] };
}

function withNewest(recent: number, isBeyond: boolean): number {
  return ((recent << 1) | Number(isBeyond)) & (2 ** CONTROL_LIMITS.tripReadings.last - 1);
}

function ones(bits: number): number {
  return bits === 0 ? 0 : (bits & 1) + ones(bits >>> 1);
}

/** How far within a limit a value must be for the alarm to be over. */
function marginOf(limit: number, quantity: Quantity): number {
  if (!Number.isFinite(limit)) return 0;
  return quantity === 'temperature' ? CONTROL_LIMITS.temperatureMarginMilliCelsius : Math.ceil(Math.abs(limit) / 20);
}
