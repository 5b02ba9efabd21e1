/** `npm run layer1`: the chains below a network. Specification §20.8. */
import process from 'node:process';
import { runProgram, UsageError, type Program } from './arguments.ts';
import { deploy } from './layer1/deploy-command.ts';
import { probe } from './layer1/probe-command.ts';
import { status } from './layer1/status-command.ts';
import { endWhenUnread, harmless } from './terminal.ts';

const program: Program = {
  name: 'npm run layer1 --',
  summary: 'The chains below a network, and its contracts there.',
  commands: [status, probe, deploy],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.stderr.write(`layer1: ${harmless(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
