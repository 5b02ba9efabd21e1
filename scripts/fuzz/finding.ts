/** What fuzzing found, kept where a test can take it from. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../build/fuzz/', import.meta.url));

/** @returns the path of the file with the input's bytes */
export function saveFinding(target: string, seed: number, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${target.replace(/[^A-Za-z0-9]+/g, '-')}-${seed}.bin`);
  writeFileSync(file, input);
  return file;
}
