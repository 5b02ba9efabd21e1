/** One grid for one state folder at a time: a file that names the process, and means nothing once that process is gone. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface StateClaim {
  release(): void;
}

/** @throws Error when another process runs a grid there */
export function claimState(stateFolder: string): StateClaim {
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  const file = join(stateFolder, 'grid.pid');
  const holder = holderOf(file);
  if (holder !== undefined) {
    throw new Error(
      `a grid already runs on ${stateFolder} (process ${holder}); stop it with Ctrl-C there, or choose another folder with --state DIR`,
    );
  }
  rmSync(file, { force: true });
  writeFileSync(file, `${process.pid} ${startOf(process.pid) ?? ''}\n`, { flag: 'wx', mode: 0o600 });
  return { release: () => rmSync(file, { force: true }) };
}

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
