/**
 * The native addon survives whatever it is called with. In a child process: a crash is a failed test.
 * CAPSTAN_FUZZ_CALLS (1,500 by default) and CAPSTAN_LEAK_QUOTES (1,000) make the runs longer, CAPSTAN_FUZZ_SEED others.
 * With a sanitizer: `node scripts/build-addon.mjs --sanitize`, then CAPSTAN_EXERCISE_ADDON=build/addon-sanitized and
 * CAPSTAN_EXERCISE_PRELOAD=libasan.so.8 (whatever `g++ -print-file-name=libasan.so` leads to).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startSoftwareTpm } from '../../../device/tpm/swtpm.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('addon-exercise.ts', import.meta.url));
const fuzzCalls = Number(process.env['CAPSTAN_FUZZ_CALLS'] ?? 1_500);
const leakQuotes = Number(process.env['CAPSTAN_LEAK_QUOTES'] ?? 1_000);
const sanitizer = process.env['CAPSTAN_EXERCISE_PRELOAD'];
// Node itself leaves memory to the end of the process, which is no leak of the addon.
const preload = sanitizer === undefined ? {} : { LD_PRELOAD: sanitizer, ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'halt_on_error=1' };
const seed = process.env['CAPSTAN_FUZZ_SEED'] ?? '1';

test(`no argument crashes the addon (${fuzzCalls} calls, seed ${seed})`, async () => {
  const { calls, outcomes, methodsThatSucceeded } = (await exercise('fuzz', String(fuzzCalls), seed)) as {
    calls: number;
    outcomes: Record<string, number>;
    methodsThatSucceeded: number;
  };
  assert.equal(calls, fuzzCalls);
  const reachedTpm = (outcomes['success'] ?? 0) + (outcomes['tpm'] ?? 0);
  assert.ok(reachedTpm > calls / 10, `only ${reachedTpm} of ${calls} calls reached the TPM`);
  assert.ok((outcomes['addon'] ?? 0) > 0 && (outcomes['mu'] ?? 0) > 0, 'nothing was refused before it reached the TPM');
  assert.ok(methodsThatSucceeded > 20, `only ${methodsThatSucceeded} methods ever succeeded`);
});

test(`memory does not grow with the calls (${leakQuotes} quotes)`, async () => {
  const { grownBytes } = (await exercise('leak', String(leakQuotes))) as { grownBytes: number };
  assert.ok(grownBytes < 12 * 1024 * 1024, `${grownBytes} bytes more after ${leakQuotes} quotes`);
});

/** In a TPM of its own: fuzzing may set authorisation values that nobody knows afterwards. */
async function exercise(...args: string[]): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-fuzz-'));
  const software = await startSoftwareTpm({ folder });
  try {
    const env = { ...process.env, ...preload, CAPSTAN_EXERCISE_TCTI: software.tcti };
    const { stdout } = await run(process.execPath, ['--expose-gc', program, ...args], { env });
    if (process.env['CAPSTAN_FUZZ_SHOW'] === '1') console.log(stdout);
    return JSON.parse(stdout) as unknown;
  } finally {
    await software.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
