/** Which device is meant: a folder of `<state>/devices/`, the first by name where none is named. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readPlain } from '#protocol/codec.ts';
import { Name } from '#protocol/topics.ts';
import { readConfiguration } from '../../device/configuration.ts';
import { nearestAdvice } from '../arguments.ts';

/** Why a command ends without success, in a sentence. */
export class PairFailure extends Error {
  readonly code = 'pair-failed';
}

export const stateOption = { value: 'DIR', help: 'state folder (default: .capstan)' } as const;
export const deviceOption = {
  value: 'NAME|DIR',
  help: 'device to pair with, by name or by its own state folder (default: the first in the state folder)',
} as const;
export const outOption = { value: 'DIR', help: 'where keys and certificate go (default: inside the state folder)' } as const;
export const defaultState = '.capstan';

export interface DeviceFolder {
  readonly name: string;
  readonly folder: string;
}

/** @throws PairFailure */
export function chooseDevice(state: string, wanted: string | undefined): DeviceFolder {
  if (wanted !== undefined && existsSync(join(wanted, 'configuration.json')))
    return { name: readConfiguration(wanted).name, folder: wanted };
  const root = join(state, 'devices');
  const names = existsSync(root)
    ? readdirSync(root)
        .filter((name) => readPlain(Name, name).status === 'decoded')
        .sort()
    : [];
  const [first] = names;
  if (first === undefined)
    throw new PairFailure(`there is no device in ${root}; start one with npm start, or name its state folder with --state`);
  const name = wanted ?? first;
  if (!names.includes(name)) throw new PairFailure(`there is no device "${name}" in ${root}; ${nearestAdvice(name, names)}`);
  return { name, folder: join(root, name) };
}

/** Keys and certificate can go there: it is a folder, or one can be made. @throws PairFailure that names what stands in the way */
export function requirePlace(folder: string): void {
  const path = resolve(folder);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === false)
    throw new PairFailure(`${path} is a file: keys and certificate go into a folder; name another one, or one that is not there yet`);
  if (!found && dirname(path) !== path) requirePlace(dirname(path));
}
