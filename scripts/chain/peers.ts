/** `chain peers`: the members as the device sees them. */
import { ChainView } from '#protocol/chain/chain-view.ts';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
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
    summary: 'Shows the members: who votes and who is silent, who leads, whose clock is odd.',
    operands: [],
    options: chainOptions,
    notes:
      'votes: when its vote last stood in a certificate; SILENT when it does not say a head that came, and for how long;\nNO BALLOT when it casts none while nothing becomes final.\nheard: when it last said where it stands; head: the height that it said. Its broker may live on when the device itself does not.\nblocks led: of those that its seat lets expect, since the device was started. luck: how much the blocks speak against honest draws;\nan honest member ever comes to 1,000 with probability 1/1,000. clock: how fast its TPM runs against the clock of the device that is\nasked; the specification of TPMs allows 15 %.\nExit status: 0 when enough seats vote, 3 when they do not, 1 when the device can not be asked, 2 for a wrong line.',
  },
  ({ options }) =>
    askDevice(options, async ({ client, state }) => {
      const view = await client.chain({ show: 'peers' });
      const layout = gridLayout(state);
      const processOf = (name: string): number | undefined => runningProcess(layout.processId(name), layout.device(name));
      const terminal = openTerminal(process.stdout, process.env);
      if (options.json) process.stdout.write(`${encodeJson(ChainView, view)}\n`);
      else terminal.line(peersText(view, processOf, terminal));
      return view.voting < quorumOf(view.seats) ? notEnoughVote : 0;
    }),
);

const notEnoughVote = 3; // as of `head` where nothing becomes final
