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

/**
 * Memory with each page divided among all processes that have it: what is shared, such as the pages of Node's program, counts
 * once on a machine. Reading it walks the page tables, so it is not for a loop.
 */
export function proportionalBytesOf(processes: readonly number[]): number {
  return processes.reduce((sum, id) => sum + kibibytesIn(`/proc/${id}/smaps_rollup`, 'Pss') * 1_024, 0);
}

/** A process and all that it has started and that still runs. */
export function familyOf(processId: number): number[] {
  const children = readFileSync(`/proc/${processId}/task/${processId}/children`, 'utf8').trim();
  return [processId, ...(children === '' ? [] : children.split(' ')).flatMap((id) => familyOf(Number(id)))];
}

function residentBytes(processId: number): number {
  return kibibytesIn(`/proc/${processId}/status`, 'VmRSS') * 1_024;
}

function kibibytesIn(file: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
}

/** Fields 14 and 15 of /proc/PID/stat; the second field may hold spaces and brackets. */
function cpuSeconds(processId: number): number {
  const stat = readFileSync(`/proc/${processId}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
