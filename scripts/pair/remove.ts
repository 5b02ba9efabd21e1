/** `pair remove NAME`: takes a certificate back; the firmware sees it and cuts the connection. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { HOLDER_KINDS, type HolderKind } from '#protocol/pairing-code.ts';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { WindowFolder } from '../../device/pairing/window-folder.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { chooseDevice, defaultState, deviceOption, PairFailure, stateOption, type DeviceFolder } from './device-folder.ts';

export const remove = commandOf(
  {
    name: 'remove',
    summary:
      'Takes the certificate of a box or a client back, and closes its window; the name is free again. A client of this state folder loses its files.',
    operands: ['NAME'],
    options: {
      box: { help: 'the box, where a client has the same name' },
      client: { help: 'the client, where a box has the same name' },
      state: stateOption,
      device: deviceOption,
    },
  },
  ({ operands: [name = ''], options }) => {
    const state = options.state ?? defaultState;
    const device = chooseDevice(state, options.device);
    const kind = kindOf(device, name, options);
    const folder = new WindowFolder(device.folder);
    const open = folder.windows().filter((window) => window.kind === kind && window.name === name);
    for (const { id } of open) folder.drop(id, 'window');
    const removed = new PairedNames(device.folder).remove(kind, name, Date.now());
    process.stdout.write(
      `${removed ? `The ${kind} ${name} is no longer paired with device ${device.name}: its certificate is refused from now on` : `The window of the ${kind} ${name} is closed`}.\n`,
    );
    if (kind === 'client') rmSync(join(state, 'clients', device.name, name), { recursive: true, force: true });
    return Promise.resolve(0);
  },
);

/** @throws PairFailure where nobody has this name, UsageError where two have */
function kindOf(device: DeviceFolder, name: string, options: { box: boolean; client: boolean }): HolderKind {
  const [names, windows] = [new PairedNames(device.folder), new WindowFolder(device.folder).windows()];
  const known = HOLDER_KINDS.filter(
    (kind) => names.find(kind, name) !== undefined || windows.some((window) => window.kind === kind && window.name === name),
  );
  const asked = HOLDER_KINDS.filter((kind) => options[kind]);
  const meant = asked.length === 0 ? known : known.filter((kind) => asked.includes(kind));
  const [kind, other] = meant;
  if (other) throw new UsageError(`a client and a box have the name "${name}"; say --client or --box`);
  if (!kind)
    throw new PairFailure(
      `device ${device.name} has no ${asked[0] ?? 'box or client'} named "${name}"; npm run pair -- list shows who is paired`,
    );
  return kind;
}
