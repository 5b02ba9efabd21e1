/** One process for one state folder at a time: a file names it, and means nothing once that process is gone. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface StateClaim {
  release(): void;
}

/** @throws Error in a sentence: another process runs a grid there, the folder can't be used, or holds other things */
export function claimState(stateFolder: string): StateClaim {
  makeFolder(stateFolder);
  return claimFile(
    gridClaim(stateFolder),
    (holder) =>
      `a grid already runs on ${stateFolder} (process ${holder}); stop it with Ctrl-C there, or choose another folder with --state DIR`,
  );
}

/** A newcomer beside a grid has its own folder. @throws Error in a sentence: another process runs this device */
export function claimNewcomer(deviceFolder: string, name: string): StateClaim {
  mkdirSync(deviceFolder, { recursive: true, mode: 0o700 });
  return claimFile(
    join(deviceFolder, 'newcomer.pid'),
    (holder) =>
      `${name} already runs (process ${holder} keeps it running); stop it with Ctrl-C there, or \`kill ${holder}\`, or give another name`,
  );
}

/** The process that runs a grid there, if one does. */
export function gridProcess(stateFolder: string): number | undefined {
  return holderOf(gridClaim(stateFolder));
}

function gridClaim(stateFolder: string): string {
  return join(stateFolder, 'grid.pid');
}

function claimFile(file: string, sentence: (holder: number) => string): StateClaim {
  const holder = holderOf(file);
  if (holder !== undefined) throw new Error(sentence(holder));
  rmSync(file, { force: true });
  writeFileSync(file, `${process.pid} ${startOf(process.pid) ?? ''}\n`, { flag: 'wx', mode: 0o600 });
  return { release: () => rmSync(file, { force: true }) };
}

function makeFolder(stateFolder: string): void {
  let found: string[];
  try {
    // Where the parent is there, without `recursive`: that spins for ever in folders like /proc.
    if (!existsSync(stateFolder)) mkdirSync(stateFolder, { recursive: !existsSync(dirname(stateFolder)), mode: 0o700 });
    accessSync(stateFolder, constants.W_OK);
    found = readdirSync(stateFolder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new Error(`${stateFolder} can't be used as state folder${code}; choose one that you may write to, with --state DIR`, {
      cause: error,
    });
  }
  if (found.length === 0 || found.some((name) => MARKS.includes(name))) return;
  throw new Error(`${stateFolder} holds other things; choose an empty or a new folder with --state DIR`);
}

/** By which a folder is known as the state of a grid, also of one that was cut off early. */
const MARKS: readonly string[] = ['grid.pid', 'logs', 'network.cbor', 'devices'];

/** The process that the file names, if it is still the same one: process ids are used again. */
function holderOf(file: string): number | undefined {
  try {
    const [id = '', start = ''] = readFileSync(file, 'utf8').trim().split(' ');
    return startOf(Number(id)) === start ? Number(id) : undefined;
  } catch {
    return undefined;
  }
}

/** When a process was started, in clock ticks after boot: field 22 of proc_pid_stat(5). */
function startOf(processId: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
