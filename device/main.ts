/**
 * The firmware's process.
 *
 *     node device/main.ts run --state DIR
 *     node device/main.ts card --state DIR [--salt HEX] [--intermediate FILE]…
 *
 * A card is made for the network whose file lies in DIR, or with the salt of one that is being founded.
 *
 * It ends with 0 when asked to, and otherwise with a code that tells its supervisor what to do.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startDevice } from './device.ts';
import { writeCard } from './enrol.ts';
import { needsRestart, IdentityError } from './identity/identity-error.ts';
import { lineLog } from './log.ts';

// Whatever is made from here on is for the firmware's account alone, also what a library makes.
process.umask(0o077);

/** As in sysexits.h: try again at once; or leave it until somebody has looked. */
const EXIT = { again: 75, operator: 78, usage: 64 } as const;

const log = lineLog((line) => process.stderr.write(`${line}\n`), Date.now);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { state: { type: 'string' }, salt: { type: 'string' }, intermediate: { type: 'string', multiple: true } },
});

const [command] = positionals;
if (command === 'run' && values.state !== undefined) await run(values.state);
else if (command === 'card' && values.state !== undefined) await card(values.state, values.salt, values.intermediate ?? []);
else {
  process.stderr.write('usage: node device/main.ts run --state DIR | card --state DIR [--salt HEX] [--intermediate FILE]…\n');
  process.exitCode = EXIT.usage;
}

async function run(stateFolder: string): Promise<void> {
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
  try {
    const device = await startDevice({ stateFolder, log, onFailure: end });
    const stop = (): void => void device.stop().then(() => process.exit(0), end);
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  } catch (error) {
    end(error);
  }
}

async function card(stateFolder: string, salt: string | undefined, intermediates: readonly string[]): Promise<void> {
  try {
    const file = await writeCard(stateFolder, {
      ...(salt === undefined ? {} : { salt: Uint8Array.fromHex(salt) }),
      endorsementIntermediates: intermediates.map((name) => new Uint8Array(readFileSync(name))),
    });
    log('cardWritten', { file });
  } catch (error) {
    end(error);
  }
}

function end(error: unknown): never {
  log('deviceEnded', { reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof IdentityError && !needsRestart(error) ? EXIT.operator : EXIT.again);
}
