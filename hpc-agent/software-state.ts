/**
 * What the agent says of the machine and of itself. Specification §6.3. A report, not a measurement: no TPM vouches for
 * it, and whoever controls the box can make it say anything. What it shows is change: by accident, update or a careless hand.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SoftwareState } from '#protocol/box-messages.ts';
import { packageListBytesMax, packageListMs } from './limits.ts';
import type { Runtime } from './runtimes.ts';

export interface SoftwareSource {
  /** As it is now; what can't change while the agent runs was read once. @throws Error with `code` */
  read(): Promise<SoftwareState>;
}

/** @param isolation how capsules are kept apart, in words of the executor */
export async function openSoftwareSource(runtimes: readonly Runtime[], isolation: readonly string[]): Promise<SoftwareSource> {
  const fixed = {
    agent: await agentDigest(),
    kernel: word(os.release()),
    commandLine: sha256(await readFile('/proc/cmdline')),
    bootId: word(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    runtimes: runtimes.map(({ name, version, digest }) => ({ name: word(name), version: word(version), digest })),
    isolation: isolation.map(word),
  };
  const packages = new PackageList();
  return { read: async () => ({ ...fixed, packages: await packages.digest() }) };
}

/**
 * SHA-256 of the bundle where the agent is one; otherwise of the list that `sha256sum` makes of all files under
 * `hpc-agent/` and `protocol/`, sorted by path from the repository's root.
 */
export async function agentDigest(): Promise<Uint8Array> {
  const self = fileURLToPath(import.meta.url);
  const root = path.dirname(path.dirname(self));
  if (path.basename(path.dirname(self)) !== 'hpc-agent' || !existsSync(path.join(root, 'protocol'))) return sha256(await readFile(self));
  const files = [...(await sourceFiles(root, 'hpc-agent')), ...(await sourceFiles(root, 'protocol'))].sort();
  const lines = await Promise.all(files.map(async (file) => `${sha256(await readFile(path.join(root, file))).toHex()}  ${file}\n`));
  return sha256(lines.join(''));
}

async function sourceFiles(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

/** How a system lists its packages, and the file whose change means another list. */
const packageManagers = [
  {
    database: '/var/lib/dpkg/status',
    program: '/usr/bin/dpkg-query',
    arguments: ['-W', '-f', '${Package}:${Architecture} ${Version} ${Status}\n'],
  },
  { database: '/var/lib/rpm/rpmdb.sqlite', program: '/usr/bin/rpm', arguments: ['-qa'] },
  { database: '/usr/lib/sysimage/rpm/rpmdb.sqlite', program: '/usr/bin/rpm', arguments: ['-qa'] },
] as const;

/** SHA-256 of the sorted package list; of nothing where there is no package manager that we know. */
class PackageList {
  #known: { readonly stamp: string; readonly digest: Uint8Array } | undefined;

  async digest(): Promise<Uint8Array> {
    const manager = packageManagers.find(({ database, program }) => existsSync(database) && existsSync(program));
    if (manager === undefined) return sha256('');
    const { mtimeMs, size, ino } = await stat(manager.database);
    const stamp = `${mtimeMs} ${size} ${ino}`;
    if (this.#known?.stamp !== stamp)
      this.#known = { stamp, digest: sha256(sortedLines(await listPackages(manager.program, manager.arguments))) };
    return this.#known.digest;
  }
}

function listPackages(program: string, programArguments: readonly string[]): Promise<string> {
  const options = { timeout: packageListMs, maxBuffer: packageListBytesMax, env: { LANG: 'C.UTF-8' } };
  return new Promise((resolve, reject) => {
    execFile(program, programArguments, options, (error, stdout) => {
      if (error) reject(new Error(`${program} can't list the packages: ${error.message}`));
      else resolve(stdout);
    });
  });
}

function sortedLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort()
    .map((line) => `${line}\n`)
    .join('');
}

/** One line of at most 80 characters (§6.3). */
function word(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 80)
    .toWellFormed();
}

function sha256(content: string | Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(content).digest());
}
