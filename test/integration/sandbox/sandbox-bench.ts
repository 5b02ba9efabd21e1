/** A sandbox for tests: runs small programs in the real executor and gathers all that they say and leave. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import type { CapsuleFile, JobLimits, Outcome, Outputs, PreparedJob, Progress, Workspace } from '../../../hpc-agent/executor.ts';
import { detectRuntimes } from '../../../hpc-agent/runtimes.ts';
import { openSandbox, type SandboxExecutor, type SandboxOptions } from '../../../hpc-agent/sandbox/sandbox.ts';

export interface Program {
  readonly runtime?: string;
  /** Content of the entry, `main`. */
  readonly code: string | Buffer;
  readonly files?: Readonly<Record<string, string>>;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly limits?: Partial<JobLimits>;
}

export interface Ran {
  readonly outcome: Outcome;
  readonly stdout: string;
  readonly stderr: string;
  readonly progress: readonly Progress[];
  readonly outputs: Outputs;
}

export interface SandboxBench {
  readonly executor: SandboxExecutor;
  /** Under a folder of mode 0700, as a checkout in a home or a state folder is. */
  readonly folder: string;
  jobFor(program: Program): PreparedJob;
  prepare(program: Program): Promise<Workspace>;
  run(program: Program): Promise<Ran>;
  close(): Promise<void>;
}

const MiB = 1024 * 1024;

export const roomyLimits: JobLimits = {
  wallMs: 10_000,
  cpuMs: 10_000,
  memoryBytes: 256 * MiB,
  processes: 32,
  outputBytes: MiB,
  logBytes: 64 * 1024,
  scratchBytes: MiB,
};

export async function openSandboxBench(options: Partial<SandboxOptions> = {}): Promise<SandboxBench> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'capstan-test-'));
  const opening = await openSandbox({ runtimes: await detectRuntimes(), ...options });
  if (opening.status === 'unavailable') throw new Error(opening.detail);
  const { executor } = opening;
  const jobFor = (program: Program) => makeJob(folder, program);
  const prepare = async (program: Program) => {
    const preparation = await executor.prepare(jobFor(program));
    if (preparation.status === 'refused') throw new Error(preparation.detail);
    return preparation.workspace;
  };
  return {
    executor,
    folder,
    jobFor,
    prepare,
    run: async (program) => runToEnd(await prepare(program)),
    close: async () => {
      await executor.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Runs, collects and disposes. */
export async function runToEnd(workspace: Workspace): Promise<Ran> {
  const logs = { stdout: '', stderr: '' };
  const progress: Progress[] = [];
  const outcome = await workspace.run({
    onLog: (stream, bytes) => {
      logs[stream] += Buffer.from(bytes).toString();
    },
    onProgress: (value) => progress.push(value),
  });
  const outputs = await workspace.outputs();
  await workspace.dispose();
  return { outcome, ...logs, progress, outputs };
}

export function sha256(content: string | Buffer): Uint8Array {
  return createHash('sha256').update(content).digest();
}

function makeJob(folder: string, program: Program): PreparedJob {
  const contents = { main: program.code, ...program.files };
  const files = Object.entries(contents).map(([name, content]) => makeBlob(folder, name, content));
  return {
    id: 'test',
    runtime: program.runtime ?? 'python',
    entry: 'main',
    arguments: program.arguments ?? [],
    environment: program.environment ?? {},
    files: files.map((file) => (file.path === 'main' && program.runtime === 'executable' ? { ...file, executable: true } : file)),
    limits: { ...roomyLimits, ...program.limits },
  };
}

function makeBlob(folder: string, name: string, content: string | Buffer): CapsuleFile {
  const digest = sha256(content);
  const source = path.join(folder, Buffer.from(digest).toString('hex'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(source, content, { mode: 0o600 });
  return { path: name, source, digest };
}
