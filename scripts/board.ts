/** `npm run board`: the boards that there are, and the lines and sensors of this one. Specification §16. */
import process from 'node:process';
import { BoardFileError } from '../device/board/board-file.ts';
import { runProgram, UsageError, type Program } from './arguments.ts';
import { bmc } from './board/bmc.ts';
import { check } from './board/check.ts';
import { list } from './board/list.ts';
import { BoardFailure } from './board/opened-board.ts';
import { press } from './board/press.ts';
import { read } from './board/read.ts';
import { endWhenUnread, harmless } from './terminal.ts';

const program: Program = {
  name: 'npm run board --',
  summary: 'Looks at boards and at the wires of this one; the first thing to try when a box does not do what it should.',
  commands: [list, check, read, press, bmc],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  const isKnown = error instanceof UsageError || error instanceof BoardFileError || error instanceof BoardFailure;
  const words = error instanceof Error ? (isKnown ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`board: ${words.split('\n').map(harmless).join('\n       ')}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
