/**
 * The door of commands that need what the set-up brings, and nothing of it set up anew: says what to run first. Plain
 * JavaScript for Node >= 18, because it runs before anything is there. README.md, "The set-up".
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isReady = existsSync(join(root, 'node_modules/.bin/node'));

if (!isReady)
  process.stderr.write('This checkout is not set up yet: run `npm start` first (or `node scripts/setup.mjs` for the set-up alone).\n');
process.exitCode = isReady ? 0 : 1;
