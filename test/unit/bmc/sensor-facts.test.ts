/** Names and orders of a BMC's sensors, and the turns of its commands. Specification §16.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sensorNames } from '../../../device/bmc/sensor-facts.ts';
import { Turns } from '../../../device/bmc/turns.ts';
import { wholeBoxFirst } from '../../../device/bmc/whole-box.ts';

test('every sensor has a name of its own, of lower-case letters, digits and hyphens, the same each time (§16.5)', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 40 }), (given) => {
      const names = sensorNames(given, ['power']);
      assert.equal(new Set([...names, 'power']).size, given.length + 1);
      for (const name of names) assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.deepEqual(sensorNames(given, ['power']), names);
    }),
    { numRuns: 30 },
  );
  assert.deepEqual(sensorNames(['CPU Temp', 'cpu-temp', '+12V', 'POWER'], ['power']), ['cpu-temp', 'cpu-temp-2', '12v', 'power-2']);
});

test('the sensor that measures the whole box comes first, because energy is counted by it (§17.4)', () => {
  const sensor = (name: string, quantity: 'power' | 'fan') => ({ name, quantity, accuracy: { permille: 0, absolute: 0 }, periodMs: 1 });
  const sensors = [sensor('fan', 'fan'), sensor('psu1', 'power'), sensor('total', 'power')];
  assert.deepEqual(
    wholeBoxFirst(sensors, 'total').map(({ name }) => name),
    ['total', 'fan', 'psu1'],
  );
  assert.throws(() => wholeBoxFirst(sensors, 'fan'), /no power sensor "fan"; it has psu1, total/);
});

test('one command at a time, orders before what waits, and a failure holds up nobody (§16.5)', async () => {
  const turns = new Turns();
  const done: string[] = [];
  let running = 0;
  const work = (name: string) => async (): Promise<void> => {
    running += 1;
    assert.equal(running, 1, 'two commands at once');
    await new Promise(setImmediate);
    running -= 1;
    done.push(name);
    if (name.startsWith('bad')) throw new Error(name);
  };
  const all = [
    turns.take('other', work('first')),
    turns.take('other', work('bad sample')),
    turns.take('order', work('order')),
    turns.take('other', work('last')),
  ];
  const ends = await Promise.allSettled(all);
  assert.deepEqual(done, ['first', 'order', 'bad sample', 'last']);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});
