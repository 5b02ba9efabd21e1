/** A sensor that a driver of the kernel reads, in our units. Specification §16.3. */
import type { HwmonSensor } from './definition.ts';
import type { Devices } from './devices.ts';
import type { Sensor } from './sensor.ts';
import { hwmonQuantity, sensorDefinitionsOf } from './sensor-definitions.ts';

const MICRO = 1_000;

export function kernelSensor(sensor: HwmonSensor, devices: Devices): Sensor {
  const { driver, device, input } = sensor;
  const isPower = hwmonQuantity(sensor) === 'power'; // µW; all others are in our unit
  return {
    definitions: sensorDefinitionsOf(sensor),
    stuckAfterMs: sensor.stuckAfterMs,
    read: async () => {
      const value = await devices.readHwmon({ driver, input, ...(device === undefined ? {} : { device }) });
      return [{ value: isPower ? Math.round(value / MICRO) : value }];
    },
  };
}
