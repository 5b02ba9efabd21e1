/**
 * The set-up: makes a fresh checkout on a Linux machine ready to run, and does nothing when it is ready.
 * `npm start`, `npm test` and the others run it first. Plain JavaScript for Node >= 18 without dependencies,
 * because it runs before any of them is there. README.md, "The set-up".
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { buildNativeAddon } from './setup/addon.mjs';
import { groups, missingCapabilities } from './setup/capabilities.mjs';
import { judgeMachine, requireWritable, unwritableFolder } from './setup/machine.mjs';
import { installNpmPackages } from './setup/npm-packages.mjs';
import { probeMachine } from './setup/probes.mjs';
import { forgetReady, isReady, rememberReady, root } from './setup/stamp.mjs';
import { SetupRefused, createReport } from './setup/report.mjs';
import { installSystemPackages } from './setup/system-packages.mjs';

const help = `usage: node scripts/setup.mjs [--with GROUP] [--check] [--verbose] [--help]

Makes this checkout ready to run: npm packages, Debian packages, the native addon; then probes the machine.
It runs by itself before npm start, npm test, npm run check, npm run bench and npm run fuzz.

  --with GROUP  add what only some commands need as well: hardware (a kernel is built), tests (a BMC is simulated)
  --check       say what is missing and change nothing (exit 1 when something is)
  --verbose     show every probe and the output of every program
  --help        this text
`;

const lockWaitSeconds = 900; // a first installation over a slow line; the lock goes with its holder, so waiting is safe
const lockedMark = 'CAPSTAN_SETUP_LOCKED';
const exitBusy = 75;

process.exitCode = await main(process.argv.slice(2));

async function main(words) {
  const group = words.includes('--with') ? (words[words.indexOf('--with') + 1] ?? '') : undefined;
  const unknown = words.find((word) => !['--with', group, '--check', '--verbose', '--help', '-h'].includes(word));
  if (unknown !== undefined || (group !== undefined && !groups.includes(group))) {
    process.stderr.write(`set-up does not know ${unknown === undefined ? `the group "${group}"` : `the option ${unknown}`}\n\n${help}`);
    return 2;
  }
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(help);
    return 0;
  }
  const options = { check: words.includes('--check'), verbose: words.includes('--verbose'), group };
  if (!options.check && !options.verbose && isComplete(group)) return 0;
  if (options.check || process.env[lockedMark] !== undefined || unwritableFolder() !== undefined) return setUp(options);
  return setUpAlone(words, options);
}

/** Runs the set-up under flock(1): the kernel drops the lock with its holder, so a lock is never stale. */
function setUpAlone(words, options) {
  mkdirSync(join(root, 'build'), { recursive: true });
  const own = [process.env.npm_node_execpath ?? process.execPath, join(root, 'scripts/setup.mjs'), ...words];
  const flock = (...how) =>
    spawnSync('flock', [...how, join(root, 'build/setup.lock'), ...own], {
      stdio: 'inherit',
      env: { ...process.env, [lockedMark]: '1' },
    });
  const first = flock('--nonblock', '--conflict-exit-code', String(exitBusy));
  if (first.error !== undefined) return setUp(options);
  if (first.status !== exitBusy) return first.status ?? 1;
  process.stdout.write('set-up: another set-up of this checkout is running; waiting for it to finish\n');
  const second = flock('--wait', String(lockWaitSeconds), '--conflict-exit-code', String(exitBusy));
  if (second.status !== exitBusy) return second.status ?? 1;
  process.stderr.write(`set-up: the other set-up has not finished after ${lockWaitSeconds} seconds; end it, then try again\n`);
  return 1;
}

/** Nothing is left to do. */
function isComplete(group) {
  return isReady() && (group === undefined || missingCapabilities(group).length === 0);
}

async function setUp(options) {
  if (!options.check && !options.verbose && isComplete(options.group)) return 0;
  const report = createReport(options);
  try {
    judgeMachine(report);
    if (!options.check) {
      requireWritable();
      forgetReady();
    }
    await installNpmPackages(report, options);
    await installSystemPackages(report, { ...options, group: 'base' });
    if (options.group !== undefined) await installSystemPackages(report, options);
    const files = await buildNativeAddon(report, options);
    const sound = report.complete() && (await probeMachine(report));
    if (!options.check && sound) rememberReady(files);
    return report.finish();
  } catch (error) {
    if (!(error instanceof SetupRefused)) throw error;
    report.refuse(error);
    return 1;
  }
}
