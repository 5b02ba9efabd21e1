/** Memory and processor time of running processes, from proc(5). */
import { readFileSync } from 'node:fs';

/** Of all processes together. */
export interface Usage {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

/** USER_HZ of every architecture that Linux has kept. */
const ticksPerSecond = 100;

/** @throws Error with `code` when one of them is gone */
export function usageOf(processes: readonly number[]): Usage {
  const all = processes.map((id) => ({ residentBytes: residentBytes(id), cpuSeconds: cpuSeconds(id) }));
  return {
    residentBytes: all.reduce((sum, usage) => sum + usage.residentBytes, 0),
    cpuSeconds: all.reduce((sum, usage) => sum + usage.cpuSeconds, 0),
  };
}

/** A process and all that it has started and that still runs. */
export function familyOf(processId: number): number[] {
  const children = readFileSync(`/proc/${processId}/task/${processId}/children`, 'utf8').trim();
  return [processId, ...(children === '' ? [] : children.split(' ')).flatMap((id) => familyOf(Number(id)))];
}

function residentBytes(processId: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${processId}/status`, 'utf8'))?.[1];
  return Number(kibibytes ?? 0) * 1_024;
}

/** Fields 14 and 15 of /proc/PID/stat; the second field may hold spaces and brackets. */
function cpuSeconds(processId: number): number {
  const stat = readFileSync(`/proc/${processId}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
