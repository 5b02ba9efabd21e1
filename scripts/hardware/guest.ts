/** One run of the guest: boots it, shows what its tests print, and takes their exit status from the file that it leaves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import process from 'node:process';
import { durationText } from '../terminal.ts';
import type { Stage } from './stage.ts';

/** A run takes 2 to 10 s. */
const guestMaxMs = 180_000;
const guestMemory = '768M';
/** nobody: with the rights of root the guest would write to this machine's files. */
const nobody = '65534';

export class GuestFailure extends Error {}

/** @returns the exit status of the tests @throws GuestFailure where the guest ended without one */
export async function runGuest(stage: Stage, say: (line: string) => void): Promise<number> {
  const statusFile = join(stage.output, 'status');
  await rm(statusFile, { force: true });
  const begun = performance.now();
  const words = [
    `mem=${guestMemory}`,
    'rootfstype=hostfs',
    'rw',
    `init=${stage.init}`,
    'con=null',
    'con0=fd:0,fd:1',
    'ssl=null',
    'quiet',
    `uml_dir=${stage.output}`,
  ];
  const isRoot = process.getuid?.() === 0;
  const [program, ...before] = isRoot
    ? (['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', stage.kernel] as const)
    : ([stage.kernel] as const);
  const guest = spawn(program, [...before, ...words], {
    cwd: stage.output,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', CAPSTAN_STAGE: stage.folder },
    detached: true,
  });
  const end = (): void => {
    if (guest.pid !== undefined) process.kill(-guest.pid, 'SIGKILL');
  };
  const timer = setTimeout(end, guestMaxMs);
  process.once('SIGINT', end);
  try {
    guest.stderr.resume();
    createInterface({ input: guest.stdout }).on('line', say);
    await once(guest, 'close');
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', end);
  }
  const status = await readFile(statusFile, 'utf8').catch(() => undefined);
  if (status === undefined)
    throw new GuestFailure(`the guest ended without a result after ${durationText(performance.now() - begun)}; its last lines stand above`);
  say(`hardware: the guest was up for ${durationText(performance.now() - begun)}`);
  return Number(status.trim());
}
