/** Readings that no box can give, as a BMC that lies may. Specification §17.3-17.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeStrict } from '#protocol/codec.ts';
import { objectionToEnergy, RunEnergy } from '#protocol/run-energy.ts';
import { energyUntil, meterRead, startMeter } from '../../../device/control/energy.ts';
import { plausible } from '../../../device/control/plausible.ts';
import { ControlWorld, feed } from './world.ts';

const LIES = [9e15, 9e12, 100_000_001, -100_000_001, Number.MAX_VALUE, Infinity, -Infinity, NaN];

test('what is no number is failed, more than 100 kW out of range, and what a box can take is good (§17.3)', () => {
  const quality = (value: number): string => plausible({ sensor: 'feed', quantity: 'power', value, atMs: 0, quality: 'good' }).quality;
  assert.deepEqual(LIES.map(quality), [...Array<string>(4).fill('out-of-range'), ...Array<string>(4).fill('failed')]);
  assert.deepEqual([0, 100_000_000, -5, 0.5].map(quality), ['good', 'good', 'good', 'failed']);
});

test('an account of energy can be written whatever was read (§17.4)', () => {
  for (const value of LIES) {
    let meter = startMeter(feed, 0, { sensor: 'feed', quantity: 'power', value, atMs: 0, quality: 'good' });
    for (const atMs of [1_000, 2_000, 3_000]) meter = meterRead(meter, { sensor: 'feed', quantity: 'power', value, atMs, quality: 'good' });
    const energy = energyUntil(meter, 4_000, 'redfish');
    assert.equal(encodeStrict(RunEnergy, energy).length > 0, true);
    assert.deepEqual([objectionToEnergy(energy, { startedAtMs: 0, endedAtMs: 4_000 }), energy.millijoules], [undefined, 0]);
  }
});

test('a BMC that lies ends no run and no firmware: its readings are not good, and the energy has a gap (§17.4)', async (t) => {
  const world = await ControlWorld.ready({ source: 'redfish' });
  t.after(() => world.control.close());
  world.works('run');
  for (const value of LIES) {
    world.nowMs += 1_000;
    world.hardware.reads('feed', value);
    world.control.timePassed();
    assert.notEqual(world.reading.quality, 'good');
  }
  const energy = world.control.energyOf('run');
  assert.deepEqual([energy?.millijoules, energy?.samples, energy?.unobservedMs], [0, 0, 8_000]);
});
