/** Readings and states of boxes on their topics: retained, at a bounded rate. Specification §17.3. */
import { encodeJson } from '#protocol/codec.ts';
import { BoxStateNews, SensorNews } from '#protocol/control-messages.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { SensedBy } from '#protocol/run-energy.ts';
import { harmless } from '#protocol/schema.ts';
import { UNIT_OF, type Reading, type SensorDefinition } from '../board/ports.ts';
import type { Publisher } from '../ports.ts';
import type { BoxStanding } from './box-state.ts';
import { CONTROL_LIMITS } from './limits.ts';

const JSON_TYPE = { retain: true, contentType: 'application/json' } as const;

export class SensorTopics {
  readonly #publisher: Publisher;
  readonly #device: string;
  /** The last of each sensor that was said. */
  readonly #said = new Map<string, Reading>();

  constructor(publisher: Publisher, device: string) {
    this.#publisher = publisher;
    this.#device = device;
  }

  reading(box: string, reading: Reading, definition: SensorDefinition, source: SensedBy): void {
    const key = `${box}/${reading.sensor}`;
    if (!isWorthSaying(this.#said.get(key), reading, definition)) return;
    this.#said.set(key, reading);
    const news = sensorNews(reading, source);
    this.#publisher.publish({ to: 'sensor', device: this.#device, box, sensor: reading.sensor }, encodeJson(SensorNews, news), JSON_TYPE);
  }

  standing(box: string, { state, cause, detail, sinceMs, power }: BoxStanding, source: SensedBy | undefined): void {
    const news: BoxStateNews = { state, cause, detail, sinceMs, power, ...(source === undefined ? {} : { source }) };
    this.#publisher.publish({ to: 'box-state', device: this.#device, box }, encodeJson(BoxStateNews, news), JSON_TYPE);
  }

  /** Nobody finds an expelled box's last words. */
  forget(box: string, sensors: readonly SensorDefinition[]): void {
    for (const { name } of sensors) {
      this.#said.delete(`${box}/${name}`);
      this.#publisher.publish({ to: 'sensor', device: this.#device, box, sensor: name }, '', { retain: true });
    }
    this.#publisher.publish({ to: 'box-state', device: this.#device, box }, '', { retain: true });
  }

  /** The broker has lost what it retained. */
  forgetSaid(): void {
    this.#said.clear();
  }
}

/** Pure. */
export function sensorNews({ quantity, value, quality, detail, atMs }: Reading, source: SensedBy): SensorNews {
  const hasValue = quality === 'good' || quality === 'out-of-range';
  return {
    ...{ quantity, unit: unitOf(quantity), quality, source, atMs },
    ...(hasValue ? { value } : {}),
    ...(detail === undefined ? {} : { detail: harmless(detail, LIMITS.noteCharactersMax) }),
  };
}

/** Pure. */
export function isWorthSaying(last: Reading | undefined, reading: Reading, { accuracy }: SensorDefinition): boolean {
  if (!last) return true;
  if (last.quality !== reading.quality) return true;
  const isBit = reading.quantity === 'intrusion' || reading.quantity === 'disk';
  if (isBit && last.value !== reading.value) return true;
  const sinceMs = reading.atMs - last.atMs;
  if (sinceMs >= CONTROL_LIMITS.sensorSaidAgainMs || sinceMs < 0) return true;
  if (sinceMs < CONTROL_LIMITS.sensorSaidEveryMs) return false;
  const size = Math.abs(last.value);
  const step = Math.max((size * accuracy.permille) / 1_000 + accuracy.absolute, size / CONTROL_LIMITS.sensorStepPart);
  return Math.abs(reading.value - last.value) > step;
}

function unitOf(quantity: Reading['quantity']): SensorNews['unit'] {
  return UNIT_OF[quantity] as SensorNews['unit'];
}
