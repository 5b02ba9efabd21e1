/** The machine's own lines, buses and sensors, for a board. Specification §16.2, §16.3. */
import type { Devices } from './devices.ts';
import { openChip } from './gpio.ts';
import { readHwmon } from './hwmon.ts';
import { I2cBus } from './i2c.ts';

export const linuxDevices: Devices = {
  source: 'wires',
  openChip: (label) => openChip(label),
  openBus: (number) => I2cBus.open(number),
  readHwmon: (input) => readHwmon(input),
};
