/**
 * Kernel limits for a whole process tree: control groups, version 2 (Documentation/admin-guide/cgroup-v2) or the older
 * one with a hierarchy for each controller (admin-guide/cgroup-v1), whichever this machine has memory and pids on.
 * Groups lie at <hierarchy>/capstan/<name>, or below the agent's own group where that is delegated to it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { groupRemovalMs } from '../limits.ts';

export interface GroupLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

export interface GroupSample {
  readonly cpuMs: number;
  /** Memory of processes now, without files. */
  readonly memoryBytes: number;
  /** Highest total that the kernel counted, files in memory included. */
  readonly memoryBytesMax: number;
  readonly processes: number;
  /** Whether the kernel has killed for memory in this group. */
  readonly isOutOfMemory: boolean;
}

export interface Group {
  /** Takes up to 20 ms, in which the kernel waits for all processors; not on this thread. */
  join(pid: number): Promise<void>;
  bound(limits: GroupLimits): void;
  sample(): GroupSample;
  /** Kills what is left and removes the group. */
  remove(): Promise<void>;
}

export interface Hierarchy {
  readonly kind: 'cgroup-v2' | 'cgroup-v1';
  create(name: string): Group;
  /** Names of the groups that are there. */
  names(): string[];
  /** Kills what lives in a group of an agent that is gone, and removes it. */
  clear(name: string): Promise<void>;
}

/** The hierarchy in which this process can make groups with limits; undefined when there is none. */
export function findHierarchy(): Hierarchy | undefined {
  const mounts = readMounts();
  return versionTwo(mounts) ?? versionOne(mounts);
}

interface Mount {
  readonly folder: string;
  readonly kind: string;
  readonly controllers: readonly string[];
}

function readMounts(): Mount[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, folder, kind, options] = line.split(' ');
      if (folder === undefined || kind === undefined || options === undefined || !kind.startsWith('cgroup')) return [];
      return [{ folder, kind, controllers: options.split(',') }];
    });
}

function versionTwo(mounts: readonly Mount[]): Hierarchy | undefined {
  const mount = mounts.find(({ kind }) => kind === 'cgroup2');
  if (mount === undefined) return undefined;
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  const ownFolder = path.join(mount.folder, own);
  const parents = [...new Set([mount.folder, path.dirname(ownFolder), ownFolder])].filter((folder) => folder.startsWith(mount.folder));
  const base = parents.map((parent) => path.join(parent, 'capstan')).find(isUsableVersionTwo);
  return base === undefined ? undefined : hierarchy('cgroup-v2', { memory: base, pids: base, cpuacct: base });
}

function isUsableVersionTwo(base: string): boolean {
  try {
    writeFileSync(path.join(path.dirname(base), 'cgroup.subtree_control'), '+memory +pids +cpu');
    mkdirSync(base, { recursive: true });
    writeFileSync(path.join(base, 'cgroup.subtree_control'), '+memory +pids +cpu');
    return isWritable(base) && ['memory.max', 'pids.max', 'cpu.stat'].every((file) => existsSync(path.join(base, file)));
  } catch {
    return false; // not ours to write, or the controllers are elsewhere
  }
}

function versionOne(mounts: readonly Mount[]): Hierarchy | undefined {
  const folderOf = (controller: string) =>
    mounts.find(({ kind, controllers }) => kind === 'cgroup' && controllers.includes(controller))?.folder;
  const [memory, pids, cpuacct] = [folderOf('memory'), folderOf('pids'), folderOf('cpuacct')];
  if (memory === undefined || pids === undefined || cpuacct === undefined) return undefined;
  const bases = { memory: path.join(memory, 'capstan'), pids: path.join(pids, 'capstan'), cpuacct: path.join(cpuacct, 'capstan') };
  return Object.values(bases).every(isWritable) ? hierarchy('cgroup-v1', bases) : undefined;
}

/** Tried out: rights on control groups do not follow from anything simpler. */
function isWritable(base: string): boolean {
  const trial = path.join(base, `trial-${process.pid}`);
  try {
    mkdirSync(trial, { recursive: true });
    rmdirSync(trial);
    return true;
  } catch {
    return false;
  }
}

