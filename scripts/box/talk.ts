/** A command's conversation with the firmware of devices, with a live line while it takes its time, and Ctrl-C. Specification §17.7. */
import { join } from 'node:path';
import { askDesk } from '../../device/control/ask-desk.ts';
import { UnreadableAnswer, type DeskAnswer, type DeskRequest } from '../../device/control/desk-files.ts';
import { CommandFailure, systemCode } from '../capsule/failure.ts';
import { listenForInterrupts } from '../capsule/interrupt.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import type { DeviceHere } from './devices.ts';

/** Ctrl-C; the message says what became of what was asked. */
export class Interrupted extends Error {}

export interface Talk {
  readonly terminal: Terminal;
  /** @returns undefined where no firmware runs. @throws Interrupted @throws CommandFailure */
  ask(device: DeviceHere, request: DeskRequest, words?: (takenMs: number) => string): Promise<DeskAnswer | undefined>;
}

const QUIET_MS = 400;
const INTERRUPTED_STATUS = 130; // as shells have it: 128 + SIGINT

/** @returns the exit status: what `work` returns, or 130 */
export async function talking(work: (talk: Talk) => Promise<number>): Promise<number> {
  const terminal = openTerminal(process.stdout, process.env);
  const stopping = new AbortController();
  const interrupts = listenForInterrupts(['SIGINT', 'SIGTERM', 'SIGHUP']);
  void interrupts.next().then(() => stopping.abort());
  try {
    const line = { terminal, signal: stopping.signal, waitsFor: new Set<string>() };
    return await work({ terminal, ask: (...asked) => ask(line, ...asked) });
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    terminal.settle();
    process.stderr.write(`${error.message}\n`);
    return INTERRUPTED_STATUS;
  } finally {
    terminal.settle();
    interrupts.stop();
  }
}

/** What all that is asked at one time shares. */
interface Line {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Names of devices that have not answered. */
  readonly waitsFor: Set<string>;
}

async function ask(
  { terminal, signal, waitsFor }: Line,
  { name, folder }: DeviceHere,
  request: DeskRequest,
  words?: (takenMs: number) => string,
): Promise<DeskAnswer | undefined> {
  let takenAtMs: number | undefined;
  const onQuiet = (quietMs: number, isTaken: boolean): void => {
    if (isTaken) takenAtMs ??= performance.now();
    if (takenAtMs !== undefined && words) terminal.show(`  ${words(performance.now() - takenAtMs)}`);
    else if (quietMs > QUIET_MS) terminal.show(`  waits for ${[...waitsFor].join(', ')}, ${Math.floor(quietMs / 1_000)} s; Ctrl-C ends it`);
  };
  waitsFor.add(name);
  const asked = await askDesk(folder, { request, onQuiet, signal }).catch((error: unknown) => {
    if (isDiskFull(error)) throw diskFull(folder, error);
    if (!(error instanceof UnreadableAnswer)) throw error;
    throw new CommandFailure(1, `${error.message}; are the firmware of device ${name} and this command of one version?`, { cause: error });
  });
  waitsFor.delete(name);
  terminal.settle();
  if (asked.status === 'answered') return asked.answer;
  if (asked.isAborted) throw new Interrupted(endWords(asked.status, name, request));
  if (asked.status === 'withdrawn') return undefined;
  throw new CommandFailure(1, `device ${name} has taken this and does not answer; its log says why. Look again: npm run box -- list`);
}

function isDiskFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Firmware and command speak by files, so without room for one nothing can be asked. */
function diskFull(folder: string, cause: unknown): CommandFailure {
  return new CommandFailure(
    1,
    `the disk of ${join(folder, 'control')} is full, and the firmware is asked by files there, so nothing was asked or ordered: free some room on it (df ${folder}), and try again. A firmware that can't store what it does ends until it can, and its boxes get no work meanwhile`,
    { cause },
  );
}

function endWords(status: 'withdrawn' | 'left', device: string, request: DeskRequest): string {
  if (request.ask !== 'order') return 'Not waited for any longer.';
  if (status === 'withdrawn') return `Withdrawn: device ${device} has not taken it, and nothing was done.`;
  return `Device ${device} has taken it and does it; npm run box -- show ${request.box} tells what came of it.`;
}

/** @throws CommandFailure always */
export function noDevice({ name, folder }: DeviceHere): never {
  throw new CommandFailure(
    1,
    `device ${name} does not answer: its firmware does not run on ${folder}, and nothing was done. npm start starts a grid; the log of the device says why it ended`,
  );
}
