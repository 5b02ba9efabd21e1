/** What ipmitool prints is read strictly. The lines are ipmitool 1.8.19's, of ipmi_sim and of its own source. Specification §16.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readChassisStatus, readDcmiPower, readSensors, WrongOutput } from '../../../device/bmc/ipmi-output.ts';

const line = (name: string, value: string, unit: string, more: { status?: string; upper?: string; range?: string } = {}): string =>
  `${name},${value},${unit},${more.status ?? 'ok'},7.1,System Board,Other,,,,500.000,${more.upper ?? ''},440.000,,,,${more.range ?? ','}`;

test('a sensor is read whatever commas its name holds: fields are counted from the end (§16.5)', () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[A-Za-z][A-Za-z0-9 ,.+/-]{0,14}[A-Za-z]$/),
      fc.integer({ min: -999_999, max: 999_999 }),
      (name, milli) => {
        const value = (milli / 1_000).toFixed(3);
        const [sensor] = readSensors(`${line(name, value, 'Volts')}\n`);
        assert.deepEqual(sensor, { name, quantity: 'voltage', value: { value: milli + 0, quality: 'good' } });
      },
    ),
  );
});

test('only analog quantities that are known are sensors, in whole units; critical thresholds are limits (§16.5)', () => {
  const printed = [
    line('Sys, Power', '90', 'Watts', { upper: '460.000', range: '0.000,510.000' }),
    line('FAN1', '5400.000', 'RPM'),
    line('Duty', '40', 'percent'),
    line('Absent', '', 'degrees C', { status: 'ns' }),
    line('Hot', '300', 'degrees C', { range: '-128.000,127.000' }),
  ].join('\n');
  assert.deepEqual(
    readSensors(printed).map(({ name, quantity, limits, value }) => [name, quantity, limits, value.value, value.quality]),
    [
      ['Sys, Power', 'power', { max: 460_000 }, 90_000, 'good'],
      ['FAN1', 'fan', undefined, 5_400, 'good'],
      ['Absent', 'temperature', undefined, 0, 'failed'],
      ['Hot', 'temperature', undefined, 300_000, 'out-of-range'],
    ],
  );
});

test('limits that contradict one another, as signs that a BMC gets wrong make them, are none', () => {
  const lower = 'T,45,degrees C,ok,7.1,System Board,Temperature,,,,-6.000,-26.000,-36.000,,5.000,,,';
  assert.equal(readSensors(lower)[0]?.limits, undefined);
});

test('a line of another form is refused with what it says', () => {
  for (const printed of ['T,45', line('T', 'hot', 'Volts'), line('T', '1e9', 'Volts'), line('T', '0x40', 'RPM'), line('T', 'NaN', 'Watts')])
    assert.throws(
      () => readSensors(printed),
      (error) => error instanceof WrongOutput && error.message.includes('right would be'),
    );
  assert.throws(() => readSensors('\na'.repeat(2_000)), /at most 1024 are read/);
});

test('power and intrusion are those of chassis status, and nothing else passes for them (§16.5)', () => {
  const status = (power: string, intrusion: string): string => `System Power         : ${power}\nChassis Intrusion    : ${intrusion}\n`;
  assert.deepEqual(readChassisStatus(status('on', 'active')), { power: 'on', isOpen: true });
  assert.deepEqual(readChassisStatus('System Power : off\nPower Restore Policy : always-off'), { power: 'off' });
  for (const printed of ['', status('maybe', 'inactive'), status('on', 'unknown'), 'System Power on'])
    assert.throws(() => readChassisStatus(printed), WrongOutput);
});

test("DCMI's reading counts only while it is activated", () => {
  const printed = (state: string): string =>
    `\n    Instantaneous power reading:                   220 Watts\n    Power reading state is:                   ${state}\n`;
  assert.equal(readDcmiPower(printed('activated')), 220_000);
  assert.equal(readDcmiPower(printed('deactivated')), undefined);
  assert.throws(() => readDcmiPower('DCMI request failed'), WrongOutput);
});
