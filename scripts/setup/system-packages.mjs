/** Debian packages: adds those whose capability is missing, as root or through sudo, or says exactly what to type. */
import process from 'node:process';

import { missingCapabilities, program } from './capabilities.mjs';
import { SetupRefused, lastLines, runProgram } from './report.mjs';

const passing =
  /Could not get lock|Temporary failure|Hash Sum mismatch|Failed to fetch|Connection (failed|timed out|reset)|404 +Not Found|Mirror sync in progress/;
const options = '-y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3';
const policyMark = 'capstan set-up: no service is started while it installs';

/** @param group of capabilities: `base`, which everything needs, or a further one */
export async function installSystemPackages(report, { check, verbose, group = 'base' }) {
  const missing = missingCapabilities(group);
  const title = group === 'base' ? 'system packages' : `${group} packages`;
  const list = missing.map(({ name, use }) => `${name} (${use})`).join(', ');
  if (missing.length === 0) return report.note(title, 'all there');
  if (check) return report.missing(title, list);
  if (program('apt-get') === undefined) throw withoutApt(missing, list);
  const asRoot = await rootRunner(missing, list, verbose);
  await report.step(title, `adding ${list}`, async (say) => {
    const packages = await offeredPackages(missing, asRoot);
    const done = await installWithRetry(packages, (script) => asRoot(script, (text) => showProgress(text, say)));
    say(`added ${packages.join(' ')}`);
    if (!done.ok) throw new SetupRefused(`the Debian packages could not be installed:\n${lastLines(done.output)}`, typed(packages));
  });
  const still = missingCapabilities(group).map(({ name }) => name);
  if (still.length > 0)
    throw new SetupRefused(
      `after the installation these are still missing: ${still.join(', ')}.`,
      typed(missing.map(({ packages }) => packages.at(-1))),
    );
}

/**
 * The shell script that root runs. Debian starts and enables a service as its package is installed; Capstan runs its
 * own brokers, so a broker that this script brings is kept from starting, now and at the next boot. A policy that the
 * machine already has is left as it is, and ours goes away whatever happens.
 */
export function installScript(packages, policy = '/usr/sbin/policy-rc.d') {
  return `set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
policy=${policy}
if grep -qs '${policyMark}' $policy; then rm -f $policy; fi
if [ ! -e $policy ]; then
  trap 'rm -f ${policy}' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\n# ${policyMark}\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
apt-get install ${options} ${packages.join(' ')}
${packages.includes('mosquitto') ? disableBroker : ''}`;
}

const disableBroker = `if [ -d /run/systemd/system ]; then systemctl disable --now mosquitto.service
elif command -v update-rc.d >/dev/null; then update-rc.d mosquitto disable; fi
`;

async function installWithRetry(packages, asRoot) {
  const first = await asRoot(installScript(packages));
  if (first.ok || !(first.output === '' || passing.test(first.output))) return first;
  await asRoot(updateScript);
  return asRoot(installScript(packages));
}

const updateScript = 'DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get update -o Acquire::Retries=3';

function showProgress(text, say) {
  const last = text
    .split('\n')
    .map(progressIn)
    .findLast((progress) => progress !== undefined);
  if (last !== undefined) say(last);
}

/** What a line of apt-get tells about how far it is; undefined for the others. */
export function progressIn(line) {
  const [, got] = /^Get:\d+ \S+ \S+ \S+ (\S+)/.exec(line) ?? [];
  if (got !== undefined) return `downloading ${got}`;
  const [, doing, name] = /^(Unpacking|Setting up) ([^ :]+)/.exec(line) ?? [];
  return doing === undefined ? undefined : `${doing.toLowerCase()} ${name}`;
}

/** One package for each capability: the first alternative that the package sources offer. */
async function offeredPackages(missing, asRoot) {
  const first = await offered(missing);
  if (first.every((name) => name !== undefined)) return first;
  const update = await asRoot(updateScript);
  if (!update.ok && passing.test(update.output)) await asRoot(updateScript);
  const second = await offered(missing);
  const lacking = missing.filter((_, index) => second[index] === undefined);
  if (lacking.length === 0) return second;
  throw new SetupRefused(
    `this machine's package sources offer nothing for ${lacking.map(({ name }) => name).join(', ')}${update.ok ? '' : `:\n${lastLines(update.output)}`}`,
    'look at /etc/apt/sources.list: Debian needs the component main, Ubuntu main and universe',
  );
}

async function offered(missing) {
  const names = missing.flatMap(({ packages }) => packages);
  const { output } = await runProgram('apt-cache', ['policy', ...names], { env: { ...process.env, LC_ALL: 'C' } });
  const known = new Set([...output.matchAll(/^(\S+):\n(?: .*\n)*? +Candidate: (?!\(none\))/gm)].map(([, name]) => name));
  return missing.map(({ packages }) => packages.find((name) => known.has(name)));
}

/** How this process becomes root: it is root, sudo asks nothing, or a person answers sudo now. */
async function rootRunner(missing, list, verbose) {
  if (process.getuid() === 0) return (script, hear) => runProgram('sh', ['-c', script], { verbose, hear });
  if (await becomeSudoer()) return (script, hear) => runProgram('sudo', ['-n', 'sh', '-c', script], { verbose, hear });
  const names = await offered(missing);
  throw new SetupRefused(
    `these are missing, and adding them needs root: ${list}.`,
    typed(missing.map(({ packages }, index) => names[index] ?? packages.at(-1))),
  );
}

async function becomeSudoer() {
  if (program('sudo') === undefined) return false;
  const granted = async () => (await runProgram('sudo', ['-n', 'true'])).ok;
  if (await granted()) return true;
  if (!process.stdin.isTTY || process.env.CI !== undefined) return false;
  process.stdout.write('set-up: adding Debian packages needs root; sudo may ask for your password\n');
  return (await runProgram('sudo', ['-v'], { terminal: true })).ok && granted();
}

/** What a person types instead; Debian starts and enables a broker as it is installed, and this ends that again. */
export function typed(packages, withSudo = program('sudo') !== undefined && process.getuid() !== 0) {
  const noService = packages.includes('mosquitto') ? ' && update-rc.d mosquitto disable && service mosquitto stop' : '';
  const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}${noService}`;
  return withSudo ? `sudo sh -c '${command}'` : `${command}     # as root`;
}

function withoutApt(missing, list) {
  const names = missing.map(({ packages }) => packages.at(-1)).join(', ');
  return new SetupRefused(
    `these are missing: ${list}.`,
    `This system has no apt-get. Add what its own packages call (Debian's names): ${names}`,
  );
}
