/** `npm run check`: types, lint, format, unused code and the rules of the house, with a short table at the end. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

type Check = { readonly name: string; readonly what: string; readonly args: readonly string[] };
type Result = Check & { readonly ok: boolean; readonly seconds: number; readonly output: string };

const checks: readonly Check[] = [
  { name: 'types', what: 'tsc', args: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  { name: 'lint', what: 'eslint', args: ['node_modules/eslint/bin/eslint.js', '.', '--max-warnings', '0'] },
  {
    name: 'format',
    what: 'prettier',
    args: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '**/*.{ts,js,mjs}'],
  },
  { name: 'solidity', what: 'forge fmt', args: ['scripts/contracts.ts', 'format', '--check'] },
  { name: 'unused', what: 'knip', args: ['node_modules/knip/bin/knip.js', '--no-progress'] },
  { name: 'tidy', what: 'rules of the house', args: ['--test', 'test/tidy.test.ts', 'test/tidy/planted.test.ts'] },
];

const outputCharactersMax = 200_000; // of one check; nobody reads more

const root = fileURLToPath(new URL('..', import.meta.url));
process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  if (names.includes('--help')) {
    process.stdout.write(`usage: npm run check -- [${checks.map(({ name }) => name).join(' | ')}]…\n`);
    return 0;
  }
  const unknown = names.filter((name) => !checks.some((check) => check.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`there is no check ${unknown.join(', ')}; there are ${checks.map(({ name }) => name).join(', ')}\n`);
    return 2;
  }
  const results = await runChecks(checks.filter(({ name }) => names.length === 0 || names.includes(name)));
  for (const { name, output } of results.filter(({ ok }) => !ok)) process.stdout.write(`\n${name}:\n${output.trimEnd()}\n`);
  process.stdout.write(`\n${results.map(describeResult).join('\n')}\n`);
  return results.every(({ ok }) => ok) ? 0 : 1;
}

/** Runs the checks, as many at once as the machine has processors; the results come in the order of the checks. */
async function runChecks(chosen: readonly Check[]): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = chosen.entries();
  const work = async (): Promise<void> => {
    for (const [index, check] of waiting) results[index] = await runCheck(check);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return results;
}

function runCheck(check: Check): Promise<Result> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, check.args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer): void => {
      if (output.length < outputCharactersMax) output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('close', (code) => {
      resolve({ ...check, ok: code === 0, seconds: (performance.now() - started) / 1000, output });
    });
  });
}

function describeResult({ name, what, ok, seconds }: Result): string {
  return `${ok ? 'pass' : 'FAIL'}  ${name.padEnd(10)}${what.padEnd(20)}${seconds.toFixed(1).padStart(6)} s`;
}
