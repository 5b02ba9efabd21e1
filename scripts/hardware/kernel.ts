/**
 * The kernel of the hardware bench: Linux as a program of this machine (ARCH=um), from Debian's sources, built once and kept.
 * Owner of make and of apt-get's downloads. User-Mode Linux: Documentation/virt/uml/user_mode_linux_howto_v2.rst.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createInterface } from 'node:readline';
import { durationText } from '../terminal.ts';
import { NotPossible } from './not-possible.ts';

const run = promisify(execFile);
const configFile = fileURLToPath(new URL('kernel.config', import.meta.url));

/** The release whose kernel works: in Linux 6.1 of the release before it, Node hangs and the TPM proxy does not come up. */
const release = { suite: 'trixie', package: 'linux-source-6.12', folder: 'linux-source-6.12' } as const;

/** The registers of a processor with AMX need 11,008 bytes; the source keeps 2,696 words for some older one. */
const registersPatch = { file: 'arch/x86/um/user-offsets.c', from: 'HOST_FP_SIZE, 2696', to: 'HOST_FP_SIZE, 12288' } as const;

const outputMax = 64 * 1024 * 1024;
/** 150 MB and their unpacking take a minute; two cores compile for 3 minutes, with other things to do for ten. */
const fetchMaxMs = 5 * 60_000;
const compileMaxMs = 25 * 60_000;
/** Files that are compiled, to say how far it is. */
const filesCompiled = 950;
const saidEveryMs = 15_000;

/** A build that is ended by a person takes its gigabyte along. */
const endingSignals = ['SIGINT', 'SIGTERM'] as const;
const ending = new AbortController();

export class KernelFailure extends Error {}

export interface Kernel {
  /** The kernel, a program. */
  readonly program: string;
  /** Modules by name: they are loaded with parameters in the guest. */
  readonly modules: Readonly<Record<'i2c-stub', string>>;
}

