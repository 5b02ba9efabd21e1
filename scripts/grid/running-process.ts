/** The process of a part of the grid on this machine, for people who want to see what happens when it dies. */
import { readFileSync, writeFileSync } from 'node:fs';

/** On a full disk there is none to be found: nothing rests on it. */
export function leaveProcessId(processIdFile: string, processId: number): void {
  try {
    writeFileSync(processIdFile, `${processId}\n`);
  } catch {
    // People don't find the process; whoever keeps it running has it.
  }
}

/**
 * The process id that a supervisor has left, if that process still runs.
 * @param folder stands in its command line; a number that another program has by now does not count
 */
export function runningProcess(processIdFile: string, folder: string): number | undefined {
  try {
    const processId = Number.parseInt(readFileSync(processIdFile, 'utf8'), 10);
    const line = readFileSync(`/proc/${processId}/cmdline`, 'utf8').split('\0');
    return line.includes(folder) ? processId : undefined;
  } catch {
    return undefined;
  }
}
