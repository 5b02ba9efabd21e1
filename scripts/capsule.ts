/** `npm run capsule`: sends capsules to devices, watches them, fetches and verifies their results. */
import { runProgram, type Program } from './arguments.ts';
import { cancel } from './capsule/cancel.ts';
import { explain } from './capsule/failure.ts';
import { list } from './capsule/list.ts';
import { logs } from './capsule/logs.ts';
import { result } from './capsule/result.ts';
import { status } from './capsule/status.ts';
import { submit } from './capsule/submit.ts';
import { verify } from './capsule/verify.ts';
import { endWhenUnread } from './terminal.ts';

const program: Program = {
  name: 'npm run capsule --',
  summary: 'Runs capsules on attested machines: code and input in, result and a receipt that anyone can check out.',
  commands: [submit, status, logs, result, cancel, verify, list],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.exitCode = explain('capsule', error);
}
