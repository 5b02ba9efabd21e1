/**
 * What ipmitool prints, read strictly: whatever is not in this form is refused with its line. Pure. Specification §16.5.
 *
 * A sensor is a line of `ipmitool -c -v sdr elist full`: name, value, unit, status, entity, its name, the type, three nominal
 * values, six thresholds (upper and lower, from unrecoverable to not critical), lowest and highest value. Names may hold
 * commas, so that fields are counted from the end.
 */
import type { Bounds, PowerState, Quantity } from '../board/ports.ts';
import type { BmcState, BmcValue } from './bmc.ts';
import { inUnit, judgeValue, noValue } from './sensor-facts.ts';

/** The message quotes what is wrong. */
export class WrongOutput extends Error {}

export interface IpmiSensor {
  readonly name: string;
  readonly quantity: Quantity;
  readonly limits?: Bounds;
  readonly value: BmcValue;
}

const QUANTITY_OF_UNIT: Readonly<Record<string, Quantity>> = {
  'degrees C': 'temperature',
  Volts: 'voltage',
  Amps: 'current',
  Watts: 'power',
  RPM: 'fan',
};
const FIELDS_AFTER_NAME = 17;
const LINES_MAX = 1_024;
const QUOTED_CHARACTERS_MAX = 120;

/** Its analog sensors of a quantity that is known, in their order. @throws WrongOutput */
export function readSensors(printed: string): IpmiSensor[] {
  return linesOf(printed).flatMap((line) => {
    const fields = line.split(',');
    if (fields.length <= FIELDS_AFTER_NAME) throw wrongLine(line, `a name and ${FIELDS_AFTER_NAME} fields, separated by commas`);
    const name = fields.slice(0, -FIELDS_AFTER_NAME).join(',').trim();
    const [value = '', unit = '', status = '', , , , , , , , upper, , , lower, , low, high] = fields.slice(-FIELDS_AFTER_NAME);
    const quantity = Object.hasOwn(QUANTITY_OF_UNIT, unit) ? QUANTITY_OF_UNIT[unit] : undefined;
    if (quantity === undefined) return [];
    const limits = boundsOf(quantity, lower, upper, line);
    const range = boundsOf(quantity, low, high, line);
    return [{ name, quantity, ...(limits && { limits }), value: valueOf({ quantity, value, status, range, line }) }];
  });
}

function valueOf(given: { quantity: Quantity; value: string; status: string; range: Bounds | undefined; line: string }): BmcValue {
  const { quantity, value, status, range, line } = given;
  if (value === '') return noValue(`the BMC gives no reading for it (${status || 'without a status'})`);
  return judgeValue(quantity, decimal(value, line), range);
}

/** @returns undefined when there is neither, or when they contradict one another */
function boundsOf(quantity: Quantity, low: string | undefined, high: string | undefined, line: string): Bounds | undefined {
  const min = low ? inUnit(quantity, decimal(low, line)) : undefined;
  const max = high ? inUnit(quantity, decimal(high, line)) : undefined;
  if ((min === undefined && max === undefined) || (min !== undefined && max !== undefined && min >= max)) return undefined;
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

/** Of `ipmitool chassis status`. @throws WrongOutput */
export function readChassisStatus(printed: string): BmcState {
  const entries = new Map(
    linesOf(printed).map((line) => {
      const colon = line.indexOf(':');
      if (colon < 0) throw wrongLine(line, 'a name, a colon and a value');
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const intrusion = entries.get('Chassis Intrusion');
  if (intrusion !== undefined && intrusion !== 'active' && intrusion !== 'inactive')
    throw wrongLine(`Chassis Intrusion: ${intrusion}`, 'active or inactive');
  return { power: powerOf(entries.get('System Power')), ...(intrusion !== undefined && { isOpen: intrusion === 'active' }) };
}

function powerOf(word: string | undefined): PowerState {
  if (word === 'on' || word === 'off') return word;
  throw wrongLine(`System Power: ${word ?? ''}`, 'on or off');
}

/** Milliwatts of `ipmitool dcmi power reading`; undefined when the BMC says that it measures nothing now. @throws WrongOutput */
export function readDcmiPower(printed: string): number | undefined {
  const watts = /^\s*Instantaneous power reading:\s+(\d{1,5}) Watts\s*$/m.exec(printed)?.[1];
  const state = /^\s*Power reading state is:\s+(activated|deactivated)\s*$/m.exec(printed)?.[1];
  if (watts === undefined || state === undefined) throw wrongLine(printed, 'an instantaneous power reading in Watts, and its state');
  return state === 'activated' ? Number(watts) * 1_000 : undefined;
}

function linesOf(printed: string): string[] {
  const lines = printed.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > LINES_MAX) throw new WrongOutput(`it printed ${lines.length} lines; at most ${LINES_MAX} are read`);
  return lines;
}

function decimal(text: string, line: string): number {
  if (!/^-?\d{1,9}(\.\d{1,6})?$/.test(text)) throw wrongLine(line, `a decimal number in place of ${JSON.stringify(text.slice(0, 32))}`);
  return Number(text);
}

function wrongLine(line: string, right: string): WrongOutput {
  return new WrongOutput(`it printed ${JSON.stringify(line.slice(0, QUOTED_CHARACTERS_MAX))}; right would be ${right}`);
}
