/** Sensors and display of a shipped board, on the kernel's i2c-stub and its own INA2xx driver. Specification §16.3. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { readBoard } from '../../device/board/board-file.ts';
import { I2cBus } from '../../device/board/i2c.ts';
import { linuxDevices } from '../../device/board/linux-devices.ts';
import type { Reading } from '../../device/board/ports.ts';
import { openWiredBox } from '../../device/board/wired-box.ts';
import { nameBusAsOnAPi } from './pi-bus.ts';

nameBusAsOnAPi();
const bus = I2cBus.open(0);
const { definition } = await readBoard('raspberry-pi-4-slb9670');
let now = Date.now();
const box = await openWiredBox(definition, linuxDevices, () => now);
after(async () => {
  await box.close();
  bus.close();
});

const setRegister = (address: number, register: number, value: number): Promise<void> =>
  bus.write(address, register, Uint8Array.of(value >> 8, value & 0xff));
const register = async (address: number, at: number): Promise<number> => {
  const [high = 0, low = 0] = await bus.read(address, at, 2);
  return high * 256 + low;
};
async function sampled(sensor: string): Promise<Reading | undefined> {
  now += 10_000;
  return (await box.sample()).find((reading) => reading.sensor === sensor);
}

test('an INA226 is set up for the shunt of board.yaml, and its registers become mA, mV and mW (§16.3)', async () => {
  await setRegister(0x40, 2, 0x2570);
  await setRegister(0x40, 3, 0x12b8);
  await setRegister(0x40, 4, 0x2710);
  // 40 A over 32,767 steps: 1,221 µA and a calibration of 5.12e9 / (1,221 × 2,000), rounded down; the step is that of the rounded one.
  assert.equal((await sampled('box-current'))?.value, 12_214);
  assert.equal((await sampled('box-voltage'))?.value, 11_980);
  assert.equal((await sampled('box-power'))?.value, 146_321);
  assert.deepEqual([await register(0x40, 0), await register(0x40, 5)], [0x4527, 2_096]);
});

test('a chip that has lost its calibration is a failure for one reading, not a box at rest (§16.3)', async () => {
  await setRegister(0x40, 5, 0);
  const reading = await sampled('box-power');
  assert.equal(reading?.quality, 'failed');
  assert.match(reading.detail ?? '', /lost its calibration/);
  assert.equal((await sampled('box-power'))?.quality, 'good');
});

test('a TMP102 below and above zero is m°C (§16.3)', async () => {
  await setRegister(0x48, 0, 0x1900);
  assert.equal((await sampled('exhaust-temperature'))?.value, 25_000);
  await setRegister(0x48, 0, 0xe700);
  assert.equal((await sampled('exhaust-temperature'))?.value, -25_000);
});

test('a sensor that the kernel drives is read from its driver: voltage, current, power (§16.3)', async () => {
  writeFileSync('/sys/bus/i2c/devices/i2c-0/delete_device', '0x41');
  await setRegister(0x41, 1, 0x2710);
  await setRegister(0x41, 2, 0x5d98);
  await setRegister(0x41, 3, 0x1766);
  await setRegister(0x41, 4, 0x2710);
  writeFileSync('/sys/bus/i2c/devices/i2c-0/new_device', 'ina219 0x41');
  const read = (input: string): Promise<number> => linuxDevices.readHwmon({ driver: 'ina219', device: '0-0041', input });
  assert.deepEqual([await read('in1'), await read('curr1'), await read('power1')], [11_980, 10_000, 119_800_000]);
  await assert.rejects(
    linuxDevices.readHwmon({ driver: 'tmp102', input: 'temp1' }),
    /the kernel has no sensor tmp102; it has .*ina219 \(0-0041\)/,
  );
});

test('a device that does not answer fails by itself: the others go on (§16.3)', async () => {
  const { display: _, ...rest } = definition;
  const [first] = rest.sensors;
  assert.equal(first?.chip, 'ina226');
  const lines = {};
  const other = await openWiredBox(
    { ...rest, lines, display: undefined, sensors: [{ ...first, name: 'absent', address: 0x45 }, first] },
    linuxDevices,
    Date.now,
  );
  const readings = await other.sample();
  await other.close();
  assert.equal(readings.find(({ sensor }) => sensor === 'absent-power')?.quality, 'failed');
  assert.equal(readings.find(({ sensor }) => sensor === 'box-power')?.quality, 'good');
});

test('the display is written to the end of its last line (§16.2)', async () => {
  // i2c-stub takes a single byte for its pointer and reads the register there: with its number in each, the last byte comes back.
  for (let at = 0; at < 256; at += 1) await bus.write(0x27, at, Uint8Array.of(at));
  await box.show(['capstan', 'code 4711']);
  assert.deepEqual([...(await bus.read(0x27, -1, 1))], [0x09]); // the lower half of a blank: light on, E low, RS high
});
