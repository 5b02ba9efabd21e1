/** `npm run box`: where the boxes of the devices on this machine stand, and the operator's word to them. Specification §17.7. */
import process from 'node:process';
import { runProgram, type Program } from './arguments.ts';
import { list } from './box/list.ts';
import { orders } from './box/orders.ts';
import { show } from './box/show.ts';
import { explain } from './capsule/failure.ts';
import { endWhenUnread } from './terminal.ts';

const program: Program = {
  name: 'npm run box --',
  summary: 'Shows the boxes of the devices that run on this machine, switches them, cuts them off and takes them back.',
  commands: [list, show, ...orders],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.exitCode = explain('box', error);
}
