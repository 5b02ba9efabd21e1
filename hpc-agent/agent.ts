/** The agent as a process: `node hpc-agent/agent.ts --state FOLDER`. Ends orderly on SIGTERM and SIGINT. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { startAgent, type Agent } from './main.ts';

// What a capsule's user must reach is made readable on purpose, and what is the agent's alone names its mode: neither these nor
// the umask that a capsule sees shall depend on who starts the agent.
process.umask(0o022);

const usage = 'usage: node hpc-agent/agent.ts --state FOLDER   (the folder that pairing filled)\n';

await main();

async function main(): Promise<void> {
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) return void process.stdout.write(usage);
  const stateFolder = readArguments();
  if (stateFolder === undefined) return end(usage, 2);
  try {
    endOnSignal(await startAgent({ stateFolder }));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    end(`${error.message}\n`, 1);
  }
}

function readArguments(): string | undefined {
  try {
    return parseArgs({ options: { state: { type: 'string' } } }).values.state;
  } catch {
    return undefined;
  }
}

/** A second signal ends the process at once; what is on the disk is enough for the next agent. */
function endOnSignal(agent: Agent): void {
  let isEnding = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isEnding) process.exit(1);
      isEnding = true;
      void agent.stop().then(() => process.exit(0));
    });
  }
}

/** What was opened before the failure must not keep the process. */
function end(words: string, status: number): void {
  process.stderr.write(words, () => process.exit(status));
}
