/** `box show BOX`: one box, what stands against it, and all that is sensed of it. */
import type { DeskBox } from '../../device/control/desk-files.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { jsonOption } from '../capsule/options.ts';
import { boxNotes, devicesIn, findBox, stateOption, type BoxHere } from './devices.ts';
import { noDevice, talking, type Talk } from './talk.ts';
import { boxText } from './words.ts';

export const show = commandOf(
  {
    name: 'show',
    summary: 'Shows one box: what led to its state, what stands against it, all its sensors.',
    operands: ['BOX'],
    options: { state: stateOption, json: jsonOption },
    notes: boxNotes,
  },
  ({ operands: [word = ''], options }) => {
    const here = findBox(devicesIn(options.state), word);
    return talking(async (talk) => {
      const box = await askBox(talk, here);
      if (options.json) talk.terminal.line(JSON.stringify({ device: here.device.name, ...box }, undefined, 2));
      else talk.terminal.line(boxText(here.device.name, box, Date.now(), talk.terminal));
      return 0;
    });
  },
);

/** @throws CommandFailure where no device runs, or it does not hold the box */
export async function askBox(talk: Talk, { device, box }: BoxHere): Promise<DeskBox> {
  const answer = (await talk.ask(device, { ask: 'box', box })) ?? noDevice(device);
  const [shown] = answer.boxes;
  if (shown) return shown;
  throw new CommandFailure(
    1,
    `device ${device.name} does not hold box ${box} yet: it was paired a moment ago, or its file is damaged; try again`,
  );
}
