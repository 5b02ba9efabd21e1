/** `npm run board -- read BOARD [LINE]`: what the board senses. Outputs are not touched. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BoardDefinition } from '../../device/board/definition.ts';
import { UNIT_OF, type PowerState, type Reading } from '../../device/board/ports.ts';
import { sensorDefinitions } from '../../device/board/sensor-definitions.ts';
import { commandOf, nearestAdvice, UsageError } from '../arguments.ts';
import { openTerminal, table, type Terminal } from '../terminal.ts';
import { chosenBoard, withBoard, wiresOption } from './opened-board.ts';

/** A fan is counted over its period, and a blinking LED needs three blinks of a second. */
const fanRestMs = 1_100;

interface Sensed {
  readonly power: PowerState;
  readonly readings: readonly Reading[];
}

export const read = commandOf(
  {
    name: 'read',
    summary: 'Reads the lines and sensors of a board once.',
    operands: ['BOARD', '[LINE]'],
    options: { wires: wiresOption, json: { help: 'print JSON for programs' } },
    notes:
      'LINE is power, or the name of a sensor, as the list without it shows. Buttons and relays are not touched. Lines that a device holds are its own, and nobody else can read them: npm run box -- show BOX says what it senses by them; a sensor on a bus is read all the same when it is named.',
  },
  async ({ operands: [name = '', line], options }) => {
    const board = sensing(await chosenBoard(name));
    const names = [...(board.lines.powerLed ? ['power'] : []), ...sensorDefinitions(board).map((sensor) => sensor.name)];
    if (names.length === 0) throw new UsageError(`${name} senses nothing: it has neither sensors nor lines that are inputs`);
    if (line !== undefined && !names.includes(line))
      throw new UsageError(`${name} has no line or sensor "${line}"; ${nearestAdvice(line, names)}`);
    const terminal = openTerminal(process.stdout, process.env);
    const needed = line === undefined ? board : neededFor(board, line);
    return withBoard(needed, options.wires, async (box) => {
      await box.sample();
      if (needed.lines.fans?.length) await sleep(fanRestMs);
      const readings = (await box.sample()).filter(({ sensor }) => line === undefined || sensor === line);
      const sensed = { power: box.powerState(), readings };
      if (options.json) process.stdout.write(`${JSON.stringify({ board: name, source: box.source, ...sensed }, undefined, 2)}\n`);
      else
        print(terminal, sensed, {
          isSimulated: box.source === 'simulated',
          hasPower: names.includes('power') && (line ?? 'power') === 'power',
        });
      return readings.some(({ quality }) => quality === 'failed') ? 1 : 0;
    });
  },
);

/** The board without what it drives. */
function sensing(definition: BoardDefinition): BoardDefinition {
  const { powerLed, diskLed, intrusion, fans } = definition.lines;
  const lines = {
    ...(powerLed ? { powerLed } : {}),
    ...(diskLed ? { diskLed } : {}),
    ...(intrusion ? { intrusion } : {}),
    ...(fans ? { fans } : {}),
  };
  return { ...definition, lines, display: undefined };
}

/** Of lines one program has each, and a sensor on a bus can be read by several: for such a one no line is opened. */
function neededFor(board: BoardDefinition, sensor: string): BoardDefinition {
  const chips = board.sensors.filter((chip) =>
    sensorDefinitions({ ...board, lines: {}, sensors: [chip] }).some(({ name }) => name === sensor),
  );
  return chips.length > 0 ? { ...board, lines: {}, sensors: chips } : { ...board, sensors: [] };
}

function print(
  terminal: Terminal,
  { power, readings }: Sensed,
  shown: { readonly isSimulated: boolean; readonly hasPower: boolean },
): void {
  if (shown.isSimulated) terminal.line(terminal.paint('warning', 'simulated: a process plays this box; nothing of it is real'));
  const rows = readings.map(({ sensor, quantity, value, quality, detail }) => [
    sensor,
    quality === 'failed' ? terminal.paint('bad', 'failed') : `${value} ${UNIT_OF[quantity]}`.trim(),
    quality === 'good' ? '' : (detail ?? quality),
  ]);
  terminal.line(table([...(shown.hasPower ? [['power', power, '']] : []), ...rows]));
}
