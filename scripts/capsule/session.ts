/** One command's conversation with a device: connected for as long as the command needs, closed whatever happens. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { LIMITS } from '#protocol/limits.ts';
import { decodeNetwork, type Network } from '#protocol/network.ts';
import type { Client } from '../client/client.ts';
import { openClient } from '../client/paired-client.ts';
import type { Profile } from './profile.ts';
import { withAdviceOnSilence } from './silent-device.ts';

export interface Session {
  readonly client: Client;
  readonly profile: Profile;
  /** From the state folder, else the one that pairing has brought, which the invitation vouches for. */
  readonly network: Network | undefined;
}

/** @param program stands before its warnings */
export async function withSession<T>(
  state: string,
  profile: Profile,
  use: (session: Session) => Promise<T>,
  program = 'capsule',
): Promise<T> {
  const network = (await networkIn(state)) ?? (await networkIn(profile.folder));
  const warn = (sentence: string): void => void process.stderr.write(`${program}: ${sentence}\n`);
  try {
    const client = await openClient(profile.folder, { warn, ...(network ? { network } : {}) });
    return await use({ client, profile, network }).finally(() => client.close());
  } catch (error) {
    throw await withAdviceOnSilence(error, state, profile);
  }
}

/** The network file of a folder; only a readable one counts, `verify` says what is wrong with another. */
async function networkIn(folder: string): Promise<Network | undefined> {
  const content = await readFile(networkFile(folder)).catch(() => undefined);
  if (!content || content.length > LIMITS.networkBytesMax) return undefined;
  const decoded = decodeNetwork(Uint8Array.from(content));
  return decoded.status === 'decoded' ? decoded.value : undefined;
}

export function networkFile(folder: string): string {
  return join(folder, 'network.cbor');
}
