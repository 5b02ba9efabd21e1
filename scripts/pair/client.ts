/** `pair client NAME`: a client on the device's own machine, invited and paired in one step. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJson } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { struct, text } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { inviteHolder } from '../../device/pairing/invite.ts';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { HOLDER_FILES } from '../../hpc-agent/pairing.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal } from '../terminal.ts';
import { chooseDevice, defaultState, deviceOption, outOption, PairFailure, stateOption } from './device-folder.ts';
import { pairInto } from './holder.ts';
import { pasteLines } from './paste-lines.ts';

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
    const known = existsSync(join(folder, HOLDER_FILES.connection)) && new PairedNames(device.folder).find('client', name) !== undefined;
    if (!known) await pairInto(folder, await inviteHolder(device.folder, 'client', name));
    show(folder, device.name, name, known ? 'is paired already' : 'is paired now');
    return 0;
  },
);

const ConnectionFile = struct({ url: text({ max: 255 }), device: Name, network: Digest, client: Name });

function show(folder: string, device: string, name: string, how: string): void {
  const file = join(folder, HOLDER_FILES.connection);
  const decoded = decodeJson(ConnectionFile, readFileSync(file), 4_096);
  if (decoded.status === 'malformed') throw new PairFailure(`${file} is damaged: ${decoded.detail}; remove the folder and the client, then pair again`);
  const { value } = decoded;
  if (value.client !== name || value.device !== device) throw new PairFailure(`${folder} holds the client "${value.client}" of device ${value.device}; name another folder with --out`);
  const { watch, ask } = pasteLines({ ...value, folder, network: value.network.subarray(0, 8).toHex() });
  const terminal = openTerminal(process.stdout, process.env);
  terminal.line(`${terminal.paint('good', `Client ${name} ${how}`)} with device ${device}: ${folder}\n`);
  terminal.line(`Watch everything that the device says to it:\n\n${watch}\n`);
  terminal.line(`Ask for its capsules, in another shell:\n\n${ask}`);
}
