/** A TMP102 or MCP9808 on the bus; both convert by themselves from power-up on. Specification §16.3. */
import type { Thermometer } from './definition.ts';
import type { Bus } from './devices.ts';
import { readWord } from './register-word.ts';
import type { Sensor } from './sensor.ts';
import { sensorDefinitionsOf } from './sensor-definitions.ts';
import { milliCelsius, TEMPERATURE_REGISTER } from './thermometers.ts';

export function thermometer(sensor: Thermometer, bus: Bus): Sensor {
  return {
    definitions: sensorDefinitionsOf(sensor),
    stuckAfterMs: sensor.stuckAfterMs,
    read: async () => [{ value: milliCelsius(sensor.chip, await readWord(bus, sensor.address, TEMPERATURE_REGISTER[sensor.chip])) }],
  };
}
