/**
 * What the guest of the hardware bench sees: a folder that every user can read, with the kernel, the pinned Node, the addon,
 * the boards, and each test as one file. The guest's root is this machine's own file system, so it runs without rights and
 * reads nothing of the checkout, which may lie in a folder of root.
 */
import { globSync, realpathSync, statSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { loadAddon } from '../../device/addon.ts';
import { UsageError } from '../arguments.ts';
import { bundleTests } from '../bundle.ts';
import type { Kernel } from './kernel.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Stage {
  readonly folder: string;
  readonly kernel: string;
  readonly init: string;
  /** The one place where the guest may write. */
  readonly output: string;
  remove(): Promise<void>;
}

/** @param part of a test file's name; all tests without it @returns files in the checkout @throws UsageError where none is meant */
export function testsNamed(part = ''): string[] {
  const tests = globSync('test/hardware/*.test.ts', { cwd: root }).sort();
  const nameOf = (file: string): string => basename(file, '.test.ts');
  const meant = tests.filter((file) => nameOf(file).includes(part));
  if (meant.length > 0) return meant;
  throw new UsageError(`no test of the hardware bench has "${part}" in its name; there are ${tests.map(nameOf).join(', ')}`);
}

export async function stageTests(kernel: Kernel, tests: readonly string[]): Promise<Stage> {
  const helpers = globSync('test/hardware/*.ts', { cwd: root, exclude: ['**/*.test.ts'] });
  const folder = await mkdtemp(join(sharedFolder(), 'capstan-hardware-'));
  const inside = (...names: string[]): string => join(folder, ...names);
  for (const name of ['test', 'build/addon', 'output']) await mkdir(inside(name), { recursive: true });
  await Promise.all([
    copyFile(kernel.program, inside('linux')),
    ...Object.entries(kernel.modules).map(([name, file]) => copyFile(file, inside(`${name}.ko`))),
    copyFile(execPath, inside('node')),
    copyFile(fileURLToPath(new URL('init.sh', import.meta.url)), inside('init.sh')),
    copyFile(loadAddon().path, inside('build/addon', basename(loadAddon().path))),
    cp(join(root, 'board-configs'), inside('board-configs'), { recursive: true }),
    bundleTests([...tests, ...helpers], inside('test')),
  ]);
  for (const name of ['', ...(await readdir(folder, { recursive: true }))]) await chmod(inside(name), 0o755);
  await chmod(inside('output'), 0o777);
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return { folder, kernel: inside('linux'), init: inside('init.sh'), output: inside('output'), remove };
}

/** A temporary folder that every user can reach: that of root may lie where nobody else may go. */
function sharedFolder(): string {
  const isOpen = (folder: string): boolean => (statSync(folder).mode & 0o001) !== 0 && (folder === '/' || isOpen(dirname(folder)));
  return isOpen(realpathSync(tmpdir())) ? tmpdir() : '/tmp';
}