/** Where each controller's groups lie; all the same in version 2. */
interface Bases {
  readonly memory: string;
  readonly pids: string;
  readonly cpuacct: string;
}

function hierarchy(kind: Hierarchy['kind'], bases: Bases): Hierarchy {
  const foldersOf = (name: string): Bases => ({
    memory: path.join(bases.memory, name),
    pids: path.join(bases.pids, name),
    cpuacct: path.join(bases.cpuacct, name),
  });
  return {
    kind,
    create: (name) => createGroup(kind, foldersOf(name)),
    names: () =>
      readdirSync(bases.memory, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name),
    clear: (name) => removeFolders(foldersOf(name)),
  };
}

function createGroup(kind: Hierarchy['kind'], folders: Bases): Group {
  const separate = [...new Set(Object.values(folders))] as string[];
  for (const folder of separate) mkdirSync(folder);
  return {
    join: async (pid) => {
      for (const folder of separate) await writeFile(path.join(folder, 'cgroup.procs'), String(pid));
    },
    bound: (limits) => {
      (kind === 'cgroup-v2' ? boundVersionTwo : boundVersionOne)(folders, limits);
    },
    sample: () => (kind === 'cgroup-v2' ? sampleVersionTwo(folders.memory) : sampleVersionOne(folders)),
    remove: () => removeFolders(folders),
  };
}

function boundVersionTwo({ memory: folder }: Bases, limits: GroupLimits): void {
  writeFileSync(path.join(folder, 'memory.max'), String(limits.memoryBytes));
  writeFileSync(path.join(folder, 'pids.max'), String(limits.processes));
  writeIfThere(path.join(folder, 'memory.swap.max'), '0');
  writeIfThere(path.join(folder, 'memory.oom.group'), '1');
}

function boundVersionOne(folders: Bases, limits: GroupLimits): void {
  writeFileSync(path.join(folders.memory, 'memory.limit_in_bytes'), String(limits.memoryBytes));
  writeIfThere(path.join(folders.memory, 'memory.memsw.limit_in_bytes'), String(limits.memoryBytes));
  writeIfThere(path.join(folders.memory, 'memory.swappiness'), '0');
  writeFileSync(path.join(folders.pids, 'pids.max'), String(limits.processes));
}

/** Swap accounting and group kill are absent in some kernels; the limit itself holds without them. */
function writeIfThere(file: string, value: string): void {
  if (existsSync(file)) writeFileSync(file, value);
}

function sampleVersionTwo(folder: string): GroupSample {
  const memory = field(folder, 'memory.stat', 'anon');
  return {
    cpuMs: field(folder, 'cpu.stat', 'usage_usec') / 1e3,
    memoryBytes: memory,
    memoryBytesMax: existsSync(path.join(folder, 'memory.peak')) ? number(folder, 'memory.peak') : number(folder, 'memory.current'),
    processes: number(folder, 'pids.current'),
    isOutOfMemory: field(folder, 'memory.events', 'oom_kill') > 0,
  };
}

function sampleVersionOne(folders: Bases): GroupSample {
  return {
    cpuMs: number(folders.cpuacct, 'cpuacct.usage') / 1e6,
    memoryBytes: field(folders.memory, 'memory.stat', 'total_rss'),
    memoryBytesMax: number(folders.memory, 'memory.max_usage_in_bytes'),
    processes: number(folders.pids, 'pids.current'),
    isOutOfMemory: field(folders.memory, 'memory.oom_control', 'oom_kill') > 0,
  };
}

function number(folder: string, file: string): number {
  return Number(readFileSync(path.join(folder, file), 'utf8'));
}

function field(folder: string, file: string, name: string): number {
  const line = readFileSync(path.join(folder, file), 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

async function removeFolders(folders: Bases): Promise<void> {
  for (const folder of new Set(Object.values(folders) as string[])) await removeFolder(folder);
}

async function removeFolder(folder: string): Promise<void> {
  const deadline = performance.now() + groupRemovalMs;
  while (existsSync(folder)) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`${folder} still has processes in it`, { cause: error });
      killMembers(folder);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

function killMembers(folder: string): void {
  for (const pid of readFileSync(path.join(folder, 'cgroup.procs'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      continue; // gone meanwhile
    }
  }
}
