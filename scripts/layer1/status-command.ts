/** `layer1 status`: how far the anchors are on each chain of a network, and what devices on this machine have to pay with. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Layer1Chain } from '#protocol/network.ts';
import { readConfiguration } from '../../device/configuration.ts';
import type { Standing } from '../../device/layer1/intention.ts';
import { senderTerms } from '../../device/layer1/spending.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { defaultState, stateOption } from '../capsule/options.ts';
import { gridLayout } from '../grid/layout.ts';
import { readNetworkFile } from '../grid/network.ts';
import { harmless, table } from '../terminal.ts';
import { coinText } from './amounts.ts';
import { anchorsStatus, payersOn, type AnchorsStatus, type Payer } from './chain-status.ts';

export const status = commandOf(
  {
    name: 'status',
    summary: 'Says how far the anchors are on each chain, and what the devices here have to pay with.',
    operands: [],
    options: {
      state: { ...stateOption, help: `folder with network file and devices (default: ${defaultState})` },
      network: { value: 'FILE', help: 'another network file than the one in that folder' },
    },
    notes: 'It asks the endpoints of the network file, and nothing of the devices. Exit status 1 where a chain can’t be read.',
  },
  async ({ options }) => {
    const state = options.state ?? defaultState;
    const layout = gridLayout(state);
    const file = options.network ?? layout.networkFile;
    const network = readNetworkFile(file);
    if (!network) throw new UsageError(`there is no network file ${file}; npm start makes one, or give --network FILE`);
    const chains = network.layer1 ?? [];
    if (chains.length === 0) process.stdout.write(`${network.genesis.name} is on no chain of layer 1: ${file} names none\n`);
    const devices = join(layout.root, 'devices');
    const shown = await Promise.all(chains.map((chain) => show(chain, devices)));
    for (const { text } of shown) process.stdout.write(`${text}\n`);
    return shown.every(({ isRead }) => isRead) ? 0 : 1;
  },
);

async function show(chain: Layer1Chain, devices: string): Promise<{ readonly text: string; readonly isRead: boolean }> {
  const anchors = await anchorsStatus(chain);
  const payers = await payersOn(chain, devices, Date.now());
  const rows = [
    [`chain ${chain.chainId}`, chain.endpoints.map((url) => new URL(url).host).join(', ')],
    ['contract', `0x${chain.anchors.toHex()}`],
    ...anchorRows(anchors),
  ];
  const means = payers.map((payer) => payerRow(payer, devices));
  return { text: [table(rows), ...(means.length > 0 ? [table(means, '    ')] : [])].join('\n'), isRead: anchors.status === 'read' };
}

function anchorRows(status: AnchorsStatus): string[][] {
  if (status.status === 'unread') return [['anchors', `can't be read: ${harmless(status.why)}`]];
  const { block, posted, final, bond } = status;
  const open = posted - final;
  return [
    ['posted', `epoch ${posted}`, `at block ${block}`],
    ['final', `epoch ${final}`, open === 0 ? 'nothing is open' : `${open} open, each behind a bond of ${coinText(bond)}`],
  ];
}

function payerRow({ device, address, balance, spent, open }: Payer, devices: string): string[] {
  const [oldest] = open;
  return [
    device,
    `0x${address.toHex()}`,
    balance === undefined ? 'balance unknown' : coinText(balance),
    budgetWords(join(devices, device), spent),
    oldest ? `${open.length} to do, ${oldest.intention.name} ${standingWords(oldest.standing)}` : 'nothing to do',
  ];
}

function budgetWords(folder: string, spent: bigint): string {
  const spending = existsSync(join(folder, 'configuration.json')) ? readConfiguration(folder).spending : undefined;
  if (!spending) return 'may pay nothing';
  const { dayBudget } = senderTerms(spending);
  return `${coinText(dayBudget > spent ? dayBudget - spent : 0n)} left today`;
}

function standingWords(standing: Standing): string {
  const why = 'why' in standing ? standing.why : 'held' in standing ? standing.held : undefined;
  return why === undefined ? standing.state : `${standing.state} (${why})`;
}
