/** When readings raise an alarm and when that is over. Specification §17.2. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Quality, SensorDefinition } from '../../../device/board/ports.ts';
import { QUIET, stepTrip, type TripNews } from '../../../device/control/limits-trip.ts';

const accuracy = { permille: 0, absolute: 0 };
const processor: SensorDefinition = { name: 'processor', quantity: 'temperature', accuracy, periodMs: 1_000, limits: { max: 90_000 } };
const fan: SensorDefinition = { name: 'fan-1', quantity: 'fan', accuracy, periodMs: 1_000, limits: { min: 300 } };
const door: SensorDefinition = { name: 'case', quantity: 'intrusion', accuracy, periodMs: 1_000 };

function newsOf(definition: SensorDefinition, ...readings: readonly (number | Quality)[]): (TripNews | undefined)[] {
  let trip = QUIET;
  return readings.map((given, index) => {
    const read = typeof given === 'number' ? { value: given, quality: 'good' as const } : { value: 0, quality: given };
    const step = stepTrip(trip, { sensor: definition.name, quantity: definition.quantity, atMs: index, ...read }, definition);
    trip = step.trip;
    assert.ok(step.news.length <= 1);
    return step.news[0];
  });
}

const words = (news: (TripNews | undefined)[]): string[] => news.map((said) => (said ? `${said.type} ${said.alarm}` : '-'));

describe('alarms by readings (§17.2)', () => {
  it('a temperature trips at the second reading beyond its limit, and once', () => {
    assert.deepEqual(words(newsOf(processor, 91_000, 91_000, 91_000)), ['-', 'raised temperature', '-']);
    assert.deepEqual(words(newsOf(processor, 91_000, 80_000, 91_000)), ['-', '-', '-']);
  });

  it('a temperature trips at the third of the last eight readings beyond its limit, whatever comes between', () => {
    const hot = 110_000;
    for (const between of ['failed', 'stuck', 50_000, NaN, Infinity] as const)
      assert.deepEqual(words(newsOf(processor, hot, between, hot, between, hot)).slice(0, 5), ['-', '-', '-', '-', 'raised temperature']);
    const cool = Array<number>(6).fill(50_000);
    assert.ok(
      newsOf(processor, hot, 50_000, hot, ...cool, hot, 50_000, hot).every((said) => said === undefined),
      'long ago counts no more',
    );
    const over = newsOf(processor, hot, 50_000, hot, 50_000, hot, 50_000, 50_000, 50_000, hot, 50_000);
    assert.deepEqual(words(over).slice(7), ['over temperature', '-', '-'], 'what is over is not counted again');
  });

  it('it is over after three readings that are 2 °C within the limit', () => {
    const news = newsOf(processor, 91_000, 91_000, 89_000, 89_000, 89_000, 88_000, 88_000, 88_000);
    assert.deepEqual(words(news), ['-', 'raised temperature', '-', '-', '-', '-', '-', 'over temperature']);
  });

  it('a fan that stops is an alarm, and over when it turns well again', () => {
    assert.deepEqual(words(newsOf(fan, 0, 0, 310, 310, 310)), ['-', 'raised fan', '-', '-', '-']);
    assert.deepEqual(words(newsOf(fan, 0, 0, 320, 320, 320)), ['-', 'raised fan', '-', '-', 'over fan']);
  });

  it('a door counts at its first reading, both ways', () => {
    assert.deepEqual(words(newsOf(door, 0, 1, 1, 0)), ['-', 'raised intrusion', '-', 'over intrusion']);
  });

  it('a sensor that sticks or gives nothing three times is broken, and good again at its next reading', () => {
    assert.deepEqual(words(newsOf(processor, 'failed', 'stuck', 'failed', 'failed', 50_000)), [
      ...['-', '-', 'raised sensor-failed', '-'],
      'over sensor-failed',
    ]);
  });

  it('a door that can’t be read is no shut door', () => {
    assert.deepEqual(words(newsOf(door, 1, 'failed', 'failed', 'failed')), ['raised intrusion', '-', '-', 'raised sensor-failed']);
  });
});
