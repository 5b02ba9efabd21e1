/** `chain newcomer`: one more device on this machine for a grid that runs, to try how a device joins. Specification §11.5. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readPlain } from '#protocol/codec.ts';
import { Name } from '#protocol/topics.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { defaultState } from '../capsule/options.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { listenForInterrupts } from '../capsule/interrupt.ts';
import { cardOf, startDeviceProcess, startTpm } from '../grid/devices.ts';
import { ensurePaired } from '../grid/holders.ts';
import { boxOf, GRID_DEVICES, GRID_RACK, gridLayout, type GridLayout } from '../grid/layout.ts';
import { startGridRack } from '../grid/rack.ts';
import { readNetworkFile, writeNetworkFile } from '../grid/network.ts';
import { claimNewcomer, gridProcess, type StateClaim } from '../grid/state-claim.ts';
import { shellQuoted } from '../pair/paste-lines.ts';
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
    return run(layout, name);
  },
);

function requireFree(layout: GridLayout, name: string): void {
  if (readPlain(Name, name).status !== 'decoded')
    throw new UsageError(`"${name}" can't be the name of a device: lower-case letters, digits and -, 1 to 32`);
  if ([...GRID_DEVICES, GRID_RACK].includes(name)) throw new UsageError(`${name} is one of the grid's own devices; choose another name`);
  if (!existsSync(layout.networkFile)) throw new CommandFailure(1, `there is no grid in ${layout.root}; npm start makes one`);
}

/** Interrupted while it starts, it ends without waiting for what it has begun, which the kernel ends with it. */
async function run(layout: GridLayout, name: string): Promise<number> {
  const terminal = openTerminal(process.stdout, process.env);
  const claim = claimFor(layout, name);
  const started: { stop(): Promise<void> }[] = [];
  let isCutOff = false;
  const interrupts = listenForInterrupts(['SIGINT', 'SIGTERM', 'SIGHUP']);
  try {
    const starting = start(layout, name, started, (line) => terminal.line(line));
    const begun = await Promise.race([starting, interrupts.next()]);
    isCutOff = begun === 'interrupted';
    if (!isCutOff) await interrupts.next();
    terminal.line(`Stopping ${name} and its box…`);
    return 0;
  } finally {
    for (let part = started.pop(); part; part = started.pop()) await part.stop();
    interrupts.stop();
    claim.release();
    if (isCutOff) process.exit(interruptedStatus);
  }
}

function claimFor(layout: GridLayout, name: string): StateClaim {
  try {
    return claimNewcomer(layout.device(name), name);
  } catch (error) {
    throw new CommandFailure(1, error instanceof Error ? error.message : String(error));
  }
}

async function start(
  layout: GridLayout,
  name: string,
  started: { stop(): Promise<void> }[],
  say: (line: string) => void,
): Promise<'started'> {
  const folder = layout.device(name);
  mkdirSync(layout.logs, { recursive: true, mode: 0o700 });
  const network = readNetworkFile(layout.networkFile);
  if (!network) throw new CommandFailure(1, `there is no grid in ${layout.root}; npm start makes one`);
  if (gridProcess(layout.root) === undefined)
    say(`warning     no grid runs on ${layout.root}: ${name} is alone until \`npm start\` runs in another terminal`);
  const tpm = await startTpm(layout, name);
  started.push(tpm);
  writeNetworkFile(join(folder, 'network.cbor'), network);
  const card = join(folder, 'card.cbor');
  if (!existsSync(card)) await cardOf(layout, name, network.genesis.salt, tpm.caCertificates);
  say(`card        ${card} (${readFileSync(card).length} bytes)`);
  const box = boxOf(name);
  const onEnd = (who: string, how: string): void => say(`${who} ended (${how}); it is started again`);
  started.push(await startGridRack(layout, { name, boxes: [box], onEnd }));
  const device = startDeviceProcess(layout, name, tpm, onEnd);
  started.push(device);
  await device.supervisor.waitForLine('deviceStarted', START_MS);
  await ensurePaired(layout, name, 'box', box, layout.box(box));
  say(`device      ${name} runs, with its box ${box}; log in ${join(layout.logs, `${name}.log`)}`);
  const elsewhere = layout.root === resolve(defaultState) ? '' : ` --state ${shellQuoted(layout.root)}`;
  say(`to admit it npm run chain -- admit ${shellQuoted(folder)} --seated${elsewhere}   (in another terminal)`);
  say('It stays up until Ctrl-C.');
  return 'started';
}

const interruptedStatus = 130; // as shells have it: 128 + SIGINT
const START_MS = 60_000;
