/** `npm run pair` behind another broker that asks for passwords, as people type it. Specification §5.7. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { connect as connectAgent } from '../../../hpc-agent/mqtt.ts';
import { startRelayBench, until, type RelayBench } from './relay-bench.ts';

const program = fileURLToPath(new URL('../../../scripts/pair.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'capstan-through-'));
const secretFile = (name: string): string => join(folder, `${name}.password`);
let bench: RelayBench;

before(async () => {
  const passwords = join(folder, 'passwords');
  writeFileSync(passwords, '', { mode: 0o600 });
  for (const name of ['alpha', 'render']) {
    writeFileSync(secretFile(name), `secret of ${name}\n`, { mode: 0o600 });
    assert.equal(spawnSync('mosquitto_passwd', ['-b', passwords, name, `secret of ${name}`]).status, 0);
  }
  const rights = join(folder, 'rights');
  const relay = 'capstan/1/relay/alpha';
  writeFileSync(
    rights,
    [
      'user alpha',
      ...[`topic read ${relay}/+/+/open`, `topic read ${relay}/+/+/up`, `topic write ${relay}/+/+/down`],
      'user render',
      ...[`topic write ${relay}/+/+/open`, `topic write ${relay}/+/+/up`, `topic read ${relay}/+/+/down`],
    ].join('\n'),
    { mode: 0o600 },
  );
  const settings = ['allow_anonymous false', `password_file ${passwords}`, `acl_file ${rights}`];
  bench = await startRelayBench(settings, { user: 'alpha', passwordFile: secretFile('alpha') });
});
after(async () => {
  await bench.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly status: number | null;
  readonly output: string;
  readonly complaint: string;
}

function pair(...line: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...line, '--state', bench.state], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    let [output, complaint] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.once('close', (status) => resolve({ status, output, complaint }));
  });
}

/** `pair open`, which stays until it is used; the words that it shows for a box behind the broker. */
async function openAndRead(name: string): Promise<{ words: string[]; output: () => string; ended: Promise<unknown> }> {
  const child = spawn(process.execPath, [program, 'open', '--box', name, '--state', bench.state], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const line = (): string | undefined => /npm run pair -- (join \S+\/alpha\/box\/.*)/.exec(output)?.[1];
  await until(() => line() !== undefined, 'the line is shown', 60_000);
  return { words: (line() ?? '').split(' '), output: () => output, ended };
}

test(
  'the line that pair open shows pairs a box through the broker, and pair list says that it came so (§5.7)',
  { timeout: 180_000 },
  async () => {
    const window = await openAndRead('render');
    assert.match(window.output(), /the broker that is the relay of this device/);
    assert.match(window.output(), /needs a user or a certificate of its own there/);
    assert.deepEqual(window.words.slice(1, 2), [`${bench.site.url}/alpha/box/render`]);
    const typed = [...window.words, '--user', 'render', '--password-file', secretFile('render')];
    const joined = await pair(...typed);
    assert.equal(joined.status, 0, joined.complaint);
    assert.match(joined.output, /The box render is paired with device alpha/);
    await window.ended;
    const state = join(bench.state, 'boxes', 'render');
    const { through } = JSON.parse(readFileSync(join(state, 'connection.json'), 'utf8')) as { through: Record<string, string> };
    assert.deepEqual(through, {
      ...{ url: bench.site.url, name: 'alpha', fingerprint: bench.site.fingerprint, user: 'render', passwordFile: secretFile('render') },
    });
    assert.equal(statSync(join(state, 'connection.json')).mode & 0o077, 0);
    const agent = spawn(process.execPath, [fileURLToPath(new URL('../../../hpc-agent/agent.ts', import.meta.url)), '--state', state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    agent.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await until(() => said.includes('"connected"') || /state=connected/.test(said), 'the agent is connected', 60_000);
    const gone = new Promise((resolve) => agent.once('close', resolve));
    agent.kill('SIGTERM');
    await gone;
    const listed = await pair('list');
    assert.match(listed.output, /box +render .* through the relay, /);
  },
);

test(
  'what is missing or wrong of the broker in between is said in options, before anything is sent (§5.7)',
  { timeout: 180_000 },
  async () => {
    const address = `${bench.site.url}/alpha/box/x`;
    const code = '0000-0000';
    const known = ['--fingerprint', bench.site.fingerprint];
    writeFileSync(join(folder, 'open.password'), 'x\n', { mode: 0o600 });
    chmodSync(join(folder, 'open.password'), 0o644);
    const complaints: [string[], number, RegExp][] = [
      [[address, code], 2, /one of --authority and --fingerprint/],
      [[address, code, '--fingerprint', 'abc'], 2, /64 digits/],
      [[address, code, ...known, '--password-file', secretFile('render')], 2, /--user/],
      [[address, code, ...known, '--key', 'k.pem'], 2, /--certificate and --key come together/],
      [[address, code, ...known, '--address', 'mqtts://a:1'], 2, /--address is of a forwarder/],
      [[address.replace('/alpha', ''), code, '--user', 'render'], 2, /--user is of a broker in between/],
      [[address.replace('box', 'client'), code, ...known], 2, /only boxes are paired/],
      [[address, code, '--authority', join(folder, 'nothing.pem')], 1, /nothing\.pem, of the broker in between, can't be read/],
      [[address, code, ...known, '--user', 'render', '--password-file', join(folder, 'open.password')], 1, /chmod 600/],
    ];
    for (const [line, status, words] of complaints) {
      const run = await pair('join', ...line);
      assert.deepEqual([run.status, words.test(run.complaint)], [status, true], `${line.join(' ')}: ${run.complaint}`);
    }
  },
);

test('a broker that is not the one that was named hears nothing, and no password (§5.7)', async () => {
  const { server: files } = openAuthority({ folder: join(folder, 'other'), device: 'site', hosts: [] });
  const heard: Buffer[] = [];
  const server = createTlsServer({ cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) }, (stream) => {
    stream.on('data', (some: Buffer) => void heard.push(some)).on('error', () => undefined);
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fingerprint = { fingerprint: bench.site.fingerprint };
  for (const trust of [fingerprint, bench.site.trust]) {
    for (const open of [connect, connectAgent]) {
      const connection = open({ url, trust, user: 'alpha', password: 'secret of alpha' });
      await assert.rejects(connection.connected(2_000), trust === fingerprint ? /shows the certificate/ : /certificate/);
      await connection.close();
    }
  }
  assert.equal(Buffer.concat(heard).length, 0);
  await new Promise((resolve) => server.close(resolve));
});

test('a wrong password is said to be one: not authorized (§5.7)', async () => {
  const connection = connectAgent({ url: bench.site.url, trust: bench.site.trust, user: 'render', password: 'guessed' });
  await assert.rejects(connection.connected(5_000), /[Nn]ot authorized|Bad User Name or Password/);
  await connection.close();
});
