/** `chain block`: one block, its certificates and its transactions. */
import { BlockView } from '#protocol/chain/chain-view.ts';
import { encodeJson } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import type { Client } from '../client/client.ts';
import { openTerminal } from '../terminal.ts';
import { readBlockName, type NamedBlock } from './block-choice.ts';
import { blockText } from './block-text.ts';
import { askDevice, chainOptions } from './session.ts';

export const block = commandOf(
  {
    name: 'block',
    summary: 'Shows a block: who led it and how long it waited, what is in it, and whether it is final and by whose votes.',
    operands: ['[HEIGHT|ID|latest|final]'],
    options: chainOptions,
    notes:
      'ID may be the first 4 or more digits of an id; 0x before it says that digits alone are meant as one. final is the last checkpoint.\nExit status: 0, 1 when there is no such block, 2 for a wrong line.',
  },
  async ({ operands: [word = 'latest'], options }) => {
    const named = readBlockName(word);
    return askDevice(options, async ({ client }) => {
      const view = await fetchBlock(client, named);
      if (options.json) process.stdout.write(`${encodeJson(BlockView, view)}\n`);
      else openTerminal(process.stdout, process.env).line(blockText(view, openTerminal(process.stdout, process.env)));
      return 0;
    });
  },
);

async function fetchBlock(client: Client, named: NamedBlock): Promise<BlockView> {
  const choice = typeof named === 'string' ? await fetchChoice(client, named) : named;
  const { show: _, ...view } = await client.chain({ show: 'block', block: choice });
  return view;
}

async function fetchChoice(client: Client, named: 'latest' | 'final'): Promise<Exclude<NamedBlock, string>> {
  const { head, checkpoint } = await client.chain({ show: 'head' });
  const { id, height } = named === 'latest' ? head : { id: checkpoint.block, height: checkpoint.height };
  if (height === 0) throw new CommandFailure(1, 'there is no block yet above the genesis; see `npm run chain -- head`');
  return { by: 'id', prefix: hex(id) };
}
