/** The files of the repository: those that git tracks or would track, so that work in progress is looked at too. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const code = /\.(ts|mjs|js)$/;

/** Paths relative to the root, in order. */
export function repositoryFiles(): string[] {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  return [...new Set(list.split('\0'))].filter((path) => path !== '' && existsSync(join(root, path))).sort();
}

export function isCode(path: string): boolean {
  return code.test(path);
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

export function sizeBytes(path: string): number {
  return statSync(join(root, path)).size;
}
