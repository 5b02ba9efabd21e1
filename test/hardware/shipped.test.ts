/** Each board that ships, on a chip of its label and the kernel's I2C bus: opened, pressed, read and closed. Specification §16.2, §16.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listBoards, readBoard } from '../../device/board/board-file.ts';
import { linuxDevices } from '../../device/board/linux-devices.ts';
import { openWiredBox } from '../../device/board/wired-box.ts';
import { pull, seenOutside, until } from './outside.ts';
import { nameBusAsOnAPi } from './pi-bus.ts';

nameBusAsOnAPi();

for (const name of await listBoards()) {
  const { definition } = await readBoard(name);
  const { gpio, lines, press } = definition;
  if (definition.io === 'simulated') continue;
  test(`${name} presses and reads by its own definition (§16.2, §16.3)`, async () => {
    const chip = gpio?.chip;
    const [button, led] = [lines.powerButton?.line ?? -1, lines.powerLed];
    const light = (isLit: boolean): void => pull(led?.line ?? -1, isLit === (led?.activeLow === true) ? 'pull-down' : 'pull-up', chip);
    const box = await openWiredBox(definition, linuxDevices, Date.now);
    try {
      light(false);
      await until('the box is off', () => box.powerState() === 'off');
      const pressed = box.power('on');
      assert.equal(seenOutside(button, chip), '1');
      assert.deepEqual(await pressed, { status: 'done' });
      assert.equal(seenOutside(button, chip), '0');
      light(true);
      await until('the box is on', () => box.powerState() === 'on');
      const readings = await box.sample();
      assert.deepEqual(
        readings.map(({ sensor, quality }) => [sensor, quality]),
        box.sensors.map(({ name: sensor }) => [sensor, 'good']),
      );
    } finally {
      await box.close();
    }
    assert.ok(press.shortMs >= 500, 'some mainboards take a shorter press for none');
  });
}
