/** The devices of a state folder, which may be a single device's or a grid's, and the boxes that are paired with each. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readPlain } from '#protocol/codec.ts';
import { Name } from '#protocol/topics.ts';
import { readConfiguration } from '../../device/configuration.ts';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { nearest, UsageError } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { defaultState } from '../capsule/options.ts';
import { boxOf } from '../grid/layout.ts';

export const stateOption = { value: 'DIR', help: `state folder of a device, or of a grid (default: ${defaultState})` } as const;
export const boxNotes =
  'BOX is the name of a box, or of its device: alpha-box, alpha. Of a device with several boxes, its name means its own: alpha-box.\nExit status: 0, 1 when it is refused, fails, or no device runs, 2 for a wrong line, 130 after Ctrl-C.';

export interface DeviceHere {
  readonly name: string;
  /** Its own state folder. */
  readonly folder: string;
  /** Names of the boxes that are paired with it. */
  readonly boxes: readonly string[];
}

export interface BoxHere {
  readonly device: DeviceHere;
  readonly box: string;
}

/** In the order of their names. @throws CommandFailure where there is none, or one can't be read */
export function devicesIn(state: string = defaultState): DeviceHere[] {
  if (isDevice(state)) return [deviceAt(state)];
  const root = join(state, 'devices');
  const names = existsSync(root) ? readdirSync(root).filter((name) => readPlain(Name, name).status === 'decoded') : [];
  const folders = names.map((name) => join(root, name)).filter(isDevice);
  if (folders.length === 0)
    throw new CommandFailure(2, `there is no device in ${state}: npm start makes a grid of them; --state names another folder`);
  return folders.sort().map(deviceAt);
}

/** By its name, or that of its device: the only box of that, or the one that is called after it. @throws UsageError that names the boxes that there are */
export function findBox(devices: readonly DeviceHere[], word: string): BoxHere {
  const all = devices.flatMap((device) => device.boxes.map((box) => ({ device, box })));
  const named = all.filter(({ box }) => box === word);
  const found = named.length > 0 ? named : all.filter(({ device }) => device.name === word);
  const [one, another] = found;
  if (one && !another) return one;
  const own = named.length === 0 && found.find(({ box }) => box === boxOf(word));
  if (own) return own;
  if (named.length > 1)
    throw new UsageError(
      `several devices have a box "${word}"; name the state folder of one of them with --state: ${named.map(({ device }) => device.folder).join(', ')}`,
    );
  const names = all.map(({ box }) => box);
  if (one) throw new UsageError(`device ${word} has several boxes; name one: ${found.map(({ box }) => box).join(', ')}`);
  if (names.length === 0)
    throw new CommandFailure(2, `no box is paired with ${devices.map(({ name }) => name).join(', ')}: npm run pair -- open --box NAME`);
  const meant = nearest(word, names);
  throw new UsageError(
    `there is no box "${word}"; ${meant === undefined ? 'there' : `did you mean "${meant}"? There`} are ${names.join(', ')}`,
  );
}

function isDevice(folder: string): boolean {
  return existsSync(join(folder, 'configuration.json'));
}

function deviceAt(folder: string): DeviceHere {
  try {
    const boxes = new PairedNames(folder).paired('box').map(({ name }) => name);
    return { name: readConfiguration(folder).name, folder, boxes };
  } catch (error) {
    throw new CommandFailure(1, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
