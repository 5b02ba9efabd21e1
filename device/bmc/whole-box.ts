/** The power sensor by which the energy of a box is counted, where its operator names one. Specification §16.5, §17.4. */
import type { SensorDefinition } from '../board/ports.ts';
import { BmcFailed } from './bmc.ts';

/** The sensor that measures the whole box comes first. @throws BmcFailed when there is none of that name */
export function wholeBoxFirst(sensors: readonly SensorDefinition[], powerSensor: string | undefined): SensorDefinition[] {
  if (powerSensor === undefined) return [...sensors];
  const first = sensors.find(({ name, quantity }) => name === powerSensor && quantity === 'power');
  if (first) return [first, ...sensors.filter((sensor) => sensor !== first)];
  const names = sensors.filter(({ quantity }) => quantity === 'power').map(({ name }) => name);
  throw new BmcFailed('hardware', `the BMC has no power sensor "${powerSensor}"; it has ${names.join(', ') || 'none'}`);
}
