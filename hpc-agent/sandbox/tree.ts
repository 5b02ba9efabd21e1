/**
 * What a process and its descendants use, read from /proc (proc(5)): for machines on which control groups are closed to
 * the agent. Memory that is held without being mapped (memfd, System V) and time of children that nobody waited for are
 * not seen; the reports of this box say so by naming the mechanism `polled`.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface TreeSample {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly processes: number;
}

export function sampleTree(root: number): TreeSample {
  let total: TreeSample = { cpuMs: 0, memoryBytes: 0, processes: 0 };
  const pending = [root];
  for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
    total = add(total, sampleProcess(pid));
    pending.push(...childrenOf(pid));
  }
  return total;
}

/** Clock ticks of /proc are hundredths of a second on every Linux of today (USER_HZ), pages 4 KiB on our processors. */
const tickMs = 10;
const pageBytes = 4096;

function add(left: TreeSample, right: TreeSample): TreeSample {
  return {
    cpuMs: left.cpuMs + right.cpuMs,
    memoryBytes: left.memoryBytes + right.memoryBytes,
    processes: left.processes + right.processes,
  };
}

function sampleProcess(pid: number): TreeSample {
  const status = readIfThere(`/proc/${pid}/stat`);
  // The command in field 2 may contain anything but ends with the last ")"; field 3 comes first here.
  const fields = status
    .slice(status.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return {
    cpuMs: (user + system + childrenUser + childrenSystem) * tickMs,
    memoryBytes: residentPages(pid) * pageBytes,
    processes: fields[17] ?? 0,
  };
}

/** Without what is backed by files: the second field of statm less the third. */
function residentPages(pid: number): number {
  const [, resident = 0, shared = 0] = readIfThere(`/proc/${pid}/statm`).split(' ').map(Number);
  return resident - shared;
}

function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    readIfThere(`/proc/${pid}/task/${thread}/children`).trim().split(' ').filter(Boolean).map(Number),
  );
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // gone meanwhile
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // gone meanwhile
  }
}
