/**
 * Which runtimes a box has for capsules, found at fixed places of the system (never through PATH, which whoever starts
 * the agent can bend), and how each is started. A runtime's digest covers its interpreter's file, not its libraries.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, realpath } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { runtimeVersionCharactersMax, runtimeVersionMs } from './limits.ts';

export interface Runtime {
  readonly name: RuntimeName;
  /** Absolute path without links; empty for `executable`, which is started by itself. */
  readonly path: string;
  /** As the interpreter tells it, one line. */
  readonly version: string;
  /** SHA-256 of the interpreter's file, 32 bytes; of nothing for `executable`. */
  readonly digest: Uint8Array;
}

export type RuntimeName = keyof typeof recipes;

/** All runtimes that this machine has, in the order of the table below. @throws Error when an interpreter cannot be read */
export async function detectRuntimes(): Promise<Runtime[]> {
  const found = await Promise.all((Object.keys(recipes) as RuntimeName[]).map(detect));
  return found.filter((runtime) => runtime !== undefined);
}

/** The command that starts a capsule's entry. Pure. @param entry absolute path inside the sandbox @param interpreter ditto */
export function commandFor(name: RuntimeName, interpreter: string, entry: string, capsuleArguments: readonly string[]): string[] {
  if (name === 'executable') return [entry, ...capsuleArguments];
  return [interpreter, ...recipes[name].before(entry), entry, ...capsuleArguments];
}

interface Recipe {
  /** Where it may lie, first found first taken. */
  readonly places: readonly string[];
  readonly versionArguments: readonly string[];
  /** What stands between the interpreter and the entry. */
  before(entry: string): string[];
  /** Folders under /etc that the interpreter reads. */
  readonly configuration?: readonly string[];
}

const plain = () => [];

const recipes = {
  shell: { places: ['/bin/sh'], versionArguments: [], before: plain },
  bash: { places: ['/bin/bash'], versionArguments: ['--version'], before: plain },
  // -u: progress and logs arrive while it runs, not when a buffer fills.
  python: { places: ['/usr/bin/python3'], versionArguments: ['--version'], before: () => ['-u'] },
  node: { places: [process.execPath], versionArguments: ['--version'], before: plain },
  perl: { places: ['/usr/bin/perl'], versionArguments: ['-e', 'print $^V'], before: plain, configuration: ['/etc/perl'] },
  ruby: { places: ['/usr/bin/ruby'], versionArguments: ['--version'], before: plain },
  lua: { places: ['/usr/bin/lua', '/usr/bin/lua5.4', '/usr/bin/lua5.3'], versionArguments: ['-v'], before: plain },
  php: { places: ['/usr/bin/php'], versionArguments: ['--version'], before: plain, configuration: ['/etc/php'] },
  r: { places: ['/usr/bin/Rscript'], versionArguments: ['--version'], before: () => ['--vanilla'], configuration: ['/etc/R'] },
  julia: { places: ['/usr/bin/julia', '/usr/local/bin/julia'], versionArguments: ['--version'], before: () => ['--startup-file=no'] },
  java: {
    places: ['/usr/bin/java'],
    versionArguments: ['--version'],
    before: (entry: string) => (entry.endsWith('.jar') ? ['-jar'] : []),
    configuration: ['/etc/java-11-openjdk', '/etc/java-17-openjdk', '/etc/java-21-openjdk', '/etc/java-25-openjdk'],
  },
  executable: { places: [], versionArguments: [], before: plain },
} satisfies Record<string, Recipe>;

/** Folders under /etc that this runtime reads; some may be absent. */
export function configurationOf(name: RuntimeName): readonly string[] {
  const recipe: Recipe = recipes[name];
  return recipe.configuration ?? [];
}

async function detect(name: RuntimeName): Promise<Runtime | undefined> {
  if (name === 'executable') return { name, path: '', version: process.arch, digest: createHash('sha256').digest() };
  const recipe = recipes[name];
  const path = await firstExecutable(recipe.places);
  if (path === undefined) return undefined;
  const version = await tellVersion(path, recipe.versionArguments);
  return version === undefined ? undefined : { name, path, version, digest: await fileDigest(path) };
}

async function firstExecutable(places: readonly string[]): Promise<string | undefined> {
  for (const place of places) {
    try {
      await access(place, constants.X_OK);
      return await realpath(place);
    } catch {
      continue; // not installed here
    }
  }
  return undefined;
}

/** Undefined when the interpreter doesn't work; a shell has no common way to tell its version. */
function tellVersion(path: string, versionArguments: readonly string[]): Promise<string | undefined> {
  if (versionArguments.length === 0) return Promise.resolve(path);
  const options = { timeout: runtimeVersionMs, env: { LANG: 'C.UTF-8' }, maxBuffer: 65_536 };
  return new Promise((resolve) => {
    execFile(path, versionArguments, options, (error, stdout, stderr) => {
      const line = (stdout || stderr).trim().split('\n')[0] ?? '';
      resolve(error ? undefined : line.slice(0, runtimeVersionCharactersMax));
    });
  });
}

async function fileDigest(path: string): Promise<Uint8Array> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest();
}
