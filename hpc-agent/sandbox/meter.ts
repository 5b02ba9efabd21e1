/** Bounds and counts what one capsule's process tree uses: by a control group where the agent has one, else by asking. */
import type { JobLimits } from '../executor.ts';
import { memoryOverheadBytes, processOverhead, sharedMemoryBytes } from '../limits.ts';
import type { Hierarchy } from './cgroup.ts';
import { sampleTree } from './tree.ts';
import { outCapacityBytes, type TreeUsage } from './verdict.ts';

/** `polled`: measured every `sampleMs`, with resource limits for each process in between. */
export type Mechanism = 'cgroup-v2' | 'cgroup-v1' | 'polled';

export interface Meter {
  readonly mechanism: Mechanism;
  /** Takes in the process that will become the sandbox. */
  join(pid: number): Promise<void>;
  bound(limits: JobLimits): void;
  /** @param pid the first process inside */
  watch(pid: number): void;
  sample(): TreeUsage;
  remove(): Promise<void>;
}

export function makeMeter(hierarchy: Hierarchy | undefined, name: string): Meter {
  if (hierarchy === undefined) return polledMeter();
  const group = hierarchy.create(name);
  return {
    mechanism: hierarchy.kind,
    join: (pid) => group.join(pid),
    bound: (limits) => {
      group.bound({ memoryBytes: roofBytes(limits), processes: limits.processes + processOverhead });
    },
    watch: () => undefined,
    sample: () => group.sample(),
    remove: () => group.remove(),
  };
}

/** The kernel's bound covers the files in memory too; the limit on processes alone is watched below this roof. */
function roofBytes(limits: JobLimits): number {
  return limits.memoryBytes + outCapacityBytes(limits.outputBytes) + limits.scratchBytes + sharedMemoryBytes + memoryOverheadBytes;
}

function polledMeter(): Meter {
  let root: number | undefined;
  let last: TreeUsage = { cpuMs: 0, memoryBytes: 0, memoryBytesMax: 0, processes: 0, isOutOfMemory: false };
  return {
    mechanism: 'polled',
    join: () => Promise.resolve(),
    bound: () => undefined,
    watch: (pid) => {
      root = pid;
    },
    sample: () => {
      if (root !== undefined) last = merge(last, sampleTree(root));
      return last;
    },
    remove: () => Promise.resolve(),
  };
}

/** Time already counted stays counted when the process that spent it is gone. */
function merge(last: TreeUsage, now: { readonly cpuMs: number; readonly memoryBytes: number; readonly processes: number }): TreeUsage {
  return {
    cpuMs: Math.max(last.cpuMs, now.cpuMs),
    memoryBytes: now.memoryBytes,
    memoryBytesMax: Math.max(last.memoryBytesMax, now.memoryBytes),
    processes: now.processes,
    isOutOfMemory: false,
  };
}
