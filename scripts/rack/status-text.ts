/** Boxes of a rack in words. */
import { table, type Terminal } from '../terminal.ts';
import type { BoxStatus } from './rack-messages.ts';
import type { SensorName } from './sensors.ts';

const HEAD = ['box', 'power', 'agent', 'load', 'feed', 'processor', 'fan', 'door', 'from the mains', 'faults'];
const PHASE_WORDS: Readonly<Record<BoxStatus['phase'], string>> = {
  'no-mains': 'no mains',
  standby: 'off',
  booting: 'booting',
  running: 'on',
  stopping: 'stopping',
  sleeping: 'asleep',
};

/** What each sensor says, also where that is not the truth. */
export function statusText(boxes: readonly BoxStatus[], terminal: Pick<Terminal, 'paint'>): string {
  const rows = table([HEAD.map((word) => terminal.paint('quiet', word)), ...boxes.map((box) => rowOf(box, terminal))]);
  return [rows, ...boxes.flatMap((box) => displayText(box, terminal))].join('\n');
}

/** A display that shows nothing is left out. */
function displayText({ box, display }: BoxStatus, terminal: Pick<Terminal, 'paint'>): string[] {
  if (display.every((row) => row === '')) return [];
  return [`\n  ${terminal.paint('quiet', `display of the board that holds ${box}`)}`, ...display.map((row) => `  | ${row.padEnd(20)} |`)];
}

function rowOf(box: BoxStatus, terminal: Pick<Terminal, 'paint'>): string[] {
  const faults = box.readings.filter(({ fault }) => fault !== undefined).map(({ sensor, fault }) => `${sensor} ${fault ?? ''}`);
  return [
    box.box,
    PHASE_WORDS[box.phase],
    box.agent === undefined ? '-' : String(box.agent),
    `${(box.loadPermille / 10).toFixed(1)} %`,
    said(box, 'box-power', (milliwatts) => `${(milliwatts / 1_000).toFixed(1)} W`),
    said(box, 'processor-temperature', (milliC) => `${(milliC / 1_000).toFixed(1)} °C`),
    said(box, 'processor-fan', (rpm) => `${rpm} rpm`),
    box.isDoorOpen ? terminal.paint('warning', 'open') : 'closed',
    `${(box.mainsMw / 1_000).toFixed(1)} W, ${(box.fromMainsUj / 1_000_000).toFixed(0)} J so far`,
    faults.length === 0 ? '-' : terminal.paint('warning', faults.join(', ')),
  ];
}

function said({ readings }: BoxStatus, sensor: SensorName, text: (value: number) => string): string {
  const value = readings.find((reading) => reading.sensor === sensor)?.value;
  return value === undefined ? '?' : text(value);
}
