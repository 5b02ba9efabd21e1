/** `chain head`: where the chain stands. */
import { HeadView } from '#protocol/chain/chain-view.ts';
import { encodeJson } from '#protocol/codec.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal } from '../terminal.ts';
import { headText } from './head-text.ts';
import { askDevice, chainOptions } from './session.ts';

export const head = commandOf(
  {
    name: 'head',
    summary: 'Shows the latest block, the last checkpoint, and whether the network finalises.',
    operands: [],
    options: chainOptions,
    notes: 'Exit status: 0 when blocks become final, 3 when they do not, 1 when the device can not be asked, 2 for a wrong line.',
  },
  ({ options }) =>
    askDevice(options, async ({ client }) => {
      const { show: _, ...view } = await client.chain({ show: 'head' });
      if (options.json) process.stdout.write(`${encodeJson(HeadView, view)}\n`);
      else openTerminal(process.stdout, process.env).line(headText(view, openTerminal(process.stdout, process.env)));
      return view.condition === 'finalising' ? 0 : 3;
    }),
);
