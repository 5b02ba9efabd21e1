/** One run of the guest: boots it, shows what its tests print, and takes their exit status from the file that it leaves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import process from 'node:process';
import { durationText } from '../terminal.ts';
import { NotPossible } from './not-possible.ts';
import type { Stage } from './stage.ts';

/** A run takes 2 to 20 s. */
const guestMaxMs = 180_000;
const guestMemoryBytes = 768 * 1024 * 1024;
/** nobody: with the rights of root the guest would write to this machine's files. */
const nobody = '65534';
/** What the guest's kernel says of itself before it starts, and at its end. */
const lastWordsMax = 5;

export class GuestFailure extends Error {}

export interface GuestRun {
  /** Of the program that ran the tests. */
  readonly status: number;
  /** As it counted them. */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly durationMs: number;
}

/** @throws NotPossible where programs can't be traced @throws GuestFailure where the guest ended without a result */
export async function runGuest(stage: Stage, say: (line: string) => void): Promise<GuestRun> {
  const statusFile = join(stage.output, 'status');
  await rm(statusFile, { force: true });
  const begun = performance.now();
  const words = [
    `mem=${guestMemoryBytes}`,
    'rootfstype=hostfs',
    'rw',
    `init=${stage.init}`,
    'con=null',
    'con0=fd:0,fd:1',
    'ssl=null',
    'quiet',
    `uml_dir=${stage.output}`,
    ...(process.stdout.isTTY ? [] : ['NO_COLOR=1']), // a word that the kernel does not know is in the environment of its first program
  ];
  const isRoot = process.getuid?.() === 0;
  const [program, ...before] = isRoot
    ? (['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', stage.kernel] as const)
    : ([stage.kernel] as const);
  const guest = spawn(program, [...before, ...words], {
    cwd: stage.output,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', CAPSTAN_STAGE: stage.folder, ...(await memoryFolder(stage)) },
    detached: true,
  });
  const end = (): void => {
    if (guest.pid !== undefined) process.kill(-guest.pid, 'SIGKILL');
  };
  const timer = setTimeout(end, guestMaxMs);
  process.once('SIGINT', end);
  const counts = new Map<string, number>();
  const lastWords: string[] = [];
  const kernelSays = (line: string): void => void lastWords.splice(0, lastWords.length - lastWordsMax + 1, line);
  try {
    createInterface({ input: guest.stderr }).on('line', kernelSays);
    createInterface({ input: guest.stdout }).on('line', (line) => {
      const [, count, value] = /^(?:\u001b\[\d+m)?ℹ (\w+) ([\d.]+)/.exec(line) ?? [];
      if (count !== undefined) counts.set(count, Number(value));
      else if (/^reboot: /.test(line)) kernelSays(line);
      else say(line);
    });
    await once(guest, 'close');
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', end);
  }
  const durationMs = performance.now() - begun;
  const status = await readFile(statusFile, 'utf8').catch(() => undefined);
  if (status === undefined) throw withoutResult(lastWords, durationMs);
  const counted = (name: string): number => counts.get(name) ?? 0;
  const failed = counted('fail') + counted('cancelled');
  return { status: Number(status.trim()), passed: counted('pass'), failed, skipped: counted('skipped'), durationMs };
}

/** The guest's memory is a file, by default in /dev/shm; a container may have but little of that. */
async function memoryFolder({ output }: Stage): Promise<{ TMPDIR?: string }> {
  const shared = await statfs('/dev/shm').catch(() => undefined);
  return shared && shared.bavail * shared.bsize > guestMemoryBytes ? {} : { TMPDIR: output };
}

function withoutResult(lastWords: readonly string[], durationMs: number): Error {
  const said = lastWords.join('; ') || 'nothing';
  if (/ptrace/.test(said) && !/ptrace[^;]*OK/.test(said))
    return new NotPossible(`programs can't be traced here, by which User-Mode Linux works: ${said}`);
  return new GuestFailure(`the guest ended without a result after ${durationText(durationMs)}; its kernel said last: ${said}`);
}
