/** `chain peers`: the members as the device sees them. */
import { ChainView } from '#protocol/chain/chain-view.ts';
import { encodeJson } from '#protocol/codec.ts';
import { commandOf } from '../arguments.ts';
import { gridLayout } from '../grid/layout.ts';
import { runningProcess } from '../grid/running-process.ts';
import { openTerminal } from '../terminal.ts';
import { peersText } from './peers-text.ts';
import { askDevice, chainOptions } from './session.ts';

export const peers = commandOf(
  {
    name: 'peers',
    summary: 'Shows the members: who votes, who leads, whose clock is odd, who is out of reach.',
    operands: [],
    options: chainOptions,
    notes:
      'last vote: when its vote last stood in a certificate. blocks: those it has led since the device was started, of those that its seat\nlets expect. luck: how much the blocks speak against honest draws; an honest member ever comes to 1,000 with probability 1/1,000.\nclock: how fast its TPM runs against the clock of the device that is asked; the specification of TPMs allows 15 %.',
  },
  ({ options }) =>
    askDevice(options, async ({ client, state }) => {
      const view = await client.chain({ show: 'peers' });
      const layout = gridLayout(state);
      const processOf = (name: string): number | undefined => runningProcess(layout.processId(name), layout.device(name));
      const terminal = openTerminal(process.stdout, process.env);
      if (options.json) process.stdout.write(`${encodeJson(ChainView, view)}\n`);
      else terminal.line(peersText(view, processOf, terminal));
      return 0;
    }),
);
