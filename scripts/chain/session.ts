/** A command's conversation with the device whose word about the chain is asked, and the options by which it is chosen. */
import { chooseProfile, type ProfileChoice } from '../capsule/profile.ts';
import { defaultState } from '../capsule/options.ts';
import { withSession } from '../capsule/session.ts';
import type { Client } from '../client/client.ts';

export const chainOptions = {
  device: { value: 'NAME', help: 'device to ask (default: the first one that this folder is paired with)' },
  client: { value: 'NAME', help: 'client to ask as (default: the only one that the device knows from here)' },
  state: { value: 'DIR', help: `folder with the clients (default: ${defaultState})` },
  json: { help: 'print JSON for programs' },
} as const;

export interface ChainChoice extends ProfileChoice {
  readonly state?: string | undefined;
}

export interface Asked {
  readonly client: Client;
  /** State folder, and whether it is not the usual one. */
  readonly state: string;
}

/** @throws CommandFailure, ClientFailure when there is nobody to ask, or nobody answers */
export async function askDevice<T>(choice: ChainChoice, ask: (asked: Asked) => Promise<T>): Promise<T> {
  const state = choice.state ?? defaultState;
  return withSession(state, await chooseProfile(state, choice), ({ client }) => ask({ client, state }), 'chain');
}
