/** The set-up: what it decides, and that it changes nothing when nothing is missing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

type Lock = Record<
  string,
  { version?: string; integrity?: string; os?: string | string[]; cpu?: string | string[]; libc?: string[]; optional?: boolean }
>;
type System = { platform: string; arch: string };
const load = async (name: string): Promise<unknown> => import(new URL(`../../scripts/setup/${name}.mjs`, import.meta.url).href);
const { differingPackages, npmCommand } = (await load('npm-packages')) as {
  differingPackages: (wanted: Lock, installed: Lock, system: System) => string[];
  npmCommand: (environment: Record<string, string>) => [string, string[]];
};
const { installScript, progressIn, typed } = (await load('system-packages')) as {
  installScript: (packages: readonly string[], policy?: string) => string;
  progressIn: (line: string) => string | undefined;
  typed: (packages: readonly string[], withSudo: boolean) => string;
};
const { fitTimed } = (await load('report')) as { fitTimed: (text: string, time: string, columns?: number) => string };
const { missingCapabilities } = (await load('capabilities')) as {
  missingCapabilities: (group: string, has?: (capability: { name: string }) => boolean) => { name: string; packages: string[] }[];
};
const { requireSystem, requireWritable } = (await load('machine')) as {
  requireSystem: (platform: string, arch: string) => void;
  requireWritable: (folder: string | undefined) => void;
};

const linux = { platform: 'linux', arch: 'x64' };

test('npm packages: one that is missing or of another version differs; one for another system does not', () => {
  const wanted: Lock = {
    '': {},
    'node_modules/same': { version: '1.0.0', integrity: 'a' },
    'node_modules/older': { version: '2.0.0', integrity: 'b' },
    'node_modules/gone': { version: '1.0.0', integrity: 'c' },
    'node_modules/arm': { version: '1.0.0', integrity: 'd', cpu: 'arm64', optional: true },
    'node_modules/windows': { version: '1.0.0', integrity: 'e', os: ['win32'], optional: true },
    'node_modules/not-mac': { version: '1.0.0', integrity: 'f', os: ['!darwin'] },
  };
  const installed: Lock = {
    'node_modules/same': { version: '1.0.0', integrity: 'a' },
    'node_modules/older': { version: '1.9.0', integrity: 'b' },
  };
  assert.deepEqual(differingPackages(wanted, installed, linux), ['node_modules/older', 'node_modules/gone', 'node_modules/not-mac']);
});

test('npm packages: npm ci is run by the npm and the Node that started the set-up', () => {
  assert.deepEqual(npmCommand({ npm_execpath: '/n/npm-cli.js', npm_node_execpath: '/n/node' }), ['/n/node', ['/n/npm-cli.js']]);
});

test('a system without Capstan is refused with what to do', () => {
  assert.doesNotThrow(() => {
    requireSystem('linux', 'arm64');
  });
  assert.throws(
    () => {
      requireSystem('darwin', 'arm64');
    },
    { message: /runs on Linux/, advice: /virtual machine/ },
  );
  assert.throws(
    () => {
      requireSystem('win32', 'x64');
    },
    { advice: /wsl --install/ },
  );
  assert.throws(
    () => {
      requireSystem('linux', 'arm');
    },
    { message: /64-bit/ },
  );
});

test('a capability that is missing names the packages that bring it, with the names of both Debian releases', () => {
  const [found, ...rest] = missingCapabilities('base', ({ name }) => name !== 'libtss2-tcti-swtpm');
  assert.deepEqual([found?.packages, rest], [['libtss2-tcti-swtpm0t64', 'libtss2-tcti-swtpm0'], []]);
});

test('the line to type for root is a line that a shell takes as it stands, and it leaves no broker of the system behind', () => {
  for (const withSudo of [true, false]) {
    const line = typed(['swtpm', 'mosquitto'], withSudo);
    assert.equal(spawnSync('sh', ['-n', '-c', line]).status, 0, line);
    assert.match(
      line,
      /apt-get install -y --no-install-recommends swtpm mosquitto && update-rc\.d mosquitto disable && service mosquitto stop/,
    );
  }
  assert.doesNotMatch(typed(['swtpm'], true), /update-rc\.d/);
});

test('the live line shows what apt-get is at, and its time also where the terminal is narrow', () => {
  assert.equal(progressIn('Get:3 http://deb.example/debian bookworm/main amd64 swtpm amd64 0.7.1-1.3 [28.3 kB]'), 'downloading swtpm');
  assert.equal(progressIn('Setting up libtss2-dev:amd64 (3.2.1-3) ...'), 'setting up libtss2-dev');
  assert.equal(progressIn('Reading package lists...'), undefined);
  assert.equal(fitTimed('+ system packages', '1.0 s', 20), '+ system pa…  1.0 s');
  assert.equal(fitTimed('+ npm', '1.0 s', 20), '+ npm  1.0 s');
});

test('a checkout that this account cannot write to is refused with what to do', () => {
  assert.doesNotThrow(() => {
    requireWritable(undefined);
  });
  assert.throws(
    () => {
      requireWritable('/checkout/build');
    },
    { message: /cannot write to \/checkout\/build/, advice: /chown/ },
  );
});

test('no service starts while packages are added, and the policy that sees to it goes away, also on a failure', () => {
  assert.deepEqual(runInstallScript('exit 0'), { status: 0, during: 'ours', after: undefined });
  assert.deepEqual(runInstallScript('exit 100'), { status: 100, during: 'ours', after: undefined });
});

test('a service policy that the machine already has stays as it is', () => {
  assert.deepEqual(runInstallScript('exit 0', '#!/bin/sh\nexit 0\n'), { status: 0, during: 'theirs', after: '#!/bin/sh\nexit 0\n' });
});

test('a service policy that an interrupted set-up left behind is removed', () => {
  const left = /printf '(#!.*)' > /.exec(installScript([], '/nowhere'))?.[1]?.replaceAll('\\n', '\n');
  assert.deepEqual(runInstallScript('exit 0', left), { status: 0, during: 'ours', after: undefined });
});

test(
  '--check on a ready machine changes nothing and says so',
  { skip: !existsSync(join(root, 'node_modules/.package-lock.json')) && 'not installed' },
  () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs'), '--check'], { encoding: 'utf8' });
    assert.match(stdout, /nothing is missing/, stderr);
    assert.equal(status, 0);
  },
);

test('an unknown option is refused with the options that there are', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs'), '--chek'], { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /does not know the option --chek[^]*--check/);
});

/** Runs the script of root with an apt-get of ours, and tells whose policy held during and what is there after. */
function runInstallScript(aptGet: string, policy?: string): { status: number | null; during: string; after: string | undefined } {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-setup-'));
  try {
    const [file, seen, apt] = ['policy-rc.d', 'seen', 'apt-get'].map((name) => join(folder, name)) as [string, string, string];
    if (policy !== undefined) writeFileSync(file, policy);
    writeFileSync(apt, `#!/bin/sh\ncat ${file} > ${seen}\n${aptGet}\n`);
    chmodSync(apt, 0o755);
    const { status } = spawnSync('sh', ['-c', installScript(['bubblewrap'], file)], { env: { PATH: `${folder}:/usr/bin:/bin` } });
    const during = readFileSync(seen, 'utf8').includes('exit 101') ? 'ours' : 'theirs';
    return { status, during, after: existsSync(file) ? readFileSync(file, 'utf8') : undefined };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('a command before the set-up says what to run first, and exits with 1', () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-door-'));
  try {
    mkdirSync(join(folder, 'scripts'));
    copyFileSync(join(root, 'scripts/require-ready.mjs'), join(folder, 'scripts/require-ready.mjs'));
    const door = spawnSync(process.execPath, [join(folder, 'scripts/require-ready.mjs')], { encoding: 'utf8' });
    assert.equal(door.status, 1);
    assert.match(door.stderr, /run `npm start` first/);
    assert.equal(spawnSync(process.execPath, [join(root, 'scripts/require-ready.mjs')]).status, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
