/** What readings raise of a box that is on, off, or out of sight. Specification §17.2. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PowerState, Reading, SensorDefinition } from '../../../device/board/ports.ts';
import { SensorTrips } from '../../../device/control/sensor-trips.ts';

const accuracy = { permille: 0, absolute: 0 };
const fan: SensorDefinition = { name: 'fan', quantity: 'fan', accuracy, periodMs: 1_000, limits: { min: 500 } };
const heat: SensorDefinition = { name: 'heat', quantity: 'temperature', accuracy, periodMs: 1_000, limits: { min: 5_000, max: 95_000 } };
const sensors = [fan, heat];

/** What so many samples bring, in words; a number is a good reading of every sensor in turn. */
function samples(trips: SensorTrips, power: PowerState, values: readonly (number | 'failed')[], count = 3): string[] {
  return Array.from({ length: count }).flatMap(() =>
    sensors.flatMap((definition, index) => {
      const given = values[index] ?? 'failed';
      const { name: sensor, quantity } = definition;
      const taken = { sensor, quantity, atMs: 0 };
      const reading: Reading =
        given === 'failed' ? { ...taken, value: 0, quality: 'failed', detail: 'no answer' } : { ...taken, value: given, quality: 'good' };
      return trips.read(reading, definition, power).map(({ type, alarm, about }) => `${type} ${alarm} ${about}`);
    }),
  );
}

describe('a box that is off (§17.2)', () => {
  it('gives nothing, stands still and grows cold without an alarm', () => {
    const trips = new SensorTrips([]);
    for (const power of ['off', 'sleeping'] as const) {
      assert.deepEqual(samples(trips, power, ['failed', 'failed'], 10), []);
      assert.deepEqual(samples(trips, power, [0, 1_000], 10), []);
    }
    assert.deepEqual(samples(trips, 'on', [0, 50_000]), ['raised fan fan'], 'on, it counts from the first reading on');
  });

  it('may still burn', () => {
    assert.deepEqual(samples(new SensorTrips([]), 'off', [0, 99_000]), ['raised temperature heat']);
  });

  it('does not end an alarm by being off', () => {
    const trips = new SensorTrips([]);
    assert.deepEqual(samples(trips, 'on', [0, 50_000]), ['raised fan fan']);
    assert.deepEqual(samples(trips, 'off', [0, 50_000], 10), []);
    assert.deepEqual(samples(trips, 'on', [2_000, 50_000]), ['over fan fan']);
  });
});

describe('a box that is on (§17.2)', () => {
  it('each sensor that fails three times in a row is an alarm of its own', () => {
    const trips = new SensorTrips([]);
    assert.deepEqual(samples(trips, 'on', ['failed', 50_000], 2), []);
    assert.deepEqual(samples(trips, 'on', ['failed', 'failed']), ['raised sensor-failed fan', 'raised sensor-failed heat']);
    assert.deepEqual(samples(trips, 'on', [2_000, 50_000], 1), ['over sensor-failed fan', 'over sensor-failed heat']);
  });
});

describe('hardware that is away (§17.2)', () => {
  it('is an alarm as well when the way to it was never open, at the third try; over when power is sensed', () => {
    const trips = new SensorTrips([]);
    assert.deepEqual([...trips.unopened('no answer', 1), ...trips.unopened('no answer', 2)], []);
    const detail = "the way to it can't be opened: no answer";
    assert.deepEqual(trips.unopened('no answer', 3), [{ type: 'raised', alarm: 'sensor-failed', about: 'hardware', detail }]);
    assert.deepEqual(trips.unopened('no answer', 4), []);
    assert.deepEqual(samples(trips, 'on', [2_000, 50_000], 1), ['over sensor-failed hardware']);
  });

  it('is one alarm, however many sensors it has, and over when it senses power again', () => {
    const trips = new SensorTrips([]);
    samples(trips, 'on', [2_000, 50_000]);
    assert.deepEqual(samples(trips, 'unknown', ['failed', 'failed'], 2), []);
    assert.deepEqual(samples(trips, 'unknown', ['failed', 'failed'], 50), ['raised sensor-failed hardware']);
    assert.deepEqual(samples(trips, 'off', ['failed', 'failed']), ['over sensor-failed hardware']);
    assert.deepEqual(samples(trips, 'unknown', ['failed', 'failed']), ['raised sensor-failed hardware'], 'and again');
  });

  it('says what was wrong, in a sentence', () => {
    const trips = new SensorTrips([]);
    samples(trips, 'on', [2_000, 50_000]);
    const news = Array.from({ length: 3 }).flatMap(() =>
      trips.read(
        { sensor: 'fan', quantity: 'fan', value: 0, atMs: 0, quality: 'failed', detail: 'the BMC does not answer' },
        fan,
        'unknown',
      ),
    );
    assert.deepEqual(news, [
      {
        ...{ type: 'raised', alarm: 'sensor-failed', about: 'hardware' },
        detail: 'power is not sensed any more, and fan gives nothing: the BMC does not answer',
      },
    ]);
  });

  it('that was away when the device ended is over once it senses power', () => {
    const trips = new SensorTrips([{ alarm: 'sensor-failed', about: 'hardware' }]);
    assert.deepEqual(samples(trips, 'unknown', [2_000, 50_000]), []);
    assert.deepEqual(samples(trips, 'on', [2_000, 50_000]), ['over sensor-failed hardware']);
  });

  it('a board that never sensed power has its sensors judged all the same', () => {
    assert.deepEqual(samples(new SensorTrips([]), 'unknown', ['failed', 0]), ['raised temperature heat', 'raised sensor-failed fan']);
  });
});
