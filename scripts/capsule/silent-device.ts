/** Where to look when a device says nothing: its log, where it runs on this machine, and the others that can be asked. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { ClientFailure } from '../client/failure.ts';
import { gridLayout } from '../grid/layout.ts';
import { readProfiles, type Profile } from './profile.ts';

/** @returns the failure, with advice where it is one of silence */
export async function withAdviceOnSilence(failure: unknown, state: string, { device }: Profile): Promise<unknown> {
  if (!(failure instanceof ClientFailure) || (failure.code !== 'no-answer' && failure.code !== 'not-connected')) return failure;
  const others = (await readProfiles(state)).map((profile) => profile.device).filter((name) => name !== device);
  return new ClientFailure(failure.code, `${failure.message}\n${logAdvice(state, device)}\n${deviceAdvice([...new Set(others)])}`, {
    cause: failure,
  });
}

function logAdvice(state: string, device: string): string {
  const file = join(gridLayout(state).logs, `${device}.log`);
  return existsSync(file) ? `Its log: ${file}` : 'Its log is on the machine that it runs on.';
}

function deviceAdvice(others: readonly string[]): string {
  const how = 'Another device is asked with --device NAME';
  if (others.length > 0) return `${how}: ${others.join(', ')}. A capsule stays with the device that has accepted it.`;
  return `${how}, once this folder is paired with it: npm run pair -- client CLIENT --device NAME`;
}
