/** Why a command ends without success. */
import { UsageError } from '../arguments.ts';
import { ClientFailure } from '../client/failure.ts';
import { harmless } from '../terminal.ts';

/** In a sentence; 1: the capsule or the other side, 2: what the person gave it. */
export class CommandFailure extends Error {
  readonly exitStatus: 1 | 2;
  constructor(exitStatus: 1 | 2, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitStatus = exitStatus;
  }
}

/** `code` of a failure of the system, such as ENOENT. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Says why `program` ends. @returns the exit status: 2 for what was typed or given wrongly, 1 for everything else */
export function explain(program: string, error: unknown): 1 | 2 {
  if (error instanceof UsageError || error instanceof CommandFailure || error instanceof ClientFailure || isOfTheSystem(error)) {
    process.stderr.write(`${program}: ${harmless(error.message)}\n`);
    return error instanceof UsageError || (error instanceof CommandFailure && error.exitStatus === 2) ? 2 : 1;
  }
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${program}: this is a fault of the program\n${words}\n`);
  return 1;
}

/** Failures of the file system and the network say by themselves what happened, with a code. */
function isOfTheSystem(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_');
}
