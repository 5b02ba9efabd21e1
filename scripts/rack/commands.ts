/** `npm run rack`: what happens to the simulated boxes of a grid that runs. Specification §16.4. */
import { commandOf, nearestAdvice, UsageError, wholeNumber, type Command } from '../arguments.ts';
import { defaultState } from '../capsule/options.ts';
import { openTerminal } from '../terminal.ts';
import { findBox, findBoxes, tell } from './boxes.ts';
import { RACK_LIMITS } from './limits.ts';
import type { RackRequest } from './rack-messages.ts';
import { SENSOR_NAMES, type SensorName } from './sensors.ts';
import { statusText } from './status-text.ts';

const stateOption = { value: 'DIR', help: `state folder of the grid (default: ${defaultState})` } as const;
const sensorNotes = `BOX is a box or its device: alpha-box, alpha. SENSOR is one of\n${SENSOR_NAMES.join(', ')}.`;
const boxNotes = 'BOX is a box or its device: alpha-box, alpha.';
/** A short press and one that switches off. */
const PRESS_MS = { power: 500, reset: 500, long: 5_500 } as const;

type RequestOf = (box: string) => RackRequest;

const status = commandOf(
  {
    name: 'status',
    summary: 'Shows the boxes: power, load, watts, temperatures, fans, door, faults.',
    operands: ['[BOX]'],
    options: { state: stateOption, json: { help: 'as JSON: mW, m°C, revolutions a minute, µJ' } },
    notes: boxNotes,
  },
  async ({ operands: [name], options }) => {
    const state = options.state ?? defaultState;
    const boxes = name === undefined ? await findBoxes(state) : [await findBox(state, name)];
    const all = boxes.map((box) => box.status);
    const terminal = openTerminal(process.stdout, process.env);
    terminal.line(options.json ? JSON.stringify(all) : statusText(all, terminal));
    return 0;
  },
);

export const commands: readonly Command[] = [
  status,
  onBox('open-door', 'Opens the door of a box: its intrusion switch opens.', (box) => ({ do: 'door', box, isOpen: true })),
  onBox('close-door', 'Closes it.', (box) => ({ do: 'door', box, isOpen: false })),
  onBox('cut', 'Cuts the mains of a box: everything on it ends at once.', (box) => ({ do: 'mains', box, isThere: false })),
  onBox('restore', 'Gives them back: the box is in standby.', (box) => ({ do: 'mains', box, isThere: true })),
  onBox('sleep', 'Puts a box to sleep: its agent stands still, its power LED blinks.', (box) => ({ do: 'sleep', box })),
  press(),
  onSensor('fail', 'Makes a sensor fail: no acknowledge, no pulses, a dark LED.', 'failed'),
  onSensor('stick', 'Makes a sensor say for ever what it says now.', 'stuck'),
  drift(),
  onSensor('heal', 'Makes a sensor well.', 'none'),
];

function onBox(name: string, summary: string, request: RequestOf): Command {
  return commandOf(
    { name, summary, operands: ['BOX'], options: { state: stateOption }, notes: boxNotes },
    ({ operands: [box = ''], options }) => perform(options.state, box, request),
  );
}

function onSensor(name: string, summary: string, kind: 'failed' | 'stuck' | 'none'): Command {
  return commandOf(
    { name, summary, operands: ['BOX', 'SENSOR'], options: { state: stateOption }, notes: sensorNotes },
    async ({ operands: [box = '', word = ''], options }) => {
      const sensor = sensorOf(word);
      return perform(options.state, box, (named) => ({ do: 'fault', box: named, sensor, kind }));
    },
  );
}

function drift(): Command {
  return commandOf(
    {
      name: 'drift',
      summary: 'Makes a sensor say more and more, or less and less.',
      operands: ['BOX', 'SENSOR', 'PERMILLE'],
      options: { state: stateOption },
      notes: `${sensorNotes}\nPERMILLE of the true value, each minute: -10000 to 10000; a negative one comes after --.`,
    },
    async ({ operands: [box = '', word = '', permille = ''], options }) => {
      const [sensor, permillePerMinute] = [sensorOf(word), Number(permille)];
      if (!/^-?[0-9]{1,5}$/.test(permille) || Math.abs(permillePerMinute) > 10_000)
        throw new UsageError(`PERMILLE is "${permille}"; it must be a whole number from -10000 to 10000`);
      return perform(options.state, box, (named) => ({ do: 'fault', box: named, sensor, kind: 'drifting', permillePerMinute }));
    },
  );
}

function press(): Command {
  return commandOf(
    {
      name: 'press',
      summary: 'Presses a button of a box by hand, beside whatever its device does.',
      operands: ['BOX', 'power|reset'],
      options: {
        state: stateOption,
        long: { help: `for ${PRESS_MS.long} ms: the power button switches off after 4 s` },
        ms: { value: 'MS', help: `for so many milliseconds (default: ${PRESS_MS.power})` },
      },
      notes: boxNotes,
    },
    async ({ operands: [box = '', button = ''], options }) => {
      if (button !== 'power' && button !== 'reset') throw new UsageError(`there is no button "${button}"; there are power and reset`);
      const ms = options.ms === undefined ? (options.long ? PRESS_MS.long : PRESS_MS[button]) : wholeNumber('--ms', options.ms);
      if (ms > RACK_LIMITS.pressMaxMs) throw new UsageError(`--ms is ${ms}; it must be at most ${RACK_LIMITS.pressMaxMs}`);
      return perform(options.state, box, (named) => ({ do: 'press', box: named, button, ms }));
    },
  );
}

async function perform(state: string | undefined, name: string, request: RequestOf): Promise<number> {
  const { socket, status: found } = await findBox(state ?? defaultState, name);
  openTerminal(process.stdout, process.env).line(await tell(socket, request(found.box)));
  return 0;
}

function sensorOf(word: string): SensorName {
  const sensor = SENSOR_NAMES.find((name) => name === word);
  if (sensor) return sensor;
  throw new UsageError(`there is no sensor "${word}"; ${nearestAdvice(word, SENSOR_NAMES)}`);
}
