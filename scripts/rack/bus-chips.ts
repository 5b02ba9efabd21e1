/**
 * The chips on the bus of a simulated box, register by register as their data sheets have them (Texas Instruments SBOS547 INA226,
 * SBOS448 INA219, SBOS656 INA260, SBOS397 TMP102). Pure. Specification §16.4.
 */
import type { SensorName } from './sensors.ts';

type PowerModel = 'ina226' | 'ina219' | 'ina260';

interface PowerChip {
  readonly model: PowerModel;
  readonly sensor: SensorName;
  readonly shuntMicroOhm: number;
}
interface Thermometer {
  readonly model: 'tmp102';
  readonly sensor: SensorName;
}
interface Display {
  readonly model: 'display';
}
export type BusChip = PowerChip | Thermometer | Display;

export const BUS_CHIPS: ReadonlyMap<number, BusChip> = new Map<number, BusChip>([
  [0x40, { model: 'ina226', sensor: 'box-power', shuntMicroOhm: 2_000 }],
  [0x41, { model: 'ina219', sensor: 'processor-power', shuntMicroOhm: 5_000 }],
  [0x44, { model: 'ina260', sensor: 'accelerator-power', shuntMicroOhm: 2_000 }],
  [0x48, { model: 'tmp102', sensor: 'processor-temperature' }],
  [0x49, { model: 'tmp102', sensor: 'exhaust-temperature' }],
  [0x4a, { model: 'tmp102', sensor: 'intake-temperature' }],
  [0x27, { model: 'display' }],
]);

/** What was written to a chip, by register. */
export type Written = ReadonlyMap<number, number>;

/** What registers hold when the power comes. */
const DEFAULTS: Readonly<Record<PowerModel | 'tmp102', Readonly<Record<number, number>>>> = {
  ina226: { 0x00: 0x4127, 0x05: 0, 0xfe: 0x5449, 0xff: 0x2260 },
  ina219: { 0x00: 0x399f, 0x05: 0 },
  ina260: { 0x00: 0x6127, 0xfe: 0x5449, 0xff: 0x2270 },
  tmp102: { 0x01: 0x60a0, 0x02: 0x4b00, 0x03: 0x5000 },
};
/** Configuration, calibration, alerts and limits, of any of them. */
const WRITABLE: ReadonlySet<number> = new Set([0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07]);

/** 12 V, less what the cable takes: 4 mΩ. */
const FEED_MV = 12_000;
const CABLE_MICRO_OHM = 4_000;

/** By the data sheets: nanovolts of a bit of the shunt register, microvolts of one of the bus, divisors of current and power. */
const SCALES = {
  ina226: { shuntNv: 2_500, busUv: 1_250, currentDivisor: 2_048, powerDivisor: 20_000 },
  ina219: { shuntNv: 10_000, busUv: 4_000, currentDivisor: 4_096, powerDivisor: 5_000 },
} as const;
const INA260 = { currentUa: 1_250, busUv: 1_250, powerMw: 10 } as const;
/** Of the bus register of an INA219 the voltage stands above three bits, of which one says that a conversion is ready. */
const INA219_BUS_SHIFT = 3;
const INA219_READY = 2;

/**
 * What a chip holds in a register, 16 bits.
 * @param value what its sensor says: mW or m°C
 * @returns undefined for a register that it does not have
 */
export function readRegister(chip: PowerChip | Thermometer, written: Written, register: number, value: number): number | undefined {
  const measured = chip.model === 'tmp102' ? temperatureRegister(register, value) : powerRegister(chip, written, register, value);
  return measured ?? written.get(register) ?? DEFAULTS[chip.model][register];
}

/** @returns what the chip keeps from then on; the same where that register can't be written */
export function writeRegister(written: Written, register: number, word: number): Written {
  return WRITABLE.has(register) ? new Map([...written, [register, word & 0xffff]]) : written;
}

/** Twelve bits of a sixteenth of a degree, left-justified. */
function temperatureRegister(register: number, milliC: number): number | undefined {
  return register === 0 ? word16(Math.round((milliC * 16) / 1_000) << 4) : undefined;
}

function powerRegister(chip: PowerChip, written: Written, register: number, mw: number): number | undefined {
  const currentMa = Math.round((mw * 1_000) / FEED_MV);
  const busMv = mw === 0 ? 0 : FEED_MV - Math.round((currentMa * CABLE_MICRO_OHM) / 1_000_000);
  if (chip.model === 'ina260') return ina260Register(register, currentMa, busMv, mw);
  const scale = SCALES[chip.model];
  const shunt = Math.round((currentMa * chip.shuntMicroOhm) / scale.shuntNv);
  const bus = Math.round((busMv * 1_000) / scale.busUv);
  const current = Math.trunc((shunt * (written.get(0x05) ?? 0)) / scale.currentDivisor);
  if (register === 1) return word16(shunt);
  if (register === 2) return chip.model === 'ina219' ? word16((bus << INA219_BUS_SHIFT) | INA219_READY) : word16(bus);
  if (register === 3) return word16(Math.trunc((Math.abs(current) * bus) / scale.powerDivisor));
  return register === 4 ? word16(current) : undefined;
}

function ina260Register(register: number, currentMa: number, busMv: number, mw: number): number | undefined {
  if (register === 1) return word16(Math.round((currentMa * 1_000) / INA260.currentUa));
  if (register === 2) return word16(Math.round((busMv * 1_000) / INA260.busUv));
  return register === 3 ? word16(Math.round(mw / INA260.powerMw)) : undefined;
}

/** Two's complement; what does not fit stands at the end of the range, as in the chips. */
function word16(value: number): number {
  return Math.max(-0x8000, Math.min(0xffff, value)) & 0xffff;
}
