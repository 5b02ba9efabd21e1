/** `npm run tpm`: looks at a TPM, or changes a register. The first thing to try when a device does not find its chip. */
import process from 'node:process';

import { isTpmError } from '../device/tpm/error.ts';
import { runProgram, UsageError, type Program } from './arguments.ts';
import { harmless } from './terminal.ts';
import { info, pcrs, quoted, time } from './tpm/commands.ts';
import { extend } from './tpm/extend.ts';

const program: Program = {
  name: 'npm run tpm --',
  summary: 'Looks at a TPM: what it is, its registers, its certified time, a quote. Nothing but `extend` changes anything in it.',
  commands: [info, quoted, time, pcrs, extend],
};

try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.stderr.write(`tpm: ${harmless(explanation(error))}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

function explanation(error: unknown): string {
  if (isTpmError(error) && error.command === 'open') {
    return `${error.message}\nFor the chip of this machine: --tcti device:/dev/tpmrm0 (needs the group tss); for one to play with: --software`;
  }
  return error instanceof Error ? error.message : String(error);
}
