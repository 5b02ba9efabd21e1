/** `pair remove client|box NAME`: takes a certificate back; the firmware sees it and cuts the connection. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Invitations } from '../../device/pairing/invitations.ts';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { commandOf } from '../arguments.ts';
import { chooseDevice, defaultState, deviceOption, kindOf, PairFailure, stateOption } from './device-folder.ts';

export const remove = commandOf(
  {
    name: 'remove',
    summary:
      'Takes the certificate of a client or a box back, or a waiting invitation; the name is free again. A client of this state folder loses its files.',
    operands: ['client|box', 'NAME'],
    options: { state: stateOption, device: deviceOption },
  },
  ({ operands: [word, name = ''], options }) => {
    const kind = kindOf(word);
    const state = options.state ?? defaultState;
    const device = chooseDevice(state, options.device);
    const withdrawn = new Invitations(device.folder).withdrawFor(kind, name);
    const removed = new PairedNames(device.folder).remove(kind, name, Date.now());
    if (!removed && !withdrawn)
      throw new PairFailure(`device ${device.name} has no ${kind} named "${name}"; npm run pair -- list shows who is paired`);
    process.stdout.write(
      `${removed ? `The ${kind} ${name} is no longer paired with device ${device.name}` : `The invitation of ${kind} ${name} is withdrawn`}.\n`,
    );
    if (kind === 'client') rmSync(join(state, 'clients', device.name, name), { recursive: true, force: true });
    return Promise.resolve(0);
  },
);
