/** An INA219, INA226 or INA260 on the bus: set up, and set up again where it has lost its calibration. Specification §16.3. */
import type { PowerSensor } from './definition.ts';
import type { Bus } from './devices.ts';
import { calibrationOf, configurationOf, measuredPower, registersOf } from './ina2xx.ts';
import { readWord, writeWord } from './register-word.ts';
import type { Measured, Sensor } from './sensor.ts';
import { sensorDefinitionsOf } from './sensor-definitions.ts';

export function powerMonitor(sensor: PowerSensor, bus: Bus): Sensor {
  const registers = registersOf(sensor.chip);
  const calibration = calibrationOf(sensor);
  let isSetUp = false;

  const setUp = async (): Promise<void> => {
    await writeWord(bus, sensor.address, registers.configuration, configurationOf(sensor.chip));
    if (registers.calibration !== undefined && calibration !== undefined)
      await writeWord(bus, sensor.address, registers.calibration, calibration);
    isSetUp = true;
  };

  const read = async (): Promise<readonly Measured[]> => {
    if (!isSetUp) await setUp();
    const word = (register: number): Promise<number> => readWord(bus, sensor.address, register);
    // A chip that lost its supply reads 0 mA for ever, which looks like a box at rest.
    if (registers.calibration !== undefined && (await word(registers.calibration)) !== calibration) {
      isSetUp = false;
      throw new Error(`the ${sensor.chip} has lost its calibration; it is set up again`);
    }
    const raw = { current: await word(registers.current), voltage: await word(registers.voltage), power: await word(registers.power) };
    const { milliwatt, milliampere, millivolt, overflow } = measuredPower(sensor, raw);
    const end = overflow === undefined ? {} : { overflow };
    return [{ value: milliwatt, ...end }, { value: milliampere, ...end }, { value: millivolt }];
  };

  return {
    definitions: sensorDefinitionsOf(sensor),
    stuckAfterMs: sensor.stuckAfterMs,
    read: () =>
      read().catch((error: unknown) => {
        isSetUp = false;
        throw error;
      }),
  };
}
