/**
 * Registers of the current and power monitors INA219, INA226 and INA260: calibration, and conversion to whole numbers. Pure.
 * Texas Instruments SBOS448G (INA219), SBOS547B (INA226), SBOS656C (INA260). Specification §16.3.
 *
 * Current and power come from the chip's own multiplier, which averages before it multiplies; their unit follows from the
 * calibration as it was rounded, so rounding costs no accuracy.
 */
import type { PowerSensor, ShuntSensor } from './definition.ts';

/** Registers of two bytes, the high one first. */
export interface PowerRegisters {
  readonly configuration: number;
  readonly current: number;
  readonly voltage: number;
  readonly power: number;
  /** Where the unit of the current is set; an INA260 has its shunt inside and needs none. */
  readonly calibration?: number;
}

/** Continuous conversion of both, averaged: INA219 16 samples of 12 bits (17 ms), INA226 and INA260 16 times 2.2 ms (35 ms). */
const CONFIGURATION = { ina219: 0x3e67, ina226: 0x4527, ina260: 0x6527 } as const;
const REGISTERS = {
  ina219: { configuration: 0, voltage: 2, power: 3, current: 4, calibration: 5 },
  ina226: { configuration: 0, voltage: 2, power: 3, current: 4, calibration: 5 },
  ina260: { configuration: 0, current: 1, voltage: 2, power: 3 },
} as const satisfies Record<PowerSensor['chip'], PowerRegisters>;

/** The constant of each calibration (0.04096 and 0.00512 in V), times 10^12: micro-ampere times micro-ohm. */
const CALIBRATION_SCALE = { ina219: 40_960_000_000, ina226: 5_120_000_000 } as const;
/** Bit 0 of the INA219's can't be set. */
const CALIBRATION_MAX = { ina219: 0xfffe, ina226: 0x7fff } as const;
/** Watts a bit over amperes a bit. */
const POWER_FACTOR = { ina219: 20, ina226: 25 } as const;
const CURRENT_STEPS = 32_768;
const INA260 = { currentMicroAmpere: 1_250, powerMicroWatt: 10_000 } as const;
const BUS_MICROVOLT = { ina219: 4_000, ina226: 1_250, ina260: 1_250 } as const;
/** INA219: the value of the bus begins at bit 3; bit 0 says that current or power has overflowed. */
const INA219_SHIFT = 3;
const INA219_OVERFLOW = 1;
const END_OF_SCALE = [0x7fff, -0x8000];

export interface RawPower {
  readonly current: number;
  readonly voltage: number;
  readonly power: number;
}

export interface MeasuredPower {
  readonly milliampere: number;
  readonly millivolt: number;
  readonly milliwatt: number;
  /** Why the chip can't say more: the end of its scale. */
  readonly overflow?: string;
}

export function registersOf(chip: PowerSensor['chip']): PowerRegisters {
  return REGISTERS[chip];
}

export function configurationOf(chip: PowerSensor['chip']): number {
  return CONFIGURATION[chip];
}

/** The value of the calibration register for which the expected maximum just fits; undefined where there is none. */
export function calibrationOf(sensor: PowerSensor): number | undefined {
  if (sensor.chip === 'ina260') return undefined;
  const stepMicroAmpere = Math.max(1, Math.ceil((sensor.maxCurrentMa * 1_000) / (CURRENT_STEPS - 1)));
  const exact = Math.trunc(CALIBRATION_SCALE[sensor.chip] / (stepMicroAmpere * sensor.shuntMicroOhm));
  const even = sensor.chip === 'ina219' ? exact - (exact % 2) : exact;
  return Math.max(2, Math.min(CALIBRATION_MAX[sensor.chip], even));
}

/** @param raw registers as they are read: 16 bits, the sign not yet taken */
export function measuredPower(sensor: PowerSensor, raw: RawPower): MeasuredPower {
  const current = signed(raw.current);
  const isAtEnd = END_OF_SCALE.includes(current) || (sensor.chip === 'ina219' && (raw.voltage & INA219_OVERFLOW) !== 0);
  const steps = sensor.chip === 'ina219' ? raw.voltage >> INA219_SHIFT : raw.voltage;
  const currentStep = currentStepMicroAmpere(sensor);
  const powerStep = sensor.chip === 'ina260' ? INA260.powerMicroWatt : currentStep * POWER_FACTOR[sensor.chip];
  return {
    milliampere: rounded((current * currentStep) / 1_000),
    millivolt: rounded((steps * BUS_MICROVOLT[sensor.chip]) / 1_000),
    milliwatt: rounded((raw.power * powerStep) / 1_000),
    ...(isAtEnd ? { overflow: 'the current is at the end of the scale' } : {}),
  };
}

function currentStepMicroAmpere(sensor: PowerSensor): number {
  return sensor.chip === 'ina260' ? INA260.currentMicroAmpere : effectiveStep(sensor);
}

/** Of the calibration that is set, not of the one that was aimed at. */
function effectiveStep(sensor: ShuntSensor): number {
  return CALIBRATION_SCALE[sensor.chip] / ((calibrationOf(sensor) ?? 1) * sensor.shuntMicroOhm);
}

function signed(value: number): number {
  return value >= 0x8000 ? value - 0x1_0000 : value;
}

/** Without a negative zero, which equals no zero in a test and is none in CBOR. */
function rounded(value: number): number {
  return Math.round(value) + 0;
}
