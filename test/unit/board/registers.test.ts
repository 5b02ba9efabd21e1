/** Registers of the sensor chips against the examples of their data sheets. Specification §16.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PowerSensor } from '../../../device/board/definition.ts';
import { calibrationOf, measuredPower } from '../../../device/board/ina2xx.ts';
import { sensorDefinitionsOf } from '../../../device/board/sensor-definitions.ts';
import { milliCelsius } from '../../../device/board/thermometers.ts';

/** Of the data sheets' examples: 10 A over 2 mΩ, 1 mA a step. */
const common = { name: 'box', address: 0x40, periodMs: 100, shuntMicroOhm: 2_000, maxCurrentMa: 32_767 } as const;
const ina219: PowerSensor = { chip: 'ina219', ...common };
const ina226: PowerSensor = { chip: 'ina226', ...common };
const ina260: PowerSensor = { chip: 'ina260', name: 'box', address: 0x40, periodMs: 100 };

test("the example of the INA226's data sheet: 8,000 and 9,584 are 10 A, 11.98 V and 119.8 W (§16.3)", () => {
  assert.equal(calibrationOf(ina226), 0x0a00);
  assert.deepEqual(measuredPower(ina226, { current: 0x2710, voltage: 0x2570, power: 0x12b8 }), {
    milliampere: 10_000,
    millivolt: 11_980,
    milliwatt: 119_800,
  });
});

test("the example of the INA219's data sheet: 20 mV over 2 mΩ at 12 V are 10 A, 11.98 V and 119.8 W (§16.3)", () => {
  assert.equal(calibrationOf(ina219), 0x5000);
  assert.deepEqual(measuredPower(ina219, { current: 0x2710, voltage: 0x5d98, power: 0x1766 }), {
    milliampere: 10_000,
    millivolt: 11_980,
    milliwatt: 119_800,
  });
});

test('an INA260 has steps of 1.25 mA, 1.25 mV and 10 mW, and no calibration (§16.3)', () => {
  assert.equal(calibrationOf(ina260), undefined);
  assert.deepEqual(measuredPower(ina260, { current: 8_000, voltage: 9_584, power: 11_980 }), {
    milliampere: 10_000,
    millivolt: 11_980,
    milliwatt: 119_800,
  });
});

test('a current the other way is negative, and the end of the scale is no reading (§16.3)', () => {
  assert.equal(measuredPower(ina226, { current: 0xffff, voltage: 0, power: 0 }).milliampere, -1);
  for (const current of [0x7fff, 0x8000])
    assert.match(measuredPower(ina226, { current, voltage: 0, power: 0 }).overflow ?? '', /end of the scale/);
  assert.match(measuredPower(ina219, { current: 0, voltage: 1, power: 0 }).overflow ?? '', /end of the scale/);
});

test('for every shunt the chip computes what comes back within its step: what is rounded off is made good (§16.3)', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('ina219' as const, 'ina226' as const),
      fc.integer({ min: 500, max: 100_000 }),
      fc.double({ min: 0.05, max: 0.9, noNaN: true }),
      (chip, shuntMicroOhm, part) => {
        const microvoltMax = chip === 'ina219' ? 320_000 : 81_920;
        const maxCurrentMa = Math.floor((microvoltMax * 1_000) / shuntMicroOhm);
        fc.pre(maxCurrentMa >= 100 && maxCurrentMa <= 1_000_000);
        const sensor: PowerSensor = { chip, name: 'box', address: 0x40, periodMs: 100, shuntMicroOhm, maxCurrentMa };
        const milliampere = maxCurrentMa * part;
        // What the chip does: shunt register times calibration, over 4,096 or 2,048.
        const shuntStep = chip === 'ina219' ? 10 : 2.5;
        const shunt = Math.round((milliampere * shuntMicroOhm) / 1_000 / shuntStep);
        const current = Math.trunc((shunt * (calibrationOf(sensor) ?? 0)) / (chip === 'ina219' ? 4_096 : 2_048));
        assert.ok(current <= 0x7fff, `${current} does not fit the register`);
        const got = measuredPower(sensor, { current, voltage: 0, power: 0 }).milliampere;
        const step = Math.max(1, (shuntStep * 1_000) / shuntMicroOhm, maxCurrentMa / 32_767);
        assert.ok(Math.abs(got - milliampere) <= 2 * step + 1, `${got} mA for ${milliampere} mA`);
      },
    ),
  );
});

test('each reading states how far off it may be: chip, resistor and offset together (§16.3)', () => {
  assert.deepEqual(
    sensorDefinitionsOf(ina226).map(({ name, accuracy }) => [name, accuracy.permille, accuracy.absolute]),
    [
      ['box-power', 14, 61],
      ['box-current', 12, 6],
      ['box-voltage', 2, 2],
    ],
  );
});

test("the tables of the thermometers' data sheets, from -55 to 128 °C (§16.3)", () => {
  const tmp102 = [
    [0x7ff0, 127_938],
    [0x6400, 100_000],
    [0x1900, 25_000],
    [0x0040, 250],
    [0x0000, 0],
    [0xffc0, -250],
    [0xe700, -25_000],
    [0xc900, -55_000],
    [0x4b01, 150_000], // extended mode
  ] as const;
  for (const [raw, expected] of tmp102) assert.equal(milliCelsius('tmp102', raw), expected);
  const mcp9808 = [
    [0x0190, 25_000],
    [0xc190, 25_000], // with the flags of two alerts
    [0x1fff, -62],
    [0x1e70, -25_000],
  ] as const;
  for (const [raw, expected] of mcp9808) assert.equal(milliCelsius('mcp9808', raw), expected);
});
