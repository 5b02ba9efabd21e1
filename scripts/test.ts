/** `npm test`: runs the tests under node:test, two files at a time, and fails when none ran. */
import { globSync } from 'node:fs';
import process from 'node:process';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const help = `usage: npm test [-- [--only PATTERN] [PART OF A FILE NAME …]]

  npm test                          every test
  npm test -- tidy wire             the files whose path contains tidy or wire
  npm test -- --only 'replay'       the tests whose name matches the pattern (all files, or those named)
`;

const concurrency = 2; // files at a time: many start a TPM and a broker of their own
const ownKernel = 'test/hardware/**'; // they run in a kernel with simulated hardware: npm run hardware
const fileTimeoutMs = 900_000; // one test file: the contracts take four minutes, and twice that beside much else; what hangs longer never ends

const root = fileURLToPath(new URL('..', import.meta.url));
process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const files = chooseFiles(globSync('test/**/*.test.ts', { cwd: root, exclude: [ownKernel] }).sort(), positionals);
  if (files.length === 0) {
    process.stderr.write(`no test file's path contains ${positionals.join(' or ')}; the test files stand in test/\n`);
    return 1;
  }
  return runFiles(files, values.only);
}

/** The files whose path contains one of `parts`; all when there is none. */
function chooseFiles(files: readonly string[], parts: readonly string[]): string[] {
  return files.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
}

async function runFiles(files: readonly string[], only: string | undefined): Promise<number> {
  const stream = run({
    files,
    cwd: root,
    concurrency,
    timeout: fileTimeoutMs,
    ...(only === undefined ? {} : { testNamePatterns: new RegExp(only) }),
  });
  const tally = { ran: 0, failed: false };
  // A file in which no test ran is reported as one passed test with the name of the file.
  stream.on('test:pass', ({ name, skip }) => {
    if (skip === undefined && !files.includes(name)) tally.ran += 1;
  });
  stream.on('test:fail', ({ name, todo }) => {
    if (todo === undefined) tally.failed = true;
    if (!files.includes(name)) tally.ran += 1;
  });
  stream.on('test:summary', ({ success }) => {
    if (!success) tally.failed = true;
  });
  for await (const text of stream.compose(new spec())) process.stdout.write(String(text));
  if (tally.ran === 0) process.stderr.write('no test ran; a run without tests is no pass\n');
  return tally.failed || tally.ran === 0 ? 1 : 0;
}
