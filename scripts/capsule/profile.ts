/** The devices that this state folder is paired with: `<state>/clients/<device>/<client>/`, written by `npm run pair`. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { readPlain } from '#protocol/codec.ts';
import { Name } from '#protocol/topics.ts';
import { nearestAdvice } from '../arguments.ts';
import { GRID_CLIENT } from '../grid/layout.ts';
import { CommandFailure } from './failure.ts';

export interface Profile {
  readonly device: string;
  readonly client: string;
  readonly folder: string;
}

export interface ProfileChoice {
  readonly device?: string | undefined;
  readonly client?: string | undefined;
}

/** All, in the order of their names. @throws CommandFailure where there is none */
export async function readProfiles(state: string): Promise<Profile[]> {
  const root = join(state, 'clients');
  const devices = await namesIn(root);
  const profiles = await Promise.all(
    devices.map(async (device) =>
      (await namesIn(join(root, device))).map((client) => ({ device, client, folder: join(root, device, client) })),
    ),
  );
  if (profiles.flat().length > 0) return profiles.flat();
  throw new CommandFailure(
    1,
    `there is no client in ${root}: start a grid with \`npm start\`, or pair a client with \`npm run pair\`; --state names another state folder`,
  );
}

/** The one that is meant; the first device's where several fit. @throws CommandFailure */
export async function chooseProfile(state: string, choice: ProfileChoice): Promise<Profile> {
  const profiles = await readProfiles(state);
  const ofDevice = narrow(profiles, 'device', choice.device, '--device');
  const [first] = narrow(ofDevice, 'client', choice.client ?? startersClient(ofDevice), '--client');
  if (!first) throw new CommandFailure(2, 'no client fits');
  const rivals = first.client === GRID_CLIENT.name ? [] : ofDevice.filter((profile) => profile.device === first.device);
  if (choice.client === undefined && rivals.length > 1) {
    throw new CommandFailure(
      2,
      `device ${first.device} knows several clients from here: ${rivals.map(({ client }) => client).join(', ')}; choose one with --client`,
    );
  }
  return first;
}

/** The client that `npm start` makes is meant where others are there too. */
function startersClient(profiles: readonly Profile[]): string | undefined {
  return profiles.some(({ client }) => client === GRID_CLIENT.name) ? GRID_CLIENT.name : undefined;
}

function narrow(profiles: readonly Profile[], key: 'device' | 'client', wanted: string | undefined, option: string): Profile[] {
  if (wanted === undefined) return [...profiles];
  const fitting = profiles.filter((profile) => profile[key] === wanted);
  const known = [...new Set(profiles.map((profile) => profile[key]))];
  if (fitting.length === 0)
    throw new CommandFailure(2, `${option} ${wanted}: there is no such ${key} here; ${nearestAdvice(wanted, known)}`);
  return fitting;
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => readPlain(Name, name).status === 'decoded').sort();
}
