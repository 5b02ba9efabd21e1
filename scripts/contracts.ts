/** `npm run contracts`: builds, tests and measures the contracts of layer 1. contracts/foundry.toml says how; Specification §20. */
import process from 'node:process';
import { runProgram, UsageError, type Program } from './arguments.ts';
import { build, format, gas, sizes, test } from './contracts/commands.ts';
import { endWhenUnread, harmless } from './terminal.ts';

const program: Program = {
  name: 'npm run contracts --',
  summary: 'Builds, tests and measures the contracts of layer 1.',
  commands: [build, test, gas, sizes, format],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.stderr.write(`contracts: ${harmless(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
