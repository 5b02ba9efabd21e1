/**
 * What a character display wants to be told: an HD44780 with four data lines behind a PCF8574. Pure. Specification §16.2.
 * Hitachi ADE-207-272 (figure 24: start with four lines), NXP PCF8574: bit 0 RS, 1 R/W, 2 E, 3 light, 4 to 7 data.
 */
import type { DisplayChip } from './definition.ts';

/** Bytes for the port, one after the other, then a rest: the chip is busy that long. */
export interface DisplayStep {
  readonly bytes: readonly number[];
  readonly restMs: number;
}

const RS = 1;
const ENABLE = 4;
const LIGHT = 8;
const ROWS = [0x00, 0x40, 0x14, 0x54] as const;
const COMMAND = { clear: 0x01, entryRight: 0x06, on: 0x0c, fourLinesTwoRows: 0x28, address: 0x80 } as const;
/** The character set of the usual chip (A00) has no others where ASCII has them. */
const REPLACED: Readonly<Record<string, string>> = { '°': '\u00df', '\\': '/', '~': '-', '–': '-', '…': '.', '→': '\u007e' };

/** From power-up, whatever state the chip is in: three times eight lines, then four. */
export function displayStart(): DisplayStep[] {
  return [
    { bytes: [], restMs: 50 },
    { bytes: nibble(0x30), restMs: 5 },
    { bytes: nibble(0x30), restMs: 1 },
    { bytes: nibble(0x30), restMs: 1 },
    { bytes: nibble(0x20), restMs: 1 },
    { bytes: [COMMAND.fourLinesTwoRows, COMMAND.on, COMMAND.entryRight].flatMap((command) => byte(command, 0)), restMs: 1 },
    { bytes: byte(COMMAND.clear, 0), restMs: 2 },
  ];
}

/** Every row is written to its end, so nothing has to be cleared and nothing flickers. */
export function displayText({ columns, rows }: DisplayChip, lines: readonly string[]): DisplayStep[] {
  return Array.from({ length: rows }, (_, row) => {
    const text = fitted(lines[row] ?? '', columns);
    const address = COMMAND.address | (ROWS[row] ?? 0);
    return { bytes: [...byte(address, 0), ...[...text].flatMap((character) => byte(character.charCodeAt(0) & 0xff, RS))], restMs: 0 };
  });
}

function fitted(line: string, columns: number): string {
  const shown = [...line].map((character) => REPLACED[character] ?? (/[\x20-\x7e]/.test(character) ? character : '?'));
  return shown.slice(0, columns).join('').padEnd(columns);
}

function byte(value: number, mode: number): number[] {
  return [...nibble((value & 0xf0) | mode), ...nibble(((value << 4) & 0xf0) | mode)];
}

/** Taken over by the display when E falls. */
function nibble(value: number): number[] {
  return [value | LIGHT | ENABLE, value | LIGHT];
}
