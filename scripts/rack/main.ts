/** The rack as a process: `node scripts/rack/main.ts FILE`. Ends orderly on SIGTERM and SIGINT; killed, it takes the power along. */
import { lineLog } from '../../device/log.ts';
import { readRackFile, startRack } from './rack.ts';

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node scripts/rack/main.ts FILE\n');
  process.exit(2);
}
const log = lineLog((line) => process.stdout.write(`${line}\n`), Date.now);
try {
  const rack = await startRack(readRackFile(file), log);
  let isEnding = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isEnding) process.exit(1);
      isEnding = true;
      void rack.stop().then(() => process.exit(0));
    });
  }
} catch (error) {
  process.stderr.write(`rack: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
