/** `npm run pair`: gives clients and boxes their certificates from a device, and takes them back. Specification §5.6. */
import { OtherBrokerUnknown } from '../hpc-agent/other-broker.ts';
import { PairingFailed } from '../hpc-agent/prover-talk.ts';
import { WindowNotOpened } from '../device/pairing/open-window.ts';
import { runProgram, UsageError, type Program } from './arguments.ts';
import { client } from './pair/client.ts';
import { PairFailure } from './pair/device-folder.ts';
import { join } from './pair/join.ts';
import { list } from './pair/list.ts';
import { measure } from './pair/measure.ts';
import { open } from './pair/open.ts';
import { remove } from './pair/remove.ts';
import { endWhenUnread, harmless } from './terminal.ts';

const program: Program = {
  name: 'npm run pair --',
  summary: 'Pairs clients and HPC boxes with a device: from then on they have a certificate of it, and rights of their own.',
  commands: [open, join, client, list, measure, remove],
};

endWhenUnread();
try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (error) {
  process.exitCode = explain(error);
}

/** @returns the exit status: 2 for what was typed or given wrongly, 1 for everything else */
function explain(error: unknown): number {
  const known = [UsageError, PairFailure, WindowNotOpened, PairingFailed, OtherBrokerUnknown].some((kind) => error instanceof kind);
  if (error instanceof Error && (known || 'syscall' in error)) {
    process.stderr.write(`pair: ${harmless(error.message)}\n`);
    return error instanceof UsageError || (error instanceof WindowNotOpened && error.code === 'bad-name') ? 2 : 1;
  }
  process.stderr.write(
    `pair: this is a fault of the program\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}
