/** npm packages: `npm ci` when what is installed differs from package-lock.json. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';

import { root } from './stamp.mjs';
import { SetupRefused, lastLines, runProgram } from './report.mjs';

const passing = /ETIMEDOUT|ECONNRESET|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|network|502|503|504/;
const progressMs = 1000;

export async function installNpmPackages(report, { check, verbose }) {
  const wanted = readLock('package-lock.json');
  const installed = readLock('node_modules/.package-lock.json');
  const differing = differingPackages(wanted, installed, process);
  if (differing.length === 0) return report.note('npm packages', `${Object.keys(installed).length} as package-lock.json says`);
  if (check) return report.missing('npm packages', `${differing.length} differ from package-lock.json`);
  await report.step('npm packages', `installing what package-lock.json names`, async (say) => {
    const stop = countInstalled(say);
    try {
      const done = await runNpmCi(verbose);
      if (!done.ok) throw new SetupRefused(`npm ci failed:\n${lastLines(done.output)}`, 'npm ci --loglevel=verbose     # shows more');
    } finally {
      stop();
    }
  });
}

/** The packages of the lock that are not installed as it says; those for other systems don't count. */
export function differingPackages(wanted, installed, { platform, arch }) {
  return Object.entries(wanted)
    .filter(([path, entry]) => path !== '' && entry.link !== true && fits(entry.os, platform) && fits(entry.cpu, arch))
    .filter(([path, entry]) => entry.version !== installed[path]?.version || entry.integrity !== installed[path]?.integrity)
    .filter(([path, entry]) => !(entry.optional === true && entry.libc !== undefined && installed[path] === undefined))
    .map(([path]) => path);
}

function fits(names, own) {
  if (names === undefined) return true;
  const list = [names].flat();
  const allowed = list.filter((name) => !name.startsWith('!'));
  return !list.includes(`!${own}`) && (allowed.length === 0 || allowed.includes(own));
}

function readLock(path) {
  const file = join(root, path);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

async function runNpmCi(verbose) {
  const [file, args] = npmCommand(process.env);
  const run = () =>
    runProgram(file, [...args, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], { cwd: root, verbose });
  const first = await run();
  return first.ok || !passing.test(first.output) ? first : run();
}

/** The npm that runs us, under the Node that runs it: ours may stand in the node_modules that npm ci replaces. */
export function npmCommand(env) {
  if (env.npm_execpath?.endsWith('.js')) return [env.npm_node_execpath ?? 'node', [env.npm_execpath]];
  const beside = join(dirname(process.execPath), 'npm');
  return [!process.execPath.startsWith(root) && existsSync(beside) ? beside : 'npm', []];
}

function countInstalled(say) {
  const timer = setInterval(() => {
    const folder = join(root, 'node_modules');
    const count = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith('.')).length : 0;
    say(`installing what package-lock.json names (${count} folders so far)`);
  }, progressMs);
  return () => clearInterval(timer);
}
