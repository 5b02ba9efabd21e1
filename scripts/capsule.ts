/** `npm run capsule`: sends capsules to devices, watches them, fetches and verifies their results. */
import { runProgram, UsageError, type Program } from './arguments.ts';
import { cancel } from './capsule/cancel.ts';
import { CommandFailure } from './capsule/failure.ts';
import { list } from './capsule/list.ts';
import { logs } from './capsule/logs.ts';
import { result } from './capsule/result.ts';
import { status } from './capsule/status.ts';
import { submit } from './capsule/submit.ts';
import { verify } from './capsule/verify.ts';
import { ClientFailure } from './client/failure.ts';
import { endWhenUnread, harmless } from './terminal.ts';

const program: Program = {
  name: 'npm run capsule --',
  summary: 'Runs capsules on attested machines: code and input in, result and a receipt that anyone can check out.',
  commands: [submit, status, logs, result, cancel, verify, list],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.exitCode = explain(error);
}

/** @returns the exit status: 2 for what was typed or given wrongly, 1 for everything else */
function explain(error: unknown): number {
  if (error instanceof UsageError || error instanceof CommandFailure || error instanceof ClientFailure || isOfTheSystem(error)) {
    process.stderr.write(`capsule: ${harmless(error.message)}\n`);
    return error instanceof UsageError || (error instanceof CommandFailure && error.exitStatus === 2) ? 2 : 1;
  }
  process.stderr.write(
    `capsule: this is a fault of the program\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}

/** Failures of the file system and the network say by themselves what happened, with a code. */
function isOfTheSystem(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_');
}
