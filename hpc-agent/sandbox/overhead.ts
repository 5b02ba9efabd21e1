/** What the sandbox costs at the start of a capsule: an empty shell script in it, against the same script plainly started. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Executor } from '../executor.ts';
import { programs } from './bubblewrap.ts';

/** Milliseconds from the order to the end, one number a round. */
export interface StartTimes {
  readonly plainMs: readonly number[];
  /** Preparation, staging included, and run. */
  readonly sandboxMs: readonly number[];
}

/** @param pauseMs between two starts: the executor makes its next cell in that time, as it does between real capsules */
export async function measureStart(executor: Executor, rounds: number, pauseMs = 50): Promise<StartTimes> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'capstan-overhead-'));
  const script = path.join(folder, 'script');
  writeFileSync(script, 'exit 0\n');
  const times = { plainMs: [] as number[], sandboxMs: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    times.plainMs.push(await timed(() => startPlainly(script)));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    times.sandboxMs.push(await startInSandbox(executor, script));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  rmSync(folder, { recursive: true });
  return times;
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return performance.now() - startedAt;
}

function startPlainly(script: string): Promise<unknown> {
  const child = spawn(programs.shell, [script], { stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
}

async function startInSandbox(executor: Executor, script: string): Promise<number> {
  const MiB = 1024 * 1024;
  const limits = {
    wallMs: 10_000,
    cpuMs: 10_000,
    memoryBytes: 64 * MiB,
    processes: 8,
    outputBytes: MiB,
    logBytes: 4096,
    scratchBytes: MiB,
  };
  const startedAt = performance.now();
  const preparation = await executor.prepare({
    id: 'overhead',
    runtime: 'shell',
    entry: 'script',
    arguments: [],
    environment: {},
    files: [{ path: 'script', source: script }],
    limits,
  });
  if (preparation.status === 'refused') throw new Error(preparation.detail);
  const outcome = await preparation.workspace.run({ onLog: () => undefined, onProgress: () => undefined });
  const passed = performance.now() - startedAt;
  await preparation.workspace.dispose();
  if (outcome.status !== 'exited' || outcome.code !== 0) throw new Error(`an empty script ended as ${outcome.status}`);
  return passed;
}
