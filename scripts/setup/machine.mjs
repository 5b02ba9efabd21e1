/** The machine itself: operating system, processor, free memory and disk. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { root } from './stamp.mjs';
import { SetupRefused } from './report.mjs';

const gibibyte = 1024 ** 3;
const memoryBytesWanted = 2 * gibibyte; // three devices, three agents, the compiler
const diskBytesWanted = 2 * gibibyte; // npm packages with the pinned Node 0.5 GiB, Debian packages 0.6 GiB, state
const diskBytesLeast = gibibyte / 2;

export function judgeMachine(report) {
  requireSystem(process.platform, process.arch);
  report.note('system', `Linux on ${process.arch}, Node ${process.versions.node}`);
  const memory = availableMemoryBytes();
  if (memory < memoryBytesWanted) report.warn('memory', `${gib(memory)} are free; ${gib(memoryBytesWanted)} or more make a smooth run`);
  else report.note('memory', `${gib(memory)} free`);
  const disk = freeDiskBytes();
  if (disk < diskBytesLeast) {
    throw new SetupRefused(`${gib(disk)} of disk are free under ${root}; the installation needs ${gib(diskBytesLeast)} at least`);
  }
  if (disk < diskBytesWanted) report.warn('disk', `${gib(disk)} are free; ${gib(diskBytesWanted)} or more are wanted`);
  else report.note('disk', `${gib(disk)} free`);
}

/** @throws {SetupRefused} when Capstan does not run on this system */
export function requireSystem(platform, arch) {
  if (platform !== 'linux') {
    const advice =
      platform === 'win32'
        ? 'wsl --install -d Debian     then run npm start in that Debian'
        : 'use a Linux machine, a virtual machine or a container, and run npm start there';
    throw new SetupRefused(`Capstan runs on Linux (x64 or arm64); this is ${platform}.`, advice);
  }
  if (arch !== 'x64' && arch !== 'arm64') {
    throw new SetupRefused(
      `Capstan runs on 64-bit x64 and arm64 processors; this Node was built for ${arch}.`,
      'use a 64-bit system with a 64-bit Node',
    );
  }
}

/** The first folder of the checkout that the set-up writes to and this account cannot; undefined when it can. */
export function unwritableFolder(checkout = root) {
  const folders = [checkout, join(checkout, 'node_modules'), join(checkout, 'build')].filter((folder) => existsSync(folder));
  return folders.find((folder) => !isWritable(folder));
}

/** @throws {SetupRefused} when this account cannot write where the set-up has to */
export function requireWritable(folder = unwritableFolder()) {
  if (folder === undefined) return;
  throw new SetupRefused(
    `this checkout is not ready yet, and this account cannot write to ${folder}.`,
    'clone it into a folder of your own, or give it to your account with chown -R, then try again',
  );
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function availableMemoryBytes() {
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return line === null ? memoryBytesWanted : Number(line[1]) * 1024;
}

function freeDiskBytes() {
  const { bavail, bsize } = statfsSync(root);
  return bavail * bsize;
}

function gib(bytes) {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}
