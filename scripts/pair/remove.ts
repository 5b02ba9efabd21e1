/** `pair remove client|box NAME`: takes a certificate back; the firmware sees it and cuts the connection. */
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { commandOf } from '../arguments.ts';
import { chooseDevice, defaultState, deviceOption, kindOf, PairFailure, stateOption } from './device-folder.ts';

export const remove = commandOf(
  {
    name: 'remove',
    summary: 'Takes the certificate of a client or a box back; the name is free again.',
    operands: ['client|box', 'NAME'],
    options: { state: stateOption, device: deviceOption },
  },
  ({ operands: [word, name = ''], options }) => {
    const kind = kindOf(word);
    const device = chooseDevice(options.state ?? defaultState, options.device);
    if (!new PairedNames(device.folder).remove(kind, name, Date.now()))
      throw new PairFailure(`device ${device.name} has no ${kind} named "${name}"; npm run pair -- list shows who is paired`);
    process.stdout.write(`The ${kind} ${name} is no longer paired with device ${device.name}; its files can be deleted.\n`);
    return Promise.resolve(0);
  },
);
