/** The tests written in Solidity, and the cases that they compare with the protocol's verdicts. */
import { execFileSync } from 'node:child_process';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import type { ForgeRequest, ForgeResult, Hardfork } from './forge.ts';

const inputsForEachSequence = 8; // a run of an invariant is a sequence of calls, and takes as much longer

export interface TestRequest {
  /** Inputs for each fuzz test. */
  readonly runs: number;
  readonly hardfork: Hardfork;
  /** Only test contracts whose name matches. */
  readonly match?: string | undefined;
  /** Show the calls of tests that fail. */
  readonly traces?: boolean;
}

/** Mutations of each kind of evidence, with the protocol's verdicts. */
export function makeMutations(count: number): void {
  const program = fileURLToPath(new URL('../../test/contracts/make-mutations.ts', import.meta.url));
  execFileSync(execPath, [program, String(count)]);
}

/** All but those that measure gas. */
export function testRequest({ runs, hardfork, match, traces = false }: TestRequest): ForgeRequest {
  const chosen = match === undefined ? [] : ['--match-contract', match];
  const args = ['test', '--fuzz-runs', String(runs), '--no-match-path', 'test/gas/*', ...chosen, ...(traces ? ['-vvv'] : [])];
  return { args, hardfork, environment: { FOUNDRY_INVARIANT_RUNS: String(Math.ceil(runs / inputsForEachSequence)) } };
}

/** Some ran, and none failed: forge is content when there was none. */
export function havePassed({ ok, output }: ForgeResult): boolean {
  return ok && /[1-9]\d* tests passed, 0 failed/.test(output);
}
