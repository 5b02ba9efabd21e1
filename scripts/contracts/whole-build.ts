/**
 * The contracts compiled together, and without their tests: what solc makes of a contract through its intermediate representation depends on
 * what is compiled beside it, so what stands in the tree comes of all sources in one run, never of those that happened to change.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder, contractsFolder, requireForge } from './forge.ts';

export const wholeFolder = join(buildFolder, 'whole');
const stampFile = join(wholeFolder, 'sources.sha256');

/** Does nothing where the last build was of these very sources. @returns what forge said @throws Error with what forge said */
export async function buildWhole(): Promise<string> {
  const stamp = sourcesDigest();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return 'no source has changed since the last build\n';
  rmSync(wholeFolder, { recursive: true, force: true });
  const environment = { FOUNDRY_OUT: join(wholeFolder, 'out'), FOUNDRY_CACHE_PATH: join(wholeFolder, 'cache') };
  const output = await requireForge({ args: ['build', '--skip', 'test'], environment });
  mkdirSync(wholeFolder, { recursive: true });
  writeFileSync(stampFile, stamp);
  return output;
}

function sourcesDigest(): string {
  const sources = readdirSync(join(contractsFolder, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.sol'));
  const files = [...sources.sort().map((name) => join('src', name)), 'foundry.toml', 'solc.cjs', '../package-lock.json'];
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\n`)
      .update(readFileSync(join(contractsFolder, file)))
      .update('\n');
  return hash.digest('hex');
}
