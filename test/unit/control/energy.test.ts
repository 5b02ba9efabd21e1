/** Energy from readings of power, against sums that are known. Specification §17.4. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { joulesText, objectionToEnergy, observedPermille, type RunEnergy } from '#protocol/run-energy.ts';
import type { Reading, SensorDefinition } from '../../../device/board/ports.ts';
import { energyUntil, meterRead, meterShared, startMeter, type Meter } from '../../../device/control/energy.ts';

const sensor: SensorDefinition = { name: 'feed', quantity: 'power', accuracy: { permille: 10, absolute: 5 }, periodMs: 1_000 };

function at(atMs: number, value: number, quality: Reading['quality'] = 'good'): Reading {
  return { sensor: 'feed', quantity: 'power', value, atMs, quality };
}

function measured(readings: readonly Reading[], fromMs: number, toMs: number, last?: Reading): RunEnergy {
  return energyUntil(readings.reduce<Meter>(meterRead, startMeter(sensor, fromMs, last)), toMs, 'simulated');
}

describe('energy of a run (§17.4)', () => {
  it('a box that draws 50 W for 10 s takes 500 J', () => {
    const steady = Array.from({ length: 11 }, (_, second) => at(second * 1_000, 50_000));
    const energy = measured(steady.slice(1), 0, 10_000, steady[0]);
    assert.equal(energy.millijoules, 500_000);
    assert.equal(energy.unobservedMs, 0);
    // 1 % of 50 W and 5 mW, for 10 s.
    assert.equal(energy.errorMillijoules, 5_050);
  });

  it('a rise from 0 to 100 W in 10 s is a triangle', () => {
    const rise = Array.from({ length: 11 }, (_, second) => at(second * 1_000, second * 10_000));
    assert.equal(measured(rise.slice(1), 0, 10_000, rise[0]).millijoules, 500_000);
  });

  it('the true energy of power that moves one way between readings lies within the error', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500_000), { minLength: 2, maxLength: 60 }), fc.array(fc.nat(10), { minLength: 60 }), (values, jumps) => {
        const readings = values.map((value, index) => at(index * 1_000, value));
        // Between two readings the power jumps at a tenth of the second that is anybody's guess.
        const truth = values.slice(1).reduce((sum, value, index) => {
          const jumpMs = (jumps[index] ?? 0) * 100;
          return sum + ((values[index] ?? 0) * jumpMs + value * (1_000 - jumpMs)) / 1_000;
        }, 0);
        const energy = measured(readings.slice(1), 0, (values.length - 1) * 1_000, readings[0]);
        assert.ok(Math.abs(energy.millijoules - truth) <= energy.errorMillijoules + 1);
      }),
    );
  });

  it('a run shorter than the time between two readings rests on the one before, and its account can be true', () => {
    const energy = measured([], 2_100, 2_400, at(2_000, 50_000));
    assert.deepEqual([energy.millijoules, energy.samples, energy.unobservedMs], [15_000, 1, 0]);
    assert.equal(objectionToEnergy(energy, { startedAtMs: 2_100, endedAtMs: 2_400 }), undefined);
    fc.assert(
      fc.property(fc.nat(5_000), fc.nat(3_000), fc.array(fc.nat(3_000), { maxLength: 5 }), (beforeMs, lengthMs, gaps) => {
        let atMs = 10_000;
        const readings = gaps.map((gap) => at((atMs += gap + 1), 50_000));
        const told = measured(readings, 10_000, 10_000 + lengthMs, at(10_000 - beforeMs, 50_000));
        assert.equal(objectionToEnergy(told, { startedAtMs: told.fromMs, endedAtMs: told.toMs }), undefined);
      }),
    );
  });

  it('a gap is counted and not filled', () => {
    const energy = measured([at(1_000, 10_000), at(2_000, 10_000), at(12_000, 10_000), at(13_000, 10_000)], 0, 13_000, at(0, 10_000));
    assert.equal(energy.unobservedMs, 10_000);
    assert.equal(energy.millijoules, 30_000);
  });

  it('what is not a good reading is a gap, whatever its value', () => {
    for (const quality of ['failed', 'stuck', 'out-of-range'] as const) {
      const bad = Array.from({ length: 10 }, (_, second) => at((second + 1) * 1_000, 900_000, quality));
      const energy = measured(bad, 0, 10_000);
      assert.deepEqual([energy.millijoules, energy.samples, energy.unobservedMs], [0, 0, 10_000], quality);
    }
  });

  it('observed and unobserved time make the span, and readings in any order never make less than nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60_000), fc.nat(1_000_000)), { maxLength: 50 }), fc.nat(60_000), (points, toMs) => {
        const energy = measured(
          points.map(([atMs, value]) => at(atMs, value)),
          1_000,
          toMs,
        );
        assert.ok(energy.unobservedMs >= 0 && energy.unobservedMs <= energy.toMs - energy.fromMs);
        assert.ok(energy.millijoules >= 0 && Number.isSafeInteger(energy.errorMillijoules));
        const run = { startedAtMs: energy.fromMs, endedAtMs: energy.toMs };
        if (energy.millijoules > 0) assert.equal(objectionToEnergy(energy, run), undefined);
      }),
    );
  });

  it('a week at a kilowatt stays a whole number', () => {
    const weekMs = 7 * 24 * 3_600_000;
    const kilowatt: SensorDefinition = { ...sensor, periodMs: 60_000 };
    let meter = startMeter(kilowatt, 0, at(0, 1_000_000));
    for (let atMs = 60_000; atMs <= weekMs; atMs += 60_000) meter = meterRead(meter, at(atMs, 1_000_000));
    assert.equal(energyUntil(meter, weekMs, 'wires').millijoules, 1_000 * weekMs);
  });

  it('a run that shared the box says with how many', () => {
    const meter = meterShared(meterShared(meterShared(startMeter(sensor, 0), 1), 3), 2);
    assert.equal(energyUntil(meter, 1_000, 'ipmi').sharedWith, 3);
  });
});

describe('an account of energy that can be true (§17.4)', () => {
  const run = { startedAtMs: 100_000, endedAtMs: 110_000 };
  const energy: RunEnergy = {
    ...{ source: 'wires', sensor: 'feed', fromMs: 100_000, toMs: 110_000, unobservedMs: 0 },
    ...{ millijoules: 500_000, errorMillijoules: 1, samples: 10, sharedWith: 0 },
  };

  it('what can’t be is refused by its reason', () => {
    assert.equal(objectionToEnergy(energy, run), undefined);
    const wrong: Partial<RunEnergy>[] = [
      { toMs: 99_999 },
      { unobservedMs: 10_001 },
      { fromMs: 141_000, toMs: 150_000 },
      { fromMs: 1_000, toMs: 69_000 },
      { samples: 0 },
      { unobservedMs: 10_000 },
      { millijoules: 1_000_000_001 },
    ];
    for (const change of wrong) assert.equal(typeof objectionToEnergy({ ...energy, ...change }, run), 'string', JSON.stringify(change));
  });

  it('it says how much of the run was observed, and reads as joules', () => {
    assert.equal(observedPermille({ ...energy, unobservedMs: 2_500 }, run), 750);
    assert.equal(joulesText({ millijoules: 12_345, errorMillijoules: 150 }), '12.3 J ± 0.1 J');
  });
});