/** @throws NotPossible @throws KernelFailure in a sentence: what the compiler said */
export async function requireKernel({ rebuild, say }: { rebuild: boolean; say: (line: string) => void }): Promise<Kernel> {
  if (process.arch !== 'x64') throw new NotPossible(`User-Mode Linux runs on x86-64 only, and this machine is ${process.arch}`);
  const folder = join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'capstan', 'hardware', await recipeDigest());
  const kernel: Kernel = { program: join(folder, 'linux'), modules: { 'i2c-stub': join(folder, 'i2c-stub.ko') } };
  if (!rebuild && existsSync(kernel.program)) return kernel;
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'build-'));
  const begun = performance.now();
  const stop = (): void => ending.abort();
  for (const signal of endingSignals) process.once(signal, stop);
  try {
    say(`kernel: fetching ${release.package} of Debian ${release.suite} (150 MB)`);
    const source = await fetchSource(work);
    say('kernel: compiling, about 3 minutes on two free cores');
    await compile(source, join(folder, 'build.log'), say);
    await copyFile(join(source, 'drivers/i2c/i2c-stub.ko'), kernel.modules['i2c-stub']);
    await copyFile(join(source, 'linux'), `${kernel.program}.new`);
    await rename(`${kernel.program}.new`, kernel.program);
    say(`kernel: built in ${durationText(performance.now() - begun)}, kept in ${folder}`);
    return kernel;
  } catch (error) {
    throw ending.signal.aborted ? new KernelFailure('stopped before the kernel was built') : error;
  } finally {
    for (const signal of endingSignals) process.off(signal, stop);
    // What unpacks or compiles may need a moment to end.
    await rm(work, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** Another configuration or another way of building it is another kernel. */
async function recipeDigest(): Promise<string> {
  const hash = createHash('sha256');
  for (const part of [await readFile(configFile), JSON.stringify([release, registersPatch])]) hash.update(part);
  return hash.digest('hex').slice(0, 16);
}

/** By an apt of its own folders: the machine's package sources stay as they are. @returns the folder of the unpacked source */
async function fetchSource(work: string): Promise<string> {
  const [mirror, keys] = await debianMirror();
  const sources = `Types: deb\nURIs: ${mirror}\nSuites: ${release.suite}\nComponents: main\nSigned-By: ${keys}\n`;
  const parts = join(work, 'sources');
  for (const folder of [parts, join(work, 'lists/partial'), join(work, 'archives/partial')]) await mkdir(folder, { recursive: true });
  await writeFile(join(parts, 'source.sources'), sources);
  await writeFile(join(work, 'status'), '');
  const settings = {
    'Dir::State': work,
    'Dir::State::status': join(work, 'status'),
    'Dir::State::lists': join(work, 'lists'),
    'Dir::Cache': work,
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': parts,
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const fetched = (words: readonly string[]): Promise<void> =>
    perform('apt-get', [...options, ...words], work, `no ${release.package} could be fetched from ${mirror}`).catch((error: unknown) => {
      throw new NotPossible(error instanceof Error ? error.message : String(error), { cause: error });
    });
  await fetched(['update', '-q']);
  await fetched(['download', '-q', release.package]);
  const deb = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (deb === undefined) throw new KernelFailure(`apt-get brought no ${release.package}`);
  await perform('dpkg-deb', ['--extract', deb, work], work, 'the source could not be unpacked');
  await perform('tar', ['-xJf', `usr/src/${release.folder}.tar.xz`], work, 'the source could not be unpacked');
  return join(work, release.folder);
}

/** The mirror that this machine has its own Debian packages from, and the keys of all releases. */
async function debianMirror(): Promise<readonly [string, string]> {
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  if (!existsSync(keys)) throw new NotPossible(`the kernel is built from Debian's sources, on Debian; here ${keys} is missing`);
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(COMPONENT)', 'Created-By: Packages']);
  const mirrors = stdout.split('\n').map((line) => line.split(' '));
  const found = mirrors.find(([uri = '', origin, component]) => origin === 'Debian' && component === 'main' && !uri.includes('security'));
  if (found?.[0] === undefined) throw new NotPossible('this machine has no Debian package source; if it should, run: apt-get update');
  return [found[0], keys];
}

async function compile(source: string, log: string, say: (line: string) => void): Promise<void> {
  const patched = join(source, registersPatch.file);
  const text = await readFile(patched, 'utf8');
  if (!text.includes(registersPatch.from))
    throw new KernelFailure(`${registersPatch.file} of this source is another; look at registersPatch`);
  await writeFile(patched, text.replace(registersPatch.from, registersPatch.to));
  await perform('make', ['-s', 'ARCH=um', 'tinyconfig'], source, 'the kernel could not be configured');
  const config = join(source, '.config');
  await writeFile(config, `${await readFile(config, 'utf8')}\n${await readFile(configFile, 'utf8')}`);
  await perform('make', ['-s', 'ARCH=um', 'olddefconfig'], source, 'the kernel could not be configured');
  await make(source, log, say);
}

/** Says from time to time how far it is; everything that make and the compiler said is in the log. */
function make(source: string, log: string, say: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const output = createWriteStream(log);
    const words = [`-j${availableParallelism()}`, 'ARCH=um', 'linux', 'modules'];
    const program = spawn('make', words, { cwd: source, timeout: compileMaxMs, signal: ending.signal, stdio: ['ignore', 'pipe', 'pipe'] });
    let files = 0;
    createInterface({ input: program.stdout }).on('line', (line) => (files += line.startsWith('  CC ') ? 1 : 0));
    const timer = setInterval(() => say(`kernel: ${files} of some ${filesCompiled} files are compiled`), saidEveryMs);
    program.stdout.pipe(output, { end: false });
    program.stderr.pipe(output, { end: false });
    program.on('error', reject);
    program.on('close', (status, signal) => {
      clearInterval(timer);
      output.end();
      if (status === 0) resolve();
      else if (signal === null) reject(new KernelFailure(`the kernel does not compile; see ${log}`));
      else
        reject(
          new KernelFailure(`the compiling of the kernel was ended by ${signal}; it may take ${durationText(compileMaxMs)}; see ${log}`),
        );
    });
  });
}

async function perform(program: string, words: readonly string[], cwd: string, failure: string): Promise<void> {
  try {
    await run(program, words, { cwd, maxBuffer: outputMax, timeout: fetchMaxMs, signal: ending.signal });
  } catch (cause) {
    const output =
      cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim().split('\n').slice(-5).join('\n') : String(cause);
    throw new KernelFailure(`${failure}: ${output}`, { cause });
  }
}
