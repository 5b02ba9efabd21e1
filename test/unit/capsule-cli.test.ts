/** What `npm run capsule` says to wrong input: a sentence that tells what would be right, and exit status 2. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { collectFiles } from '../../scripts/capsule/capsule-files.ts';
import { placeBelow } from '../../scripts/capsule/capsule-folder.ts';
import { readManifestFile } from '../../scripts/capsule/manifest-file.ts';

const program = new URL('../../scripts/capsule.ts', import.meta.url).pathname;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-cli-'));
});
after(() => rm(folder, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function capsule(...line: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...line], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...out }));
  });
}

async function refuses(line: string[], sentence: RegExp, status = 2): Promise<void> {
  const ended = await capsule(...line);
  assert.match(ended.stderr, sentence);
  assert.equal(ended.status, status, ended.stderr);
  assert.doesNotMatch(ended.stderr, /\n\s+at /, 'no stack trace');
}

async function manifest(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('the command line', () => {
  test('help names every command, and each command has its own', async () => {
    const { stdout, status } = await capsule('--help');
    assert.equal(status, 0);
    for (const name of ['submit', 'status', 'logs', 'result', 'cancel', 'verify', 'list'])
      assert.match(stdout, new RegExp(`^  ${name} ?`, 'm'));
    const help = await capsule('submit', '--help');
    assert.match(help.stdout, /usage: npm run capsule -- submit FOLDER\|FILE .*--no-wait/);
    assert.equal(help.status, 0);
  });

  test('an unknown option is refused with the nearest right one', () =>
    refuses(['submit', 'x', '--no-wiat'], /submit has no option --no-wiat; did you mean "--no-wait"\?/));
  test('an unknown command is refused with the nearest right one', () =>
    refuses(['sumbit', 'x'], /no command "sumbit"; did you mean "submit"\?/));
  test('an option without its value is refused', () => refuses(['list', '--state'], /--state needs a value/));
  test('a missing operand is named', () => refuses(['status'], /ID is missing: status ID/));
  test('a word too many is named', () => refuses(['status', 'aa', 'bb'], /"bb" is one word too many/));
  test('options that contradict each other are refused', () => refuses(['submit', 'x', '--watch', '--no-wait'], /contradict each other/));
  test('an id that is none is refused', () =>
    refuses(['status', 'zebra'], /"zebra" is not a capsule's id: an id has 32 hexadecimal digits/));
  test('an id that is not known here is refused', () =>
    refuses(['result', 'abc'], /no capsule submitted from \.capstan has an id that begins with abc/));
});

describe('the manifest (§7.1)', () => {
  test('a missing file is named', () => refuses(['submit', 'absent.yaml'], /there is no file absent\.yaml/));
  test('a folder without a manifest is refused', () => refuses(['submit', '.'], /holds no manifest; it must hold one of capsule\.yaml/));

  test('bad YAML is refused with its line', async () => {
    const path = await manifest('bad.yaml', 'capsule: 1\nruntime: node\nentry: [a.js\n');
    await refuses(['submit', path], /bad\.yaml, line \d: this is not YAML or JSON: /);
  });

  test('a key that stands twice is refused with its line', async () => {
    const path = await manifest('twice.yaml', 'capsule: 1\nruntime: node\nruntime: python\nentry: a.js\n');
    await refuses(['submit', path], /twice\.yaml, line 3: .*unique/);
  });

  test('a runtime that is no word is refused with line and key', async () => {
    const path = await manifest('runtime.yaml', 'capsule: 1\n\nruntime: "Node JS"\nentry: a.js\n');
    await refuses(['submit', path], /runtime\.yaml, line 3: runtime is "Node JS"; it must be a lower-case word such as "python"/);
  });

  test('an unknown key is refused with its line and the nearest right one', async () => {
    const path = await manifest('key.yaml', 'capsule: 1\nruntime: node\nentry: a.js\nlimits:\n  wallSeconds: 5\n  memoryMegabyte: 64\n');
    await refuses(['submit', path], /key\.yaml, line 6: limits has an unknown field "memoryMegabyte".*did you mean "memoryMegabytes"\?/);
  });

  test('a slip in the name of a field that has to be there is refused with both names and its line', async () => {
    const path = await manifest('slip.yaml', 'capsule: 1\nruntime: node\nentri: a.js\n');
    await refuses(
      ['submit', path],
      /slip\.yaml, line 3: the manifest has an unknown field "entri"; did you mean "entry", which it lacks\?/,
    );
  });

  test('a value of the wrong kind is refused with line and key', async () => {
    const path = await manifest(
      'kind.json',
      '{\n  "capsule": 1,\n  "runtime": "node",\n  "entry": "a.js",\n  "limits": { "wallSeconds": "long" }\n}\n',
    );
    await refuses(['submit', path], /kind\.json, line 5: limits\.wallSeconds is "long"; it must be a whole number/);
  });

  test('the version is asked for', async () => {
    const path = await manifest('version.yaml', 'runtime: node\nentry: a.js\n');
    await refuses(['submit', path], /version\.yaml, line 1: the manifest lacks the field "capsule"; write "capsule: 1"/);
  });

  test('an alias that grows without end is refused', async () => {
    const path = await manifest(
      'bomb.yaml',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
    );
    await refuses(['submit', path], /bomb\.yaml, line 1: this is not YAML or JSON: .*alias/i);
  });

  test('numbers among the arguments and in the environment are the text that was written', async () => {
    const path = await manifest(
      'numbers.yaml',
      'capsule: 1\nruntime: node\nentry: a.js\narguments: [--size, 640, 0x10, true, 1.50]\nenvironment:\n  THREADS: 4\n',
    );
    const { written } = await readManifestFile(path);
    assert.deepEqual(written.arguments, ['--size', '640', '0x10', 'true', '1.50']);
    assert.deepEqual(written.environment, { THREADS: '4' });
  });

  test('without a grid it says how to start one', async () => {
    await writeFile(join(folder, 'a.js'), '');
    const path = await manifest('fine.yaml', 'capsule: 1\nruntime: node\nentry: a.js\n');
    await refuses(
      ['submit', path],
      /there is no client in \.capstan\/clients: start a grid with `npm start`, or pair a client with `npm run pair`/,
      1,
    );
  });

  test('a device that is not there is said to be missing, with those that are', async () => {
    await mkdir(join(folder, 'state/clients/alpha/demo'), { recursive: true });
    await refuses(
      ['list', '--state', 'state', '--device', 'alhpa'],
      /--device alhpa: there is no such device here; did you mean "alpha"\?/,
    );
  });

  test('a certificate that is none is said to be damaged', async () => {
    const profile = join(folder, 'dead/clients/alpha/demo');
    await mkdir(profile, { recursive: true });
    for (const name of ['key.pem', 'certificate.pem', 'ca.pem']) await writeFile(join(profile, name), '');
    await writeFile(
      join(profile, 'connection.json'),
      JSON.stringify({ url: 'mqtts://127.0.0.1:1', device: 'alpha', network: '00'.repeat(32), client: 'demo' }),
    );
    await refuses(
      ['list', '--state', 'dead'],
      /the key or a certificate in dead\/clients\/alpha\/demo is damaged; pair again with npm run pair/,
      1,
    );
  });
});

describe('the files of a capsule', () => {
  const head = 'capsule: 1\nruntime: node\nentry: main.js\n';

  async function capsuleFolder(name: string, files: Record<string, string>, yaml: string): Promise<string> {
    const root = join(folder, name);
    for (const [path, content] of Object.entries({ 'main.js': '', ...files })) {
      await mkdir(join(root, path, '..'), { recursive: true });
      await writeFile(join(root, path), content);
    }
    await writeFile(join(root, 'capsule.yaml'), head + yaml);
    return root;
  }

  async function collected(root: string): Promise<string[]> {
    const { files } = await collectFiles(await readManifestFile(root));
    return files.map(({ path, executable }) => (executable ? `${path}*` : path));
  }

  test('a folder means all files below it; the entry is among them; executable files stay so', async () => {
    const root = await capsuleFolder(
      'tree',
      { 'data/a.txt': 'a', 'data/deep/b.txt': 'b', 'run.sh': '', 'other.txt': '' },
      'files: [./data/, run.sh]\n',
    );
    await chmod(join(root, 'run.sh'), 0o755);
    assert.deepEqual(await collected(root), ['data/a.txt', 'data/deep/b.txt', 'main.js', 'run.sh*']);
  });

  test('a path out of the folder is refused', async () => {
    for (const path of ['../secret.txt', '/etc/passwd', 'data/../../secret.txt']) {
      const root = await capsuleFolder('outside', {}, `files: [${path}]\n`);
      await assert.rejects(readManifestFile(root).then(collectFiles), /which is outside its folder/);
    }
  });

  test('a link out of the folder is refused, one inside is followed', async () => {
    await writeFile(join(folder, 'secret.txt'), 'secret');
    const root = await capsuleFolder('links', { 'data/a.txt': 'a' }, 'files: [inside.txt]\n');
    await symlink('data/a.txt', join(root, 'inside.txt'));
    assert.deepEqual(await collected(root), ['inside.txt', 'main.js']);
    await symlink(join(folder, 'secret.txt'), join(root, 'data/out.txt'));
    await writeFile(join(root, 'capsule.yaml'), `${head}files: [data]\n`);
    await assert.rejects(collected(root), /"data\/out\.txt", a link that leads out of its folder/);
  });

  test('a link to its own folder has an end', async () => {
    const root = await capsuleFolder('circle', { 'data/a.txt': 'a' }, 'files: [data]\n');
    await symlink('.', join(root, 'data/again'));
    await assert.rejects(collected(root), /33 levels deep|nested more than 32 deep, or a link in it leads in a circle/);
  });

  test('a file that is not there is named', async () => {
    const root = await capsuleFolder('absent', {}, 'files: [nothing.txt]\n');
    await refuses(['submit', root], /capsule\.yaml names "nothing\.txt", which is not in /);
  });

  test('content in the manifest is a file', async () => {
    const root = await capsuleFolder('content', {}, 'content:\n  note.txt: hello\n');
    assert.deepEqual(await collected(root), ['note.txt', 'main.js']);
  });
});

describe('where outputs are written', () => {
  test('no path leads out of the folder', async () => {
    for (const path of ['../x', 'a/../../x', '/x', 'a//b', './x', 'a\\..\\x'])
      await assert.rejects(placeBelow(join(folder, 'out'), path), /leads elsewhere/);
    assert.equal(await placeBelow(join(folder, 'out'), 'a/b.txt'), join(folder, 'out/a/b.txt'));
  });

  test('nothing is written through a link, be it a folder or the file itself', async () => {
    const root = join(folder, 'linked');
    await mkdir(root);
    await symlink(folder, join(root, 'a'));
    await symlink(join(folder, 'secret.txt'), join(root, 'b.txt'));
    await symlink(join(folder, 'secret.txt'), join(root, 'c.txt.part'));
    await assert.rejects(placeBelow(root, 'a/x.txt'), /linked\/a is in the way: it has to be a folder, and no link/);
    await assert.rejects(placeBelow(root, 'b.txt'), /b\.txt is in the way: it is a link/);
    await assert.rejects(placeBelow(root, 'c.txt'), /c\.txt\.part is in the way: it is a link/);
  });
});

describe('verify (§9.2)', () => {
  test('needs a network file', async () => {
    await writeFile(join(folder, 'receipt.cbor'), 'x');
    await refuses(['verify', 'receipt.cbor'], /there is no network file \.capstan\/network\.cbor/);
  });

  test('says that a file is no network file', async () => {
    await writeFile(join(folder, 'network.cbor'), 'x');
    await refuses(['verify', 'receipt.cbor', '--network', 'network.cbor'], /network\.cbor is not a network file/);
  });

  test('names a receipt that is not there', () =>
    refuses(['verify', 'nothing.cbor'], /there is no file nothing\.cbor; verify takes a receipt\.cbor, or the id of a capsule/));
});
