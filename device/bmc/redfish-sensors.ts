/**
 * Sensors in the resources of Redfish (DSP2046: EnvironmentMetrics, Sensor, ThermalMetrics, Power, Thermal). Pure.
 * Specification §16.5.
 */
import { LIMITS } from '#protocol/limits.ts';
import type { Accuracy, Bounds, Quantity } from '../board/ports.ts';
import type { BmcValue } from './bmc.ts';
import { field, listField, numberField, pathField, resourceField, textField, WrongResource, type Resource } from './redfish-fields.ts';
import { assumedAccuracy, inUnit, judgeValue, noValue } from './sensor-facts.ts';

export const SENSOR_RESOURCES = ['EnvironmentMetrics', 'Sensor', 'ThermalMetrics', 'Power', 'Thermal'] as const;
export type SensorResource = (typeof SENSOR_RESOURCES)[number];

export interface RedfishSensor {
  /** The same in every answer, and of one sensor alone. */
  readonly key: string;
  readonly name: string;
  readonly quantity: Quantity;
  readonly accuracy: Accuracy;
  readonly limits?: Bounds;
  readonly value: BmcValue;
}

/** The sensors that a resource holds, in its order. @throws WrongResource */
export function sensorsIn(kind: SensorResource, resource: Resource): RedfishSensor[] {
  if (kind === 'EnvironmentMetrics') return [...excerpt(resource, 'PowerWatts', 'power'), ...excerpt(resource, 'EnergyJoules', 'energy')];
  if (kind === 'Sensor') return sensorOf(resource);
  if (kind === 'ThermalMetrics')
    return listField(resource, 'TemperatureReadingsCelsius').flatMap((item, index) =>
      made(item, { kind, index, key: 'Reading', quantity: 'temperature', name: textField(item, 'DeviceName') }),
    );
  if (kind === 'Power') return [...powerControl(resource), ...voltages(resource)];
  return [...temperatures(resource), ...fans(resource)];
}

function excerpt(resource: Resource, key: 'PowerWatts' | 'EnergyJoules', quantity: Quantity): RedfishSensor[] {
  const item = resourceField(resource, key);
  return item ? made(item, { kind: key, index: 0, key: 'Reading', quantity, name: quantity }) : [];
}

/** ReadingType and the UCUM units in which it is read here; any other unit is another sensor's business. */
const READING_TYPES: Readonly<Record<string, { quantity: Quantity; units: readonly string[] }>> = {
  Power: { quantity: 'power', units: ['W'] },
  Temperature: { quantity: 'temperature', units: ['Cel'] },
  Voltage: { quantity: 'voltage', units: ['V'] },
  Current: { quantity: 'current', units: ['A'] },
  Rotational: { quantity: 'fan', units: ['{rev}/min', 'RPM'] },
};

function sensorOf(resource: Resource): RedfishSensor[] {
  const type = textField(resource, 'ReadingType') ?? '';
  const known = Object.hasOwn(READING_TYPES, type) ? READING_TYPES[type] : undefined;
  const units = textField(resource, 'ReadingUnits');
  if (!known || (units !== undefined && !known.units.includes(units))) return [];
  const { quantity } = known;
  const thresholds = resourceField(resource, 'Thresholds') ?? {};
  const threshold = (key: string): number | undefined => {
    const found = resourceField(thresholds, key);
    return found && numberField(found, 'Reading');
  };
  const limits = boundsOf(quantity, threshold('LowerCritical'), threshold('UpperCritical'));
  const name = textField(resource, 'Name') ?? textField(resource, 'Id');
  const key = pathField(resource, '@odata.id');
  if (key === undefined) throw new WrongResource('a Sensor lacks @odata.id; every resource has it (DSP0266)');
  return made(resource, {
    kind: 'Sensor',
    index: 0,
    key: 'Reading',
    quantity,
    name,
    range: 'ReadingRange',
    accuracy: statedAccuracy(quantity, resource),
  }).map((sensor) => ({ ...sensor, key, ...(limits && { limits }) }));
}

/** ReadingAccuracy is ± in the sensor's unit; Accuracy, which it replaces, ± a percentage. What no box can be wrong by is not taken. */
function statedAccuracy(quantity: Quantity, resource: Resource): Accuracy | undefined {
  const absolute = inUnit(quantity, numberField(resource, 'ReadingAccuracy') ?? -1);
  if (absolute !== undefined && absolute >= 0 && absolute <= LIMITS.boxWattsMax * 1_000) return { permille: 0, absolute };
  const percent = numberField(resource, 'Accuracy') ?? -1;
  return percent >= 0 && percent <= 100 ? { permille: Math.ceil(percent * 10), absolute: 0 } : undefined;
}

