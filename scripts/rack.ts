/** `npm run rack`: the simulated boxes of a grid: what they do, and faults for them. Specification §16.4. */
import { runProgram, UsageError, type Program } from './arguments.ts';
import { NoRack } from './rack/ask-rack.ts';
import { commands } from './rack/commands.ts';
import { endWhenUnread, harmless } from './terminal.ts';

const program: Program = {
  name: 'npm run rack --',
  summary: 'Shows the simulated boxes of a grid that runs, and does to them what happens to boxes.',
  commands,
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.exitCode = explain(error);
}

/** @returns the exit status: 2 for what was typed wrongly, 1 for everything else */
function explain(error: unknown): number {
  const isKnown = error instanceof UsageError || error instanceof NoRack;
  const words = error instanceof Error ? (isKnown ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`rack: ${harmless(words)}\n`);
  return error instanceof UsageError ? 2 : 1;
}
