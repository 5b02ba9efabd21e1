/**
 * What the guest of the hardware bench sees: a folder that every user can read, with the kernel, the pinned Node, the addon,
 * the boards, and each test as one file. The guest's root is this machine's own file system, so it runs without rights and
 * reads nothing of the checkout, which may lie in a folder of root.
 */
import { globSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { loadAddon } from '../../device/addon.ts';
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

/** @param part of a test file's name; all tests without it @throws Error where no test is meant */
export async function stageTests(kernel: Kernel, part = ''): Promise<Stage> {
  const tests = globSync('test/hardware/*.test.ts', { cwd: root }).filter((file) => file.includes(part));
  if (tests.length === 0) throw new Error(`no file of test/hardware/ has "${part}" in its name`);
  const helpers = globSync('test/hardware/*.ts', { cwd: root, exclude: ['**/*.test.ts'] });
  const folder = await mkdtemp(join(tmpdir(), 'capstan-hardware-'));
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
  for (const name of ['linux', 'node', 'init.sh']) await chmod(inside(name), 0o755);
  await chmod(folder, 0o755);
  await chmod(inside('output'), 0o777);
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return { folder, kernel: inside('linux'), init: inside('init.sh'), output: inside('output'), remove };
}
