/**
 * What Capstan needs of the system, as capabilities: a program, a header or a shared library that is there or not.
 * Packages only say where a missing one comes from, because their names differ from release to release (Debian 13
 * renamed libraries to …t64).
 */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** Each package list names alternatives: the first that the machine's package sources offer is taken. */
const needed = [
  { name: 'swtpm', use: 'software TPM', has: () => program('swtpm'), packages: ['swtpm'] },
  { name: 'swtpm_setup', use: 'TPM manufacture', has: () => program('swtpm_setup') && program('swtpm_localca'), packages: ['swtpm-tools'] },
  {
    name: 'tss2_esys.h',
    use: 'TPM library',
    has: () => header('tss2/tss2_esys.h') && header('tss2/tss2_tctildr.h'),
    packages: ['libtss2-dev'],
  },
  {
    name: 'libtss2-tcti-swtpm',
    use: 'way to swtpm',
    has: () => library('libtss2-tcti-swtpm.so.0'),
    packages: ['libtss2-tcti-swtpm0t64', 'libtss2-tcti-swtpm0'],
  },
  {
    name: 'libtss2-tcti-device',
    use: 'way to a TPM chip',
    has: () => library('libtss2-tcti-device.so.0'),
    packages: ['libtss2-tcti-device0t64', 'libtss2-tcti-device0'],
  },
  { name: 'tpm2_quote', use: "a box's TPM", has: () => program('tpm2_quote') && program('tpm2_createek'), packages: ['tpm2-tools'] },
  { name: 'mosquitto', use: 'MQTT broker', has: () => program('mosquitto'), packages: ['mosquitto'] },
  {
    name: 'mosquitto_pub',
    use: 'MQTT from a shell',
    has: () => program('mosquitto_pub') && program('mosquitto_sub'),
    packages: ['mosquitto-clients'],
  },
  { name: 'bwrap', use: 'sandbox', has: () => program('bwrap'), packages: ['bubblewrap'] },
  { name: 'g++', use: 'compiler', has: () => program('g++'), packages: ['g++'] },
  { name: 'pkg-config', use: 'paths of libraries', has: () => program('pkg-config'), packages: ['pkgconf', 'pkg-config'] },
  { name: 'python3', use: 'capsules in Python', has: () => program('python3'), packages: ['python3'] },
  { name: 'openssl', use: 'certificate checks', has: () => program('openssl'), packages: ['openssl'] },
  { name: 'setpriv', use: 'dropping of rights', has: () => program('setpriv'), packages: ['util-linux'] },
  { name: 'ipmitool', use: 'boxes with a BMC', has: () => program('ipmitool'), packages: ['ipmitool'] },
  // What only `npm test` needs.
  { name: 'ipmi_sim', use: 'a BMC to test against', has: () => program('ipmi_sim'), packages: ['openipmi'], group: 'tests' },
  // What only `npm run hardware` needs: to build a kernel.
  ...[
    { name: 'make', use: 'building a kernel', has: () => program('make'), packages: ['make'] },
    { name: 'gcc', use: 'building a kernel', has: () => program('gcc'), packages: ['gcc'] },
    { name: 'flex', use: 'building a kernel', has: () => program('flex'), packages: ['flex'] },
    { name: 'bison', use: 'building a kernel', has: () => program('bison'), packages: ['bison'] },
    { name: 'bc', use: 'building a kernel', has: () => program('bc'), packages: ['bc'] },
    { name: 'xz', use: 'unpacking its source', has: () => program('xz'), packages: ['xz-utils'] },
    { name: 'insmod', use: 'loading its modules', has: () => program('insmod'), packages: ['kmod'] },
    { name: 'gelf.h', use: 'building a kernel', has: () => header('gelf.h'), packages: ['libelf-dev'] },
  ].map((capability) => ({ ...capability, group: 'hardware' })),
];

/** Further groups of capabilities, which only some commands need. */
export const groups = ['hardware', 'tests'];

const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const headerFolders = ['/usr/include', '/usr/local/include'];
const multiarch = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch] ?? '';
const libraryFolders = ['/usr/lib', '/usr/lib64', '/lib', '/lib64', '/usr/local/lib'].flatMap((folder) => [
  join(folder, multiarch),
  folder,
]);

/** The capabilities of a group that this machine lacks: `{ name, use, packages }` each. */
export function missingCapabilities(group = 'base', has = (capability) => capability.has()) {
  return needed
    .filter((capability) => (capability.group ?? 'base') === group && !has(capability))
    .map(({ name, use, packages }) => ({ name, use, packages }));
}

/** The full path of a program, also of those in the sbin folders, which a person's PATH often lacks. */
export function program(name) {
  const folders = [...(process.env.PATH ?? '').split(':').filter((folder) => folder !== ''), ...systemFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function header(path) {
  return headerFolders.some((folder) => existsSync(join(folder, path)));
}

function library(name) {
  return libraryFolders.some((folder) => existsSync(join(folder, name)) || versions(folder, name).length > 0);
}

function versions(folder, name) {
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.startsWith(`${name}.`)) : [];
}