/** The first one is the whole chassis (DSP2046, PowerControl). */
function powerControl(resource: Resource): RedfishSensor[] {
  return listField(resource, 'PowerControl')
    .slice(0, 1)
    .flatMap((item, index) => made(item, { kind: 'PowerControl', index, key: 'PowerConsumedWatts', quantity: 'power', name: 'power' }));
}

function voltages(resource: Resource): RedfishSensor[] {
  return listField(resource, 'Voltages').flatMap((item, index) =>
    old(item, { kind: 'Voltages', index, key: 'ReadingVolts', quantity: 'voltage', name: textField(item, 'Name'), range: 'ReadingRange' }),
  );
}

function temperatures(resource: Resource): RedfishSensor[] {
  return listField(resource, 'Temperatures').flatMap((item, index) =>
    old(item, {
      kind: 'Temperatures',
      index,
      key: 'ReadingCelsius',
      quantity: 'temperature',
      name: textField(item, 'Name'),
      range: 'ReadingRangeTemp',
    }),
  );
}

function fans(resource: Resource): RedfishSensor[] {
  return listField(resource, 'Fans').flatMap((item, index) => {
    if (textField(item, 'ReadingUnits') !== 'RPM') return [];
    const name = textField(item, 'Name') ?? textField(item, 'FanName');
    return old(item, { kind: 'Fans', index, key: 'Reading', quantity: 'fan', name, range: 'ReadingRange' });
  });
}

interface Making {
  readonly kind: string;
  readonly index: number;
  /** The field that holds the reading. */
  readonly key: string;
  readonly quantity: Quantity;
  readonly name: string | undefined;
  /** ReadingRange: fields ReadingRangeMin and ReadingRangeMax, or MinReadingRange and MaxReadingRange. */
  readonly range?: 'ReadingRange' | 'ReadingRangeTemp';
  readonly accuracy?: Accuracy | undefined;
}

/** With thresholds as Power and Thermal have them. */
function old(item: Resource, making: Making): RedfishSensor[] {
  const limits = boundsOf(making.quantity, numberField(item, 'LowerThresholdCritical'), numberField(item, 'UpperThresholdCritical'));
  return made(item, making).map((sensor) => ({ ...sensor, ...(limits && { limits }) }));
}

function made(item: Resource, making: Making): RedfishSensor[] {
  const { kind, index, quantity } = making;
  const state = textField(resourceField(item, 'Status') ?? {}, 'State');
  if (state === 'Absent') return [];
  const member = field(item, 'MemberId');
  const key = `${kind}/${typeof member === 'string' ? member : (textField(item, 'DataSourceUri') ?? index)}`;
  const name = making.name ?? `${quantity} ${index}`;
  return [{ key, name, quantity, accuracy: making.accuracy ?? assumedAccuracy(quantity), value: readValue(item, making, state) }];
}

/** A reading in another shape is the failure of one sensor, not of all. */
function readValue(item: Resource, making: Making, state: string | undefined): BmcValue {
  try {
    return valueOf(item, making, state);
  } catch (error) {
    if (error instanceof WrongResource) return noValue(error.message);
    throw error;
  }
}

function valueOf(item: Resource, { key, quantity, range }: Making, state: string | undefined): BmcValue {
  const given = numberField(item, key);
  if (given === undefined) return noValue(`the BMC gives no reading for it (${state ?? 'without a state'})`);
  if (range === undefined) return judgeValue(quantity, given);
  const min = numberField(item, `${range}Min`) ?? numberField(item, `Min${range}`);
  const max = numberField(item, `${range}Max`) ?? numberField(item, `Max${range}`);
  return judgeValue(quantity, given, boundsOf(quantity, min, max));
}

/** @returns undefined when there is neither, or when they contradict one another */
function boundsOf(quantity: Quantity, low: number | undefined, high: number | undefined): Bounds | undefined {
  const min = low === undefined ? undefined : inUnit(quantity, low);
  const max = high === undefined ? undefined : inUnit(quantity, high);
  if ((min === undefined && max === undefined) || (min !== undefined && max !== undefined && min >= max)) return undefined;
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}
