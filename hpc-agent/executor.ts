/**
 * The port that every executor of a box fills: prepare a capsule, run it, stop it, hand over what it wrote.
 * The agent speaks to this port only; `sandbox/` is the executor for programs in any language.
 */

/** Times in milliseconds, sizes in bytes: the manifest's limits (protocol/README.md §7.1), and the agent's for /tmp. */
export interface JobLimits {
  /** From the first instruction of the capsule to its end. */
  readonly wallMs: number;
  /** Processor time of the whole process tree. */
  readonly cpuMs: number;
  /** Memory of all processes together, without the files that they write (these have bounds of their own). */
  readonly memoryBytes: number;
  /** Processes and threads at one time. */
  readonly processes: number;
  /** Everything under /out together. */
  readonly outputBytes: number;
  /** Standard output and standard error together. */
  readonly logBytes: number;
  /** The private /tmp. */
  readonly scratchBytes: number;
}

export interface CapsuleFile {
  /** Relative to the capsule's root, segments separated by "/". */
  readonly path: string;
  /** Absolute path of the content-addressed blob; never written. */
  readonly source: string;
  /** SHA-256 of the content, 32 bytes. When given, the staged bytes are checked against it. */
  readonly digest?: Uint8Array;
  readonly executable?: boolean;
}

/** A job that the agent has judged: its policy, its owner and its digests are settled. */
export interface PreparedJob {
  readonly id: string;
  /** Name of a runtime that this box has (`runtimes.ts`). */
  readonly runtime: string;
  /** Path of one of `files`. */
  readonly entry: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly files: readonly CapsuleFile[];
  readonly limits: JobLimits;
}

export type RefusalReason =
  | 'runtime-missing'
  | 'entry-missing'
  | 'entry-not-executable'
  | 'path-refused'
  | 'digest-mismatch'
  | 'limits-refused'
  | 'arguments-refused'
  | 'environment-refused';

export type Preparation =
  | { readonly status: 'prepared'; readonly workspace: Workspace }
  | { readonly status: 'refused'; readonly reason: RefusalReason; readonly detail: string };

export interface Executor {
  readonly name: 'sandbox';
  /** Lays out the capsule for one run. @throws Error with `code` when the disk or the system fails. */
  prepare(job: PreparedJob): Promise<Preparation>;
}

export type LogStream = 'stdout' | 'stderr';

export interface Progress {
  /** 0 to 1. */
  readonly progress: number;
  readonly note?: string;
}

export interface RunEvents {
  onLog(stream: LogStream, bytes: Uint8Array): void;
  onProgress(value: Progress): void;
}

export type KillReason =
  'wall-time' | 'cpu-time' | 'memory' | 'log-flood' | 'output-size' | 'output-files' | 'scratch-full' | 'cancelled' | 'signal';

/** What a caller may give as the reason of a stop; the limits are the executor's own. */
export type StopReason = 'cancelled' | 'wall-time';

export interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryBytesMax: number;
  /** Highest number of processes and threads that a sample saw. */
  readonly processesMax: number;
}

/**
 * How a run ended. `killed` covers a capsule that gave up by itself on a limit: one that exits with an error while
 * /out or /tmp is full did not fail for a reason of its own.
 */
export type Outcome = (
  | { readonly status: 'exited'; readonly code: number }
  | { readonly status: 'killed'; readonly reason: KillReason; readonly detail: string; readonly signal?: string }
  | { readonly status: 'failed'; readonly reason: 'sandbox-unavailable'; readonly detail: string }
) & { readonly usage: Usage };

export interface OutputFile {
  /** Relative to /out, segments separated by "/". */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256, 32 bytes. */
  readonly digest: Uint8Array;
  /** A path by which this process can read the file until the workspace is disposed of. */
  readonly source: string;
}

export type IgnoredReason = 'not-a-regular-file' | 'name-refused' | 'too-deep' | 'too-large' | 'unreadable';

export interface Outputs {
  /** Sorted by path, in the order of its UTF-8 bytes. */
  readonly files: readonly OutputFile[];
  /** What lay under /out and is not part of the result; `path` is made printable. */
  readonly ignored: readonly { readonly path: string; readonly reason: IgnoredReason }[];
}

export interface Workspace {
  /** Runs the capsule once. A workspace runs once. */
  run(events: RunEvents): Promise<Outcome>;
  /** Kills the whole process tree; returns when it is gone. Before the run: the run ends at once. */
  stop(reason: StopReason): Promise<void>;
  /** What the capsule left under /out; after the run has ended. */
  outputs(): Promise<Outputs>;
  /** Stops what still runs and removes every trace of the workspace. */
  dispose(): Promise<void>;
}
