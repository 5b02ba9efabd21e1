/** `npm run trust`: how it stands with the members, proven. Specification §18. */
import { runProgram, type Program } from './arguments.ts';
import { explain } from './capsule/failure.ts';
import { endWhenUnread } from './terminal.ts';
import { exportTrust } from './trust/export.ts';
import { nodes } from './trust/nodes.ts';
import { show } from './trust/show.ts';
import { verify } from './trust/verify.ts';
import { watch } from './trust/watch.ts';

const program: Program = {
  name: 'npm run trust --',
  summary:
    'Shows whom the network trusts and why. What a device says is checked by the network file, down to the votes and the chips behind them.',
  commands: [nodes, show, watch, exportTrust, verify],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.exitCode = explain('trust', error);
}
