/**
 * `npm run hardware`: the hardware bench. It builds a User-Mode-Linux kernel with simulated GPIO lines, I2C devices and a TPM
 * (once), and runs the tests of `test/hardware/` inside it, on the very device files that a board has. Needs no rights.
 */
import process from 'node:process';
import { commandOf, UsageError } from './arguments.ts';
import { GuestFailure, runGuest } from './hardware/guest.ts';
import { KernelFailure, requireKernel } from './hardware/kernel.ts';
import { stageTests } from './hardware/stage.ts';
import { endWhenUnread, harmless } from './terminal.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const bench = commandOf(
  {
    name: '',
    summary: 'runs the tests of test/hardware/ in a kernel with simulated hardware',
    operands: ['[PART OF A FILE NAME]'],
    options: {
      rebuild: { help: 'build the kernel anew, even where one is in the cache' },
      'kernel-only': { help: 'build the kernel and run nothing' },
    },
    notes: "The kernel is built once (some 3 minutes on two cores) from Debian's sources and kept in ~/.cache/capstan/hardware.",
  },
  async ({ operands: [part], options }) => {
    const kernel = await requireKernel({ rebuild: options.rebuild, say });
    if (options['kernel-only']) return 0;
    const stage = await stageTests(kernel, part);
    try {
      return await runGuest(stage, say);
    } finally {
      await stage.remove();
    }
  },
);

endWhenUnread();
try {
  process.exitCode = await bench.perform(process.argv.slice(2), 'npm run hardware --');
} catch (error) {
  const isKnown = error instanceof UsageError || error instanceof KernelFailure || error instanceof GuestFailure;
  const words = error instanceof Error ? (isKnown ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`hardware: ${harmless(words)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
