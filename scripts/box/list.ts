/** `box list`: where every box stands. */
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { jsonOption } from '../capsule/options.ts';
import { devicesIn, stateOption, type DeviceHere } from './devices.ts';
import { talking, type Talk } from './talk.ts';
import { listText, type ListedBox } from './words.ts';

export const list = commandOf(
  {
    name: 'list',
    summary: 'Shows all boxes: state, since when, power, watts, and why.',
    operands: [],
    options: { state: stateOption, json: jsonOption },
    notes:
      'What was measured by nobody says "simulated". A box of a device that does not run is shown with "?".\nExit status: 0, 1 when no device runs, 2 for a wrong line, 130 after Ctrl-C.',
  },
  ({ options }) => {
    const devices = devicesIn(options.state);
    return talking(async (talk) => {
      const answers = await Promise.all(devices.map((device) => boxesOf(talk, device)));
      const boxes = answers.flatMap((answer) => answer.boxes);
      if (answers.every(({ runs }) => !runs))
        throw new CommandFailure(
          1,
          `no device runs: ${devices.map(({ name, folder }) => `${name} (${folder})`).join(', ')} ${devices.length === 1 ? 'does' : 'do'} not answer; npm start starts a grid`,
        );
      if (options.json)
        talk.terminal.line(
          JSON.stringify(
            boxes.map(({ device, box, shown }) => ({ device, box, runs: shown !== undefined, ...shown })),
            undefined,
            2,
          ),
        );
      else if (boxes.length === 0) talk.terminal.line('No box is paired yet: npm run pair -- open --box NAME');
      else talk.terminal.line(listText(boxes, Date.now(), talk.terminal));
      return 0;
    });
  },
);

/** Of a device that does not answer, those that are paired with it. */
async function boxesOf(talk: Talk, device: DeviceHere): Promise<{ readonly runs: boolean; readonly boxes: readonly ListedBox[] }> {
  const answer = await talk.ask(device, { ask: 'boxes' });
  if (!answer) return { runs: false, boxes: device.boxes.map((box) => ({ device: device.name, box, shown: undefined })) };
  return { runs: true, boxes: answer.boxes.map((shown) => ({ device: device.name, box: shown.box, shown })) };
}
