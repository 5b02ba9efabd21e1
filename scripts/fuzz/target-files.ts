/** The fuzz targets stand beside the tests, because they are made of the same vectors; each file there exports a list. */
import { globSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';

import type { FuzzTarget } from './trial.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function findTargets(): Promise<FuzzTarget[]> {
  const files = globSync('test/fuzz/*.ts', { cwd: root }).sort();
  const modules = await Promise.all(
    files.map(async (file) => (await import(pathToFileURL(join(root, file)).href)) as Readonly<Record<string, unknown>>),
  );
  return modules.flatMap((module) => Object.values(module).flatMap((exported) => (isTargets(exported) ? exported : [])));
}

function isTargets(exported: unknown): exported is FuzzTarget[] {
  return (
    Array.isArray(exported) &&
    exported.every((item: unknown) => typeof item === 'object' && item !== null && 'seeds' in item && 'run' in item)
  );
}
