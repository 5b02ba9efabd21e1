/** `pair list`: who is paired with a device, and which invitations wait. */
import { Invitations } from '../../device/pairing/invitations.ts';
import { PairedNames, type PairedName } from '../../device/pairing/paired-names.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal, table, timeText } from '../terminal.ts';
import { chooseDevice, defaultState, deviceOption, stateOption } from './device-folder.ts';

export const list = commandOf(
  {
    name: 'list',
    summary: 'Lists the clients and boxes of a device, and invitations that wait.',
    operands: [],
    options: { state: stateOption, device: deviceOption },
  },
  ({ options }) => {
    const device = chooseDevice(options.state ?? defaultState, options.device);
    const names = new PairedNames(device.folder);
    const paired = [...names.paired('client'), ...names.paired('box')].map(pairedRow);
    const waiting = new Invitations(device.folder).list().filter(({ invitation }) => invitation.expiresAtMs > Date.now());
    const invited = waiting.map(({ invitation: { kind, name, expiresAtMs } }) => [kind, name, 'invited', `until ${timeText(expiresAtMs)}`]);
    const terminal = openTerminal(process.stdout, process.env);
    if (paired.length + invited.length === 0) terminal.line(`Nobody is paired with device ${device.name} yet: npm run pair -- client NAME`);
    else terminal.line(table([['kind', 'name', 'state', ''].map((word) => terminal.paint('quiet', word)), ...paired, ...invited]));
    return Promise.resolve(0);
  },
);

function pairedRow({ kind, name, pairedAtMs, expiresAtMs }: PairedName): string[] {
  return [kind, name, 'paired', `${timeText(pairedAtMs)}, certificate until ${timeText(expiresAtMs).slice(0, 10)}`];
}
