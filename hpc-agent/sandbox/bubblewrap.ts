/** The one place that knows bubblewrap (0.8 or later): what a capsule sees, as bwrap(1) options. */
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import type { JobLimits } from '../executor.ts';
import { openFilesMax, pageBytes, sharedMemoryBytes } from '../limits.ts';
import { outCapacityBytes } from './verdict.ts';

export const programs = {
  bubblewrap: '/usr/bin/bwrap',
  limiter: '/usr/bin/prlimit',
  pipeMaker: '/usr/bin/mkfifo',
  shell: '/bin/sh',
} as const;

/**
 * Layout inside: /capsule (read-only, the working folder), /out (collected afterwards), /tmp (private, HOME),
 * /usr and its companions read-only, /runtime when the interpreter lies outside /usr. Nothing else of the host.
 */
export interface SandboxPlan {
  readonly capsuleFolder: string;
  readonly systemFolder: string;
  /** An interpreter from outside /usr: where it lies on the host; it appears as /runtime/<its name>. */
  readonly interpreter?: { readonly source: string; readonly target: string };
  /** Folders under /etc that the runtime reads; absent ones are left out. */
  readonly configuration: readonly string[];
  readonly limits: JobLimits;
  /** Whether bubblewrap can close user namespaces inside; the filter on system calls refuses them in any case. */
  readonly canCloseNamespaces: boolean;
  /** `each-process`: a machine without control groups bounds processes and memory by resource limits (prlimit(1)). */
  readonly bounding: 'group' | 'each-process';
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Numbers of the descriptors that a sandbox is started with. 0 is /dev/null; 1 and 2 are the logs. */
export const descriptors = { progress: 3, filter: 4, gate: 5, information: 6, options: 7, go: 8 } as const;

/** The command line; the environment isn't in it, because every user of the host can read command lines. */
export function commandLine(plan: SandboxPlan): string[] {
  return [
    ...isolation,
    ...(plan.canCloseNamespaces ? ['--disable-userns', '--assert-userns-disabled'] : []),
    ...hostSystem(),
    ...systemFiles(plan.systemFolder, plan.configuration),
    ...kernelFolders,
    ...memoryFolder('/tmp', plan.limits.scratchBytes),
    ...memoryFolder('/out', outCapacityBytes(plan.limits.outputBytes)),
    ...['--ro-bind', plan.capsuleFolder, '/capsule'],
    ...(plan.interpreter ? ['--ro-bind', plan.interpreter.source, plan.interpreter.target] : []),
    ...['--remount-ro', '/', '--chdir', '/capsule'],
    ...['--seccomp', String(descriptors.filter), '--block-fd', String(descriptors.gate), '--info-fd', String(descriptors.information)],
    ...['--args', String(descriptors.options), '--'],
    ...resourceLimits(plan),
    ...plan.command,
  ];
}

/** Further options, separated by zero bytes, for `--args`. */
export function hiddenOptions(environment: Readonly<Record<string, string>>): string {
  return Object.entries({ ...environment, ...ownEnvironment })
    .map(([name, value]) => `--setenv\0${name}\0${value}\0`)
    .join('');
}

/** What a capsule may set otherwise, and what it may not. */
export const defaultEnvironment = { LANG: 'C.UTF-8', TZ: 'UTC', PATH: '/usr/bin:/bin', HOME: '/tmp', PYTHONHASHSEED: '0' } as const;
const ownEnvironment = { CAPSTAN_OUT: '/out', CAPSTAN_PROGRESS: String(descriptors.progress) } as const;

const isolation = [
  '--unshare-all',
  '--unshare-user',
  '--die-with-parent',
  '--new-session',
  '--clearenv',
  '--cap-drop',
  'ALL',
  '--uid',
  '1000',
  '--gid',
  '1000',
  '--hostname',
  'capsule',
];

// /dev without --remount-ro and a sized /dev/shm would be a memory disk of half the machine.
const kernelFolders = [
  '--proc',
  '/proc',
  '--ro-bind',
  '/proc/sys',
  '/proc/sys',
  '--dev',
  '/dev',
  ...memoryFolder('/dev/shm', sharedMemoryBytes),
  '--remount-ro',
  '/dev',
];

function memoryFolder(folder: string, bytes: number): string[] {
  return ['--size', String(Math.max(pageBytes, bytes)), '--tmpfs', folder];
}

/** /usr, and what lies beside it as links (all of today's distributions) or as folders of their own. */
function hostSystem(): string[] {
  const beside = ['/bin', '/sbin', '/lib', '/lib32', '/lib64'].filter((folder) => existsSync(folder));
  return [
    '--ro-bind',
    '/usr',
    '/usr',
    ...beside.flatMap((folder) =>
      lstatSync(folder).isSymbolicLink() ? ['--symlink', readlinkSync(folder), folder] : ['--ro-bind', folder, folder],
    ),
  ];
}

function systemFiles(systemFolder: string, configuration: readonly string[]): string[] {
  const own = ['passwd', 'group', 'hosts'].flatMap((name) => ['--ro-bind', `${systemFolder}/${name}`, `/etc/${name}`]);
  const hosts = ['/etc/ld.so.cache', '/etc/alternatives', ...configuration].flatMap((place) => ['--ro-bind-try', place, place]);
  return [...own, ...hosts];
}

/**
 * A core size of 1 is the one value that also keeps a dump from the host's crash handler (linux/fs/coredump.c).
 * Processor time for a process is a second line behind the count for the tree.
 */
function resourceLimits({ limits, bounding }: SandboxPlan): string[] {
  const seconds = Math.ceil(limits.cpuMs / 1000) + 1;
  return [
    programs.limiter,
    '--core=1:1',
    `--nofile=${openFilesMax}:${openFilesMax}`,
    `--cpu=${seconds}:${seconds}`,
    '--msgqueue=0:0',
    ...(bounding === 'group' ? [] : [`--nproc=${limits.processes + 2}`, `--data=${limits.memoryBytes * 2}`]),
    '--',
  ];
}
