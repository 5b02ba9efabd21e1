/**
 * Builds the native addon (device/addon: TPM and board) with one call of g++ against the headers inside the pinned Node.
 *
 * Plain JavaScript for any Node from 18 on, because it runs before the pinned one is chosen. The result is
 * `build/addon/capstan-<arch>-<hash>.node`; the hash covers sources, flags and the version of tpm2-tss, so an
 * addon that is up to date is not built again.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { argv, pid } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sourcesFolder = join(root, 'device/addon');
const libraries = ['tss2-esys', 'tss2-mu', 'tss2-rc', 'tss2-tctildr'];
const flags = [
  '-std=c++17',
  '-O2',
  '-g0',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-rtti',
  '-fstack-protector-strong',
  '-D_FORTIFY_SOURCE=2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wl,-z,relro,-z,now',
];
const sanitizerFlags = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-omit-frame-pointer'];

/**
 * Makes sure that the addon for this machine is there.
 *
 * @param {{ sanitize?: boolean }} [options] sanitize: with AddressSanitizer and UBSan, into build/addon-sanitized
 * @returns {Promise<{ path: string, built: boolean }>} built: false when it was up to date
 */
export async function buildAddon({ sanitize = false } = {}) {
  const arch = process.arch;
  const headers = requireHeaders(arch);
  const version = await requireTss();
  const compiler = process.env['CXX'] ?? 'g++';
  const allFlags = sanitize ? [...flags.filter((f) => f !== '-O2' && f !== '-D_FORTIFY_SOURCE=2'), ...sanitizerFlags] : flags;
  const folder = join(root, 'build', sanitize ? 'addon-sanitized' : 'addon');
  const hash = await hashOf([compiler, ...allFlags, `tss ${version}`]);
  const name = `capstan-${arch}-${hash}.node`;
  const path = join(folder, name);
  if (existsSync(path)) return { path, built: false };
  await compile({ compiler, flags: allFlags, headers, path });
  await removeOthers(folder, arch, name);
  return { path, built: true };
}

function requireHeaders(arch) {
  const headers = join(root, 'node_modules', `node-linux-${arch}`, 'include/node');
  if (existsSync(join(headers, 'node_api.h'))) return headers;
  throw new Error(`The headers of the pinned Node are missing (${headers}); run: npm ci --include=optional`);
}

async function requireTss() {
  try {
    return (await run('pkg-config', ['--modversion', ...libraries])).stdout.trim().split('\n')[0];
  } catch (cause) {
    throw new Error(
      'The native addon needs tpm2-tss with its headers and pkg-config; on Debian and Raspberry Pi OS: ' +
        'sudo apt install pkg-config libtss2-dev',
      { cause },
    );
  }
}

async function hashOf(parameters) {
  const hash = createHash('sha256');
  for (const parameter of parameters) hash.update(`${parameter}\0`);
  for (const file of (await readdir(sourcesFolder)).sort()) {
    const content = await readFile(join(sourcesFolder, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

async function compile({ compiler, flags: compilerFlags, headers, path }) {
  const sources = (await readdir(sourcesFolder)).filter((file) => file.endsWith('.cc')).sort();
  const unfinished = `${path}.${pid}`;
  await mkdir(dirname(path), { recursive: true });
  const args = [
    ...compilerFlags,
    `-I${headers}`,
    `-ffile-prefix-map=${root}=.`,
    ...sources.map((file) => join(sourcesFolder, file)),
    ...libraries.map((library) => `-l${library}`),
    '-o',
    unfinished,
  ];
  try {
    await run(compiler, args, { cwd: root });
  } catch (cause) {
    await rm(unfinished, { force: true });
    if (cause.code === 'ENOENT') {
      throw new Error(`No C++ compiler (${compiler}); on Debian and Raspberry Pi OS: sudo apt install g++`, { cause });
    }
    throw new Error(`The native addon does not compile:\n${cause.stderr}`, { cause });
  }
  await rename(unfinished, path);
}

/** One addon an architecture, so that the loader needs no hash to find it. */
async function removeOthers(folder, arch, keep) {
  for (const file of await readdir(folder)) {
    const old = file.startsWith(`capstan-${arch}-`) && file.endsWith('.node') && file !== keep;
    if (old) await rm(join(folder, file), { force: true });
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { path, built } = await buildAddon({ sanitize: argv.includes('--sanitize') });
  console.log(`${built ? 'built' : 'up to date'}: ${path}`);
}
