/** `pair client NAME`: a client on the device's own machine, both steps of pairing in one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { HOLDER_FILES } from '../../hpc-agent/holder-files.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { chooseDevice, defaultState, deviceOption, outOption, PairFailure, requirePlace, stateOption } from './device-folder.ts';
import { pairHere } from './holder.ts';
import { interruptible } from './interruption.ts';
import { pasteLines, readConnectionFile } from './paste-lines.ts';

export const client = commandOf(
  {
    name: 'client',
    summary: 'Makes a client of a device on this machine: key, certificate, and lines to paste.',
    operands: ['NAME'],
    options: { state: stateOption, device: deviceOption, out: outOption },
  },
  async ({ operands: [name = ''], options }) => {
    const state = options.state ?? defaultState;
    const device = chooseDevice(state, options.device);
    const folder = options.out ?? join(state, 'clients', device.name, name);
    requirePlace(folder);
    const known = existsSync(join(folder, HOLDER_FILES.connection)) && new PairedNames(device.folder).find('client', name) !== undefined;
    if (!known) await interruptible((interrupted) => pairHere(device.folder, 'client', name, folder, interrupted));
    show(folder, device.name, name, known ? 'is paired already' : 'is paired now');
    return 0;
  },
);

function show(folder: string, device: string, name: string, how: string): void {
  const connection = readConnectionFile(folder);
  if (connection.client !== name || connection.device !== device) {
    throw new PairFailure(
      `${folder} holds the client "${connection.client}" of device ${connection.device}; name another folder with --out`,
    );
  }
  const terminal = openTerminal(process.stdout, process.env);
  terminal.line(`${terminal.paint('good', `Client ${name} ${how}`)} with device ${device}: ${folder}\n`);
  showPasteLines(terminal, folder);
}

/** @param folder of a paired client */
export function showPasteLines(terminal: Terminal, folder: string): void {
  const { watch, submit } = pasteLines(folder);
  terminal.line(`Watch what the device says to it:\n\n${watch}\n`);
  terminal.line(`Send a capsule, in another shell:\n\n${submit}`);
}
