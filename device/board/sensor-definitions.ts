/** The sensors that a board has by its definition: names, quantities, stated accuracy. Pure. Specification §16.3. */
import type { BoardDefinition, FanLine, HwmonSensor, PowerSensor, SensorChip } from './definition.ts';
import type { Accuracy, Bounds, Quantity, SensorDefinition } from './ports.ts';

/** INA219 (SBOS448G), INA226 (SBOS547B), INA260 (SBOS656C): errors over temperature of current and of bus voltage, and offsets. */
const POWER_CHIPS = {
  ina219: { currentPermille: 10, voltagePermille: 10, offsetMicrovolt: 100, offsetMa: 0, voltageStepMv: 4 },
  ina226: { currentPermille: 2, voltagePermille: 2, offsetMicrovolt: 10, offsetMa: 0, voltageStepMv: 2 },
  ina260: { currentPermille: 5, voltagePermille: 3, offsetMicrovolt: 0, offsetMa: 5, voltageStepMv: 2 },
} as const;
/** Of a resistor that names none: the usual one per cent. */
const SHUNT_TOLERANCE_PERMILLE = 10;
/** TMP102: ±3 °C from -40 to 125 °C (SBOS397); MCP9808: ±1 °C over the same (DS25095). */
const THERMOMETER_MILLI_C = { tmp102: 3_000, mcp9808: 1_000 } as const;
/** A nominal voltage to turn an offset of current into one of power, where the board states no limit. */
const NOMINAL_MV = 12_000;

const HWMON_QUANTITIES: Readonly<Record<string, Quantity>> = {
  temp: 'temperature',
  in: 'voltage',
  curr: 'current',
  power: 'power',
  fan: 'fan',
};

/** What a sensor chip gives, the first being what it is there for. */
export function quantitiesOf(sensor: SensorChip): Quantity[] {
  switch (sensor.chip) {
    case 'ina219':
    case 'ina226':
    case 'ina260':
      return ['power', 'current', 'voltage'];
    case 'tmp102':
    case 'mcp9808':
      return ['temperature'];
    case 'hwmon':
      return [hwmonQuantity(sensor)];
  }
}

export function hwmonQuantity({ input }: HwmonSensor): Quantity {
  return HWMON_QUANTITIES[input.replace(/\d+$/, '')] ?? 'power';
}

/** `processor-temperature`: the name in board.yaml, and the quantity. */
export function sensorName(name: string, quantity: Quantity): string {
  return `${name}-${quantity}`;
}

/** All sensors of a board, in the order in which a sample gives them. */
export function sensorDefinitions({ lines, sensors }: BoardDefinition): SensorDefinition[] {
  const exact = { permille: 0, absolute: 0 };
  return [
    ...sensors.flatMap(sensorDefinitionsOf),
    ...(lines.fans ?? []).map(fanDefinition),
    ...(lines.intrusion ? [{ name: 'intrusion', quantity: 'intrusion', accuracy: exact, periodMs: 1_000 } as const] : []),
    ...(lines.diskLed ? [{ name: 'disk', quantity: 'disk', accuracy: exact, periodMs: 1_000 } as const] : []),
  ];
}

export function sensorDefinitionsOf(sensor: SensorChip): SensorDefinition[] {
  return quantitiesOf(sensor).map((quantity) => {
    const limits = limitsOf(sensor, quantity);
    return {
      name: sensorName(sensor.name, quantity),
      quantity,
      accuracy: accuracyOf(sensor, quantity),
      periodMs: sensor.periodMs,
      ...(limits ? { limits } : {}),
    };
  });
}

/** Edges are counted over a period and one may be lost at either end. */
export function fanDefinition({ name, pulsesPerRevolution, periodMs, limits }: FanLine): SensorDefinition {
  const bounds = boundsOf(limits?.minRpm, limits?.maxRpm);
  return {
    name: sensorName(name, 'fan'),
    quantity: 'fan',
    accuracy: { permille: 5, absolute: Math.ceil(60_000 / (periodMs * pulsesPerRevolution)) },
    periodMs,
    ...(bounds ? { limits: bounds } : {}),
  };
}

function accuracyOf(sensor: SensorChip, quantity: Quantity): Accuracy {
  switch (sensor.chip) {
    case 'ina219':
    case 'ina226':
    case 'ina260':
      return powerAccuracy(sensor, quantity);
    case 'tmp102':
    case 'mcp9808':
      return { permille: 0, absolute: THERMOMETER_MILLI_C[sensor.chip] };
    case 'hwmon':
      return { permille: sensor.accuracyPermille, absolute: 1 };
  }
}

function powerAccuracy(sensor: PowerSensor, quantity: Quantity): Accuracy {
  const chip = POWER_CHIPS[sensor.chip];
  if (quantity === 'voltage') return { permille: chip.voltagePermille, absolute: chip.voltageStepMv };
  const shunt = sensor.chip === 'ina260' ? undefined : sensor;
  const currentPermille = chip.currentPermille + (shunt ? (shunt.shuntTolerancePermille ?? SHUNT_TOLERANCE_PERMILLE) : 0);
  const offsetMa = chip.offsetMa + (shunt ? Math.ceil((chip.offsetMicrovolt * 1_000) / shunt.shuntMicroOhm) : 0);
  if (quantity === 'current') return { permille: currentPermille, absolute: offsetMa + 1 };
  const volts = sensor.limits?.maxMv ?? NOMINAL_MV;
  return { permille: currentPermille + chip.voltagePermille, absolute: Math.ceil((offsetMa * volts) / 1_000) + 1 };
}

function limitsOf(sensor: SensorChip, quantity: Quantity): Bounds | undefined {
  switch (sensor.chip) {
    case 'ina219':
    case 'ina226':
    case 'ina260':
      if (quantity === 'power') return boundsOf(undefined, sensor.limits?.maxMw);
      if (quantity === 'current') return boundsOf(undefined, sensor.limits?.maxMa);
      return boundsOf(sensor.limits?.minMv, sensor.limits?.maxMv);
    case 'tmp102':
    case 'mcp9808':
      return boundsOf(sensor.limits?.minMilliC, sensor.limits?.maxMilliC);
    case 'hwmon':
      return boundsOf(sensor.limits?.min, sensor.limits?.max);
  }
}

function boundsOf(min: number | undefined, max: number | undefined): Bounds | undefined {
  if (min === undefined && max === undefined) return undefined;
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}
