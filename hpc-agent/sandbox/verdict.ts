/** When a running capsule is to be killed, and how an ended one is reported. Pure. */
import { LIMITS } from '#protocol/limits.ts';
import type { JobLimits, KillReason } from '../executor.ts';
import { outputEntriesMax, pageBytes, scratchEntriesMax } from '../limits.ts';

/** What the process tree uses. */
export interface TreeUsage {
  readonly cpuMs: number;
  /** Memory of processes now, without files. */
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  readonly processes: number;
  /** Whether the kernel has killed for memory. */
  readonly isOutOfMemory: boolean;
}

/** What is left in a memory file system, and how many files and folders are in it. */
export interface Fullness {
  readonly bytesFree: number;
  readonly entries: number;
}

export interface Reading {
  readonly tree: TreeUsage;
  readonly out: Fullness;
  readonly scratch: Fullness;
}

/** Logical sizes under /out: a file with holes weighs what a reader would get. */
export interface OutputWeight {
  readonly bytes: number;
  readonly files: number;
}

export interface Kill {
  readonly reason: KillReason;
  readonly detail: string;
  readonly signal?: string;
}

/** How the sandbox's process ended: bubblewrap passes on the capsule's status, 128 + n for signal n. */
export interface Ending {
  readonly code: number;
  readonly signal?: string;
}

export type Verdict = { readonly status: 'exited'; readonly code: number } | ({ readonly status: 'killed' } & Kill);

/** The size of /out's file system: a page more for each file, so that one that is full holds more than the limit. */
export function outCapacityBytes(outputBytes: number): number {
  return (Math.ceil(outputBytes / pageBytes) + LIMITS.outputFilesMax + 1) * pageBytes;
}

/** Why a capsule that still runs must not go on; undefined while it may. */
export function reasonToKill(limits: JobLimits, reading: Reading): Kill | undefined {
  const { tree, out, scratch } = reading;
  if (tree.isOutOfMemory || tree.memoryBytes > limits.memoryBytes) return memoryKill(limits);
  if (tree.cpuMs > limits.cpuMs) return cpuKill(limits);
  if (out.entries > outputEntriesMax) return outputFilesKill();
  if (out.bytesFree === 0) return outputSizeKill(limits);
  if (scratch.entries > scratchEntriesMax)
    return { reason: 'scratch-full', detail: `/tmp holds more than ${scratchEntriesMax} files and folders` };
  return undefined;
}

/** @param kill what the executor killed it for, if it did */
export function judgeEnd(limits: JobLimits, ending: Ending, kill: Kill | undefined, reading: Reading, weight: OutputWeight): Verdict {
  const found = kill ?? reasonAfterEnd(limits, ending, reading, weight);
  return found === undefined ? { status: 'exited', code: ending.code } : { status: 'killed', ...found };
}

function reasonAfterEnd(limits: JobLimits, ending: Ending, { tree, out, scratch }: Reading, weight: OutputWeight): Kill | undefined {
  if (tree.isOutOfMemory) return memoryKill(limits);
  if (ending.signal === 'SIGXCPU' || (ending.signal === 'SIGKILL' && tree.cpuMs > limits.cpuMs)) return cpuKill(limits);
  if (weight.files > LIMITS.outputFilesMax) return outputFilesKill();
  if (weight.bytes > limits.outputBytes) return outputSizeKill(limits);
  const isFailure = ending.code !== 0 || ending.signal !== undefined;
  if (isFailure && out.bytesFree === 0) return outputSizeKill(limits);
  if (isFailure && scratch.bytesFree === 0)
    return { reason: 'scratch-full', detail: `/tmp was full: it holds ${limits.scratchBytes} bytes` };
  if (ending.signal !== undefined) return { reason: 'signal', detail: `the capsule ended by ${ending.signal}`, signal: ending.signal };
  return undefined;
}

function memoryKill(limits: JobLimits): Kill {
  return { reason: 'memory', detail: `the processes used more than ${limits.memoryBytes} bytes of memory` };
}

function cpuKill(limits: JobLimits): Kill {
  return { reason: 'cpu-time', detail: `the processes used more than ${limits.cpuMs} ms of processor time` };
}

function outputSizeKill(limits: JobLimits): Kill {
  return { reason: 'output-size', detail: `/out holds more than ${limits.outputBytes} bytes` };
}

function outputFilesKill(): Kill {
  return { reason: 'output-files', detail: `/out holds more than ${LIMITS.outputFilesMax} files` };
}
