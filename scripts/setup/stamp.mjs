/**
 * The stamp of a finished set-up: a hash of everything that the set-up depends on, kept in node_modules (a new
 * installation removes it). As long as it fits and every program is there, the set-up has nothing to do.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { missingCapabilities } from './capabilities.mjs';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const stampFile = join(root, 'node_modules/.capstan-setup');
const installedLock = join(root, 'node_modules/.package-lock.json');
const nativeSource = /\.(c|cc|cpp|h|hpp|gyp)$/;

/** Nothing has changed since the last finished set-up. */
export function isReady() {
  if (!existsSync(stampFile) || !existsSync(installedLock)) return false;
  const [hash, ...files] = readFileSync(stampFile, 'utf8').trimEnd().split('\n');
  return hash === hashOfInputs() && files.every((file) => existsSync(resolve(root, file))) && missingCapabilities().length === 0;
}

/** @param {readonly string[]} files what has to be there for the set-up to be finished */
export function rememberReady(files) {
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, `${[hashOfInputs(), 'node_modules/.bin/node', ...files].join('\n')}\n`);
}

export function forgetReady() {
  rmSync(stampFile, { force: true });
}

function hashOfInputs() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of inputs())
    hash
      .update(`${file}\n`)
      .update(readFileSync(join(root, file)))
      .update('\n');
  return hash.digest('hex');
}

function inputs() {
  const files = ['package-lock.json', 'package.json', ...filesUnder('scripts').filter((file) => file.endsWith('.mjs'))];
  return [...files, ...filesUnder('device').filter((file) => nativeSource.test(file))].sort();
}

function filesUnder(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}
