/** Probes: what is installed does work on this machine. Each that fails says why and what to do about it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { program } from './capabilities.mjs';
import { SetupRefused, lastLines, runProgram } from './report.mjs';
import { root } from './stamp.mjs';

const nobody = '65534';
const sandboxArguments = [
  '--unshare-all',
  '--unshare-user',
  '--disable-userns',
  '--die-with-parent',
  '--ro-bind',
  '/',
  '/',
  '--proc',
  '/proc',
  '--dev',
  '/dev',
  '--',
  '/bin/true',
];

/** @returns {Promise<boolean>} whether every probe passed; a machine without the pinned Node is refused */
export async function probeMachine(report) {
  await requirePinnedNode(report);
  const probes = [probeCompiler, probeSoftwareTpm, probeBroker, probeSandbox];
  const results = await Promise.all(probes.map((probe) => probe()));
  for (const { name, ok, text } of results) (ok ? report.note : report.warn)(name, text);
  return results.every(({ ok }) => ok);
}

async function requirePinnedNode(report) {
  const { ok, output } = await runProgram(join(root, 'node_modules/.bin/node'), ['--version']);
  if (!ok) {
    throw new SetupRefused(
      `the pinned Node does not run here:\n${lastLines(output)}`,
      'it needs glibc 2.28 or newer and libstdc++ (Debian 11, Ubuntu 20.04 or newer)',
    );
  }
  report.note('pinned Node', `${output.trim()} runs`);
}

async function probeCompiler() {
  const { ok, output } = await runProgram('sh', ['-c', "echo '#include <tss2/tss2_esys.h>' | g++ -fsyntax-only -x c++ -"]);
  return { name: 'compiler', ok, text: ok ? 'g++ finds tpm2-tss' : `g++ cannot compile against tpm2-tss: ${lastLines(output)}` };
}

async function probeSoftwareTpm() {
  const { ok, output } = await runProgram('swtpm', ['socket', '--tpm2', '--print-capabilities']);
  return { name: 'software TPM', ok, text: ok ? 'swtpm runs' : `swtpm does not run: ${lastLines(output)}` };
}

async function probeBroker() {
  const { output } = await runProgram(program('mosquitto') ?? 'mosquitto', ['-h']);
  const version = /mosquitto version (\d+)\.(\d+)\S*/.exec(output);
  const ok = version !== null && Number(version[1]) >= 2;
  return {
    name: 'MQTT broker',
    ok,
    text: ok ? `${version[0]} runs` : `mosquitto 2.0 or newer is needed; this one says: ${lastLines(output).slice(0, 200)}`,
  };
}

async function probeSandbox() {
  const bwrap = program('bwrap') ?? 'bwrap';
  const drop = ['--reuid', nobody, '--regid', nobody, '--clear-groups', '--', bwrap];
  const asRoot = process.getuid() === 0;
  const { ok, output } = await runProgram(asRoot ? 'setpriv' : bwrap, [...(asRoot ? drop : []), ...sandboxArguments]);
  return {
    name: 'sandbox',
    ok,
    text: ok ? 'bubblewrap works without root' : `bubblewrap does not work without root: ${output.trim()}\n${sandboxAdvice()}`,
  };
}

/** What stands in the way of an unprivileged user namespace, and the line that removes it. */
function sandboxAdvice() {
  if (kernelSetting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return `  AppArmor forbids it to bwrap on this system. Allow it:\n  printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile bwrap /usr/bin/bwrap flags=(unconfined) {\\n  userns,\\n}\\n' | sudo tee /etc/apparmor.d/bwrap && sudo apparmor_parser -r /etc/apparmor.d/bwrap`;
  }
  if (kernelSetting('kernel/unprivileged_userns_clone') === '0')
    return '  Allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1';
  if (kernelSetting('user/max_user_namespaces') === '0') return '  Allow user namespaces: sudo sysctl -w user.max_user_namespaces=10000';
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) {
    return '  This is a container; start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined';
  }
  return '  Capsules cannot run on this machine until it does; the device and its TPM can.';
}

function kernelSetting(path) {
  const file = `/proc/sys/${path}`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}
