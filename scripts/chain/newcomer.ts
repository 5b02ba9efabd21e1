/** `chain newcomer`: one more device on this machine for a grid that runs, to try how a device joins. Specification §11.5. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPlain } from '#protocol/codec.ts';
import { Name } from '#protocol/topics.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { defaultState } from '../capsule/options.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { cardOf, startDeviceProcess, startTpm } from '../grid/devices.ts';
import { boxOf } from '../grid/grid.ts';
import { ensurePaired, startAgentProcess } from '../grid/holders.ts';
import { GRID_DEVICES, gridLayout, type GridLayout } from '../grid/layout.ts';
import { readNetworkFile, writeNetworkFile } from '../grid/network.ts';
import { openTerminal } from '../terminal.ts';

export const newcomer = commandOf(
  {
    name: 'newcomer',
    summary: 'Starts one more device (software TPM, box) beside a grid on this machine, and keeps it running. It has to be admitted.',
    operands: ['NAME'],
    options: { state: { value: 'DIR', help: `state folder of the grid (default: ${defaultState})` } },
    notes: 'It stays up until Ctrl-C. The same command starts it again.',
  },
  async ({ operands: [name = ''], options }) => {
    const layout = gridLayout(options.state ?? defaultState);
    requireFree(layout, name);
    await run(layout, name);
    return 0;
  },
);

function requireFree(layout: GridLayout, name: string): void {
  if (readPlain(Name, name).status !== 'decoded')
    throw new UsageError(`"${name}" can't be the name of a device: lower-case letters, digits and -, 1 to 32`);
  if ((GRID_DEVICES as readonly string[]).includes(name))
    throw new UsageError(`${name} is one of the grid's own devices; choose another name`);
  if (!existsSync(layout.networkFile)) throw new CommandFailure(1, `there is no grid in ${layout.root}; npm start makes one`);
}

async function run(layout: GridLayout, name: string): Promise<void> {
  const terminal = openTerminal(process.stdout, process.env);
  const started: { stop(): Promise<void> }[] = [];
  const stopAsked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  try {
    await start(layout, name, started, (line) => terminal.line(line));
    await stopAsked;
  } finally {
    for (const part of started.reverse()) await part.stop();
  }
}

async function start(layout: GridLayout, name: string, started: { stop(): Promise<void> }[], say: (line: string) => void): Promise<void> {
  const folder = layout.device(name);
  mkdirSync(layout.logs, { recursive: true, mode: 0o700 });
  const network = readNetworkFile(layout.networkFile);
  if (!network) throw new CommandFailure(1, `there is no grid in ${layout.root}; npm start makes one`);
  const tpm = await startTpm(layout, name);
  started.push(tpm);
  writeNetworkFile(join(folder, 'network.cbor'), network);
  const card = join(folder, 'card.cbor');
  if (!existsSync(card)) await cardOf(layout, name, network.genesis.salt, tpm.caCertificates);
  say(`card        ${card} (${readFileSync(card).length} bytes)`);
  const device = startDeviceProcess(layout, name, tpm, (who, how) => say(`${who} ended (${how}); it is started again`));
  started.push(device);
  await device.supervisor.waitForLine('deviceStarted', START_MS);
  const box = boxOf(name);
  await ensurePaired(layout, name, 'box', box, layout.box(box));
  started.push(startAgentProcess(layout, box, (who, how) => say(`${who} ended (${how}); it is started again`)));
  say(`device      ${name} runs, with its box ${box}; log in ${join(layout.logs, `${name}.log`)}`);
  say(`to admit it npm run chain -- admit ${folder}${layout.root.endsWith(defaultState) ? '' : ` --state ${layout.root}`}`);
  say('It stays up until Ctrl-C.');
}

const START_MS = 60_000;
