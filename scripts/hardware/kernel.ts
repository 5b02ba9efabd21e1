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
import { durationText } from '../terminal.ts';

const run = promisify(execFile);
const configFile = fileURLToPath(new URL('kernel.config', import.meta.url));

/** The release whose kernel works: in Linux 6.1 of the release before it, Node hangs and the TPM proxy does not come up. */
const release = { suite: 'trixie', package: 'linux-source-6.12', folder: 'linux-source-6.12' } as const;

/** The registers of a processor with AMX need 11,008 bytes; the source keeps 2,696 words for some older one. */
const registersPatch = { file: 'arch/x86/um/user-offsets.c', from: 'HOST_FP_SIZE, 2696', to: 'HOST_FP_SIZE, 12288' } as const;

const outputMax = 64 * 1024 * 1024;
const compileMaxMs = 40 * 60_000;

export class KernelFailure extends Error {}

export interface Kernel {
  /** The kernel, a program. */
  readonly program: string;
  /** Modules by name: they are loaded with parameters in the guest. */
  readonly modules: Readonly<Record<'i2c-stub', string>>;
}

/** @throws KernelFailure in a sentence: another processor, no sources, what the compiler said */
export async function requireKernel({ rebuild, say }: { rebuild: boolean; say: (line: string) => void }): Promise<Kernel> {
  if (process.arch !== 'x64') throw new KernelFailure(`User-Mode Linux runs on x86-64 only; this machine is ${process.arch}`);
  const folder = join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'capstan', 'hardware', await recipeDigest());
  const kernel: Kernel = { program: join(folder, 'linux'), modules: { 'i2c-stub': join(folder, 'i2c-stub.ko') } };
  if (!rebuild && existsSync(kernel.program)) return kernel;
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'build-'));
  const begun = performance.now();
  try {
    say(`kernel: fetching ${release.package} of Debian ${release.suite} (150 MB)`);
    const source = await fetchSource(work);
    say('kernel: compiling, about 3 minutes on two free cores');
    await compile(source, join(folder, 'build.log'));
    await copyFile(join(source, 'drivers/i2c/i2c-stub.ko'), kernel.modules['i2c-stub']);
    await copyFile(join(source, 'linux'), `${kernel.program}.new`);
    await rename(`${kernel.program}.new`, kernel.program);
    say(`kernel: built in ${durationText(performance.now() - begun)}, kept in ${folder}`);
    return kernel;
  } finally {
    await rm(work, { recursive: true, force: true });
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
  await perform('apt-get', [...options, 'update', '-q'], work, 'the package list could not be fetched');
  await perform('apt-get', [...options, 'download', '-q', release.package], work, 'the source could not be fetched');
  const deb = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (deb === undefined) throw new KernelFailure(`apt-get brought no ${release.package}`);
  const archive = `./usr/src/${release.folder}.tar.xz`;
  await perform(
    'bash',
    ['-o', 'pipefail', '-c', `dpkg-deb --fsys-tarfile '${deb}' | tar -xO '${archive}' | xz -dc | tar -x`],
    work,
    'the source could not be unpacked',
  );
  return join(work, release.folder);
}

/** The mirror that this machine has its own Debian packages from, and the keys of all releases. */
async function debianMirror(): Promise<readonly [string, string]> {
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  if (!existsSync(keys)) throw new KernelFailure(`${keys} is missing: the kernel is built from Debian's sources, on Debian`);
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(COMPONENT)', 'Created-By: Packages']);
  const mirrors = stdout.split('\n').map((line) => line.split(' '));
  const found = mirrors.find(([uri = '', origin, component]) => origin === 'Debian' && component === 'main' && !uri.includes('security'));
  if (found?.[0] === undefined) throw new KernelFailure('this machine has no Debian package source; run: apt-get update');
  return [found[0], keys];
}

async function compile(source: string, log: string): Promise<void> {
  const patched = join(source, registersPatch.file);
  const text = await readFile(patched, 'utf8');
  if (!text.includes(registersPatch.from))
    throw new KernelFailure(`${registersPatch.file} of this source is another; look at registersPatch`);
  await writeFile(patched, text.replace(registersPatch.from, registersPatch.to));
  await perform('make', ['-s', 'ARCH=um', 'tinyconfig'], source, 'the kernel could not be configured');
  const config = join(source, '.config');
  await writeFile(config, `${await readFile(config, 'utf8')}\n${await readFile(configFile, 'utf8')}`);
  await perform('make', ['-s', 'ARCH=um', 'olddefconfig'], source, 'the kernel could not be configured');
  await compileInto(log, ['-s', `-j${availableParallelism()}`, 'ARCH=um', 'linux', 'modules'], source);
}

function compileInto(log: string, words: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const output = createWriteStream(log);
    const make = spawn('make', words, { cwd, timeout: compileMaxMs, stdio: ['ignore', 'pipe', 'pipe'] });
    make.stdout.pipe(output, { end: false });
    make.stderr.pipe(output, { end: false });
    make.on('error', reject);
    make.on('close', (status) => {
      output.end();
      if (status === 0) resolve();
      else reject(new KernelFailure(`the kernel does not compile; see ${log}`));
    });
  });
}

async function perform(program: string, words: readonly string[], cwd: string, failure: string): Promise<void> {
  try {
    await run(program, words, { cwd, maxBuffer: outputMax });
  } catch (cause) {
    const output =
      cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim().split('\n').slice(-5).join('\n') : String(cause);
    throw new KernelFailure(`${failure}: ${output}`, { cause });
  }
}
