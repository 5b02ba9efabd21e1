/**
 * `npm run hardware`: the hardware bench. It builds a User-Mode-Linux kernel with simulated GPIO lines, I2C devices and a TPM
 * (once), and runs the tests of `test/hardware/` inside it, on the very device files that a board has. Needs no rights.
 */
import process from 'node:process';
import { commandOf, UsageError } from './arguments.ts';
import { GuestFailure, runGuest, type GuestRun } from './hardware/guest.ts';
import { KernelFailure, requireKernel, type Kernel } from './hardware/kernel.ts';
import { NotPossible } from './hardware/not-possible.ts';
import { stageTests, testsNamed } from './hardware/stage.ts';
import { durationText, endWhenUnread, harmless } from './terminal.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const bench = commandOf(
  {
    name: '',
    summary: 'runs the tests of test/hardware/ in a kernel with simulated hardware',
    operands: ['[PART OF A FILE NAME]'],
    options: {
      rebuild: { help: 'build the kernel anew, even where one is in the cache' },
      'kernel-only': { help: 'build the kernel and run nothing' },
      'where-possible': { help: 'say why and succeed on a machine that cannot have it: not x86-64, not Debian, no source, no tracing' },
    },
    notes: "The kernel is built once (some 3 minutes on two cores) from Debian's sources and kept in ~/.cache/capstan/hardware.",
  },
  async ({ operands: [part], options }) => {
    const tests = testsNamed(part);
    try {
      const kernel = await requireKernel({ rebuild: options.rebuild, say });
      return options['kernel-only'] ? 0 : await runTests(kernel, tests);
    } catch (error) {
      if (!(error instanceof NotPossible && options['where-possible'])) throw error;
      say(`hardware: NOT RUN: ${harmless(error.message)}`);
      return 0;
    }
  },
);

async function runTests(kernel: Kernel, tests: readonly string[]): Promise<number> {
  const stage = await stageTests(kernel, tests);
  try {
    say(`hardware: the guest runs ${tests.length === 1 ? 'one file' : `${tests.length} files`} of tests`);
    const run = await runGuest(stage, say);
    say(summaryOf(run));
    return run.status === 0 && run.failed === 0 && run.passed > 0 ? 0 : 1;
  } finally {
    await stage.remove();
  }
}

function summaryOf({ passed, failed, skipped, durationMs }: GuestRun): string {
  const words = [`${passed} passed`, `${failed} failed`, ...(skipped > 0 ? [`${skipped} skipped`] : [])];
  return `hardware: ${words.join(', ')}; the guest was up for ${durationText(durationMs)}`;
}

endWhenUnread();
try {
  process.exitCode = await bench.perform(process.argv.slice(2), 'npm run hardware --');
} catch (error) {
  const isKnown = error instanceof UsageError || [KernelFailure, GuestFailure, NotPossible].some((kind) => error instanceof kind);
  const words = error instanceof Error ? (isKnown ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`hardware: ${harmless(words)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
