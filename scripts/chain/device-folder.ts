/** Which device on this machine is meant: its own state folder, or one of a grid's. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nearestAdvice } from '../arguments.ts';
import { defaultState } from '../capsule/options.ts';
import { CommandFailure } from '../capsule/failure.ts';

export const folderOptions = {
  device: { value: 'NAME', help: 'which device of the grid' },
  state: { value: 'DIR', help: `state folder of the device, or of the grid (default: ${defaultState})` },
} as const;

/** @param needed a device must be named where there are several. @throws CommandFailure */
export function deviceFolder(given: { readonly state?: string | undefined; readonly device?: string | undefined }, needed = false): string {
  const state = given.state ?? defaultState;
  if (given.device === undefined && existsSync(join(state, 'configuration.json'))) return state;
  const root = join(state, 'devices');
  const names = existsSync(root) ? readdirSync(root).toSorted() : [];
  const [first] = names;
  if (first === undefined) throw new CommandFailure(2, `there is no device in ${state}; name its state folder with --state`);
  if (given.device === undefined && needed && names.length > 1)
    throw new CommandFailure(2, `there are ${names.length} devices in ${root}: say which one with --device (${names.join(', ')})`);
  const name = given.device ?? first;
  if (!names.includes(name)) throw new CommandFailure(2, `there is no device "${name}" in ${root}; ${nearestAdvice(name, names)}`);
  return join(root, name);
}
