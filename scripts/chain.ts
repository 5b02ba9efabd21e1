/** `npm run chain`: what goes on in the chain, as one device sees it. Specification §14.5. */
import { runProgram, type Program } from './arguments.ts';
import { explain } from './capsule/failure.ts';
import { admit } from './chain/admit.ts';
import { block } from './chain/block.ts';
import { head } from './chain/head.ts';
import { leave } from './chain/leave.ts';
import { newcomer } from './chain/newcomer.ts';
import { peers } from './chain/peers.ts';
import { watch } from './chain/watch.ts';
import { endWhenUnread } from './terminal.ts';

const program: Program = {
  name: 'npm run chain --',
  summary: 'Shows the chain as one device sees it: its word. A proof of what is final is checked by `npm run capsule -- verify`.',
  commands: [head, block, watch, peers, admit, leave, newcomer],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.exitCode = explain('chain', error);
}
