/** `npm run board -- check BOARD`: the definition, and whether this machine is that board. Nothing is switched and no line is taken. */
import { existsSync } from 'node:fs';
import type { BoardDefinition } from '../../device/board/definition.ts';
import { usedLines } from '../../device/board/definition-checks.ts';
import { openChip } from '../../device/board/gpio.ts';
import { I2cBus } from '../../device/board/i2c.ts';
import { linuxDevices } from '../../device/board/linux-devices.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal, table } from '../terminal.ts';
import { chosenBoard } from './opened-board.ts';

interface Finding {
  readonly part: string;
  readonly isThere: boolean;
  readonly detail: string;
}

export const check = commandOf(
  {
    name: 'check',
    summary: 'Checks the definition of a board, and whether this machine is that board.',
    operands: ['BOARD'],
    options: { definition: { help: 'check the definition only' } },
    notes: 'Status 1 where the definition is wrong or something of it is missing here. Lines stay as they are; sensors are read once.',
  },
  async ({ operands: [name = ''], options }) => {
    const definition = await chosenBoard(name);
    const terminal = openTerminal(process.stdout, process.env);
    const { sensors, lines, wiring } = definition;
    const count = usedLines(definition).length;
    terminal.line(
      `${terminal.paint('good', 'right')}  ${definition.title}: ${count} lines, ${sensors.length} sensor chips, ${lines.fans?.length ?? 0} fans` +
        (wiring === undefined ? '' : `; wiring ${wiring}`),
    );
    if (options.definition) return 0;
    if (definition.io === 'simulated') {
      terminal.line('its wires are simulated: any machine will do; npm run board -- read simulated');
      return 0;
    }
    const findings = await findingsOn(definition);
    terminal.line(
      table(
        findings.map(({ part, isThere, detail }) => [
          terminal.paint(isThere ? 'good' : 'bad', isThere ? 'there' : 'missing'),
          part,
          detail,
        ]),
      ),
    );
    return findings.every(({ isThere }) => isThere) ? 0 : 1;
  },
);

async function findingsOn(definition: BoardDefinition): Promise<Finding[]> {
  const chips = new Set(usedLines(definition).map(({ chip }) => chip));
  return [
    ...(definition.tpm ? [tpmHere(definition.tpm)] : []),
    ...[...chips].map((label) => chipHere(label, Math.max(...linesOn(definition, label)))),
    ...(await busHere(definition)),
    ...(await hwmonHere(definition)),
  ];
}

function linesOn(definition: BoardDefinition, label: string): number[] {
  return usedLines(definition)
    .filter(({ chip }) => chip === label)
    .map(({ line }) => line);
}

function tpmHere({ chip, path, overlay }: NonNullable<BoardDefinition['tpm']>): Finding {
  const isThere = existsSync(path);
  const advice = overlay === undefined ? '' : `; dtoverlay=${overlay} in config.txt makes it`;
  return { part: `TPM ${chip}`, isThere, detail: isThere ? path : `there is no ${path}${advice}` };
}

function chipHere(label: string, highest: number): Finding {
  const part = `GPIO chip ${label}`;
  try {
    const chip = openChip(label);
    chip.close();
    if (chip.lines > highest) return { part, isThere: true, detail: `${chip.lines} lines` };
    return { part, isThere: false, detail: `it has lines 0 to ${chip.lines - 1}; the board wants line ${highest}` };
  } catch (error) {
    return { part, isThere: false, detail: wordsOf(error) };
  }
}

async function busHere({ i2c, sensors, display }: BoardDefinition): Promise<Finding[]> {
  if (!i2c) return [];
  const part = `I2C bus ${i2c.bus}`;
  try {
    const bus = I2cBus.open(i2c.bus);
    const chips = [
      ...sensors.flatMap((sensor) =>
        'address' in sensor ? [{ part: `${sensor.chip} ${sensor.name}`, address: sensor.address, register: 0, bytes: 2 }] : [],
      ),
      ...(display ? [{ part: `display ${display.chip}`, address: display.address, register: -1, bytes: 1 }] : []),
    ];
    const found: Finding[] = [{ part, isThere: true, detail: `/dev/i2c-${i2c.bus}` }];
    for (const { part: name, address, register, bytes } of chips) {
      const at = `0x${address.toString(16)}`;
      const answer = await bus.read(address, register, bytes).then(
        () => ({ isThere: true, detail: `answers at ${at}` }),
        (error: unknown) => ({ isThere: false, detail: `at ${at}: ${wordsOf(error)}` }),
      );
      found.push({ part: name, ...answer });
    }
    bus.close();
    return found;
  } catch (error) {
    return [{ part, isThere: false, detail: wordsOf(error) }];
  }
}

async function hwmonHere({ sensors }: BoardDefinition): Promise<Finding[]> {
  return Promise.all(
    sensors
      .filter((sensor) => sensor.chip === 'hwmon')
      .map(async ({ name, driver, device, input }) => {
        const part = `${driver} ${name}`;
        return linuxDevices.readHwmon({ driver, input, ...(device === undefined ? {} : { device }) }).then(
          () => ({ part, isThere: true, detail: input }),
          (error: unknown) => ({ part, isThere: false, detail: wordsOf(error) }),
        );
      }),
  );
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
