/** `npm run capsule` through a real broker with certificates, with a device behind it that speaks the real bytes (protocol/README.md §5.3, §7). */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { openAuthority } from '../../../device/mqtt/authority.ts';
import { pemOf, publicKeyOf } from '../../../device/mqtt/certificate.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { startDeviceBroker, type DeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { FakeDevice, parties } from '../../unit/client/fake-device.ts';

const program = new URL('../../../scripts/capsule.ts', import.meta.url).pathname;
const nobody = { peerAuthorities: [], revokedClients: [], revokedBoxes: [] };

let folder: string;
let broker: DeviceBroker;
let connection: Connection;
let device: FakeDevice;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-capsule-'));
  const authority = openAuthority({ folder: join(folder, 'authority'), device: parties.device, hosts: [] });
  const ports = await claimPorts(join(folder, 'ports.json'));
  const network = parties.network.subarray(0, 8).toHex();
  broker = await startDeviceBroker(
    { folder: join(folder, 'broker'), network, device: parties.device, authority, ports, address: '127.0.0.1', onEvent: () => undefined },
    nobody,
  );
  connection = connect({ socket: broker.socket });
  await connection.connected(5_000);
  device = new FakeDevice(connection);
  device.issuesReceipts = true;
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const profile = join(folder, 'state/clients/alpha/demo');
  await mkdir(profile, { recursive: true });
  await writeFile(join(profile, 'key.pem'), keys.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  await writeFile(
    join(profile, 'certificate.pem'),
    pemOf('CERTIFICATE', authority.certify('client', parties.client, publicKeyOf(keys.publicKey)).certificate),
  );
  await writeFile(join(profile, 'ca.pem'), pemOf('CERTIFICATE', authority.root('device')));
  await writeFile(
    join(profile, 'connection.json'),
    JSON.stringify({ url: `mqtts://127.0.0.1:${ports.clients}`, device: 'alpha', network: parties.network.toHex(), client: 'demo' }),
  );
  await mkdir(join(folder, 'job/data'), { recursive: true });
  await writeFile(join(folder, 'job/main.js'), 'x'.repeat(200_000));
  await writeFile(join(folder, 'job/data/input.txt'), 'input');
  await writeFile(join(folder, 'job/capsule.yaml'), 'capsule: 1\nname: job\nruntime: node\nentry: main.js\nfiles: [data]\n');
});

after(async () => {
  device.stop();
  await connection.close();
  await broker.stop();
  await rm(folder, { recursive: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(...line: string[]): { child: ChildProcess; ended: Promise<Ended>; sees: (pattern: RegExp) => Promise<void> } {
  const child = spawn(process.execPath, [program, ...line], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve) => child.once('close', (status) => resolve({ status, ...out })));
  const sees = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(out.stdout)) {
      assert.equal(child.exitCode, null, out.stderr);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, ended, sees };
}

function capsule(...line: string[]): Promise<Ended> {
  return start(...line, '--state', 'state').ended;
}

describe('npm run capsule', () => {
  test('submit uploads the files, shows the log, and saves outputs, log and receipt', async () => {
    device.story = { outputs: { 'answer.txt': '42\n', 'deep/er.txt': 'x' }, log: ['hello\n'] };
    const { status, stdout, stderr } = await capsule('submit', 'job');
    assert.equal(status, 0, stderr);
    const id = /accepted ([0-9a-f]{32}) {2}"job" \(2 files, 195\.3 KiB\) by device alpha/.exec(stdout)?.[1];
    assert(id, stdout);
    assert.match(stdout, /running[\s\S]*hello[\s\S]*agreed: the program ended with exit status 0/);
    assert.match(stdout, /no network file here, so the receipt is not checked yet: npm run capsule -- verify/);
    const at = join(folder, 'state/capsules', id);
    assert.deepEqual(
      [
        await readFile(join(at, 'outputs/answer.txt'), 'utf8'),
        await readFile(join(at, 'outputs/deep/er.txt'), 'utf8'),
        await readFile(join(at, 'stdout'), 'utf8'),
      ],
      ['42\n', 'x', 'hello\n'],
    );
    for (const name of ['manifest.cbor', 'acceptance.cbor', 'receipt.cbor', 'capsule.json'])
      assert((await readFile(join(at, name))).length > 0, name);
  });

  test('every other command finds the capsule by the beginning of its id', async () => {
    const list = JSON.parse((await capsule('list', '--json')).stdout) as { capsule: string; state: string; device: string }[];
    const [line] = list;
    assert(line && list.length === 1);
    const short = line.capsule.slice(0, 6);
    assert.match((await capsule('status', short)).stdout, /state +agreed/);
    assert.equal((await capsule('logs', short)).stdout, 'hello\n');
    const { status, stdout } = await capsule('result', short, '--out', 'elsewhere', '--json');
    assert.equal(status, 0);
    assert.equal((JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { event: string }).event, 'ended');
    assert.equal(await readFile(join(folder, 'elsewhere/outputs/answer.txt'), 'utf8'), '42\n');
    assert.equal((await capsule('result', short, '--out', 'elsewhere')).status, 0, 'the same once more');
    const cancelled = await capsule('cancel', short);
    assert.equal(cancelled.status, 1);
    assert.match(cancelled.stderr, /device alpha refuses \(already-ended\): capsule [0-9a-f]{32} has ended: agreed/);
  });

  test('result writes into no folder that holds anything else, and says what it is', async () => {
    const [{ capsule: id } = { capsule: '' }] = JSON.parse((await capsule('list', '--json')).stdout) as { capsule: string }[];
    await mkdir(join(folder, 'full/outputs/deep'), { recursive: true });
    await writeFile(join(folder, 'full/outputs/answer.txt'), '43\n');
    await writeFile(join(folder, 'full/outputs/deep/er.txt'), 'x');
    await writeFile(join(folder, 'full/receipt.cbor'), 'of another capsule');
    await mkdir(join(folder, 'full/photos'));
    const { status, stderr } = await capsule('result', id, '--out', 'full');
    assert.equal(status, 2);
    assert.match(
      stderr,
      /full holds what is not of this result: outputs\/answer\.txt, photos, receipt\.cbor; --out takes a new or an empty folder/,
    );
    assert.equal(await readFile(join(folder, 'full/outputs/answer.txt'), 'utf8'), '43\n');
  });

  test('a receipt that is not final is listed as such (§7.5)', async () => {
    for (const [finality, words] of [
      ['not-final', /agreed, not final/],
      ['final', /agreed, final/],
    ] as const) {
      device.listedFinality = finality;
      assert.match((await capsule('list')).stdout, words);
    }
    device.listedFinality = undefined;
    assert.match((await capsule('list')).stdout, /agreed {2}/);
  });

  test('Ctrl-C before the device has answered says that it may have the capsule, and how to look', async () => {
    const { child, ended } = start('submit', 'job', '--state', 'state');
    device.beforeAnswer = () => !child.kill('SIGINT');
    const { status, stdout } = await ended;
    [device.beforeAnswer, device.up] = [() => true, true];
    assert.equal(status, 130);
    assert.match(
      stdout,
      /before device alpha has answered: it may have taken the capsule all the same.*\n {2}npm run capsule -- list --device alpha --state state/,
    );
    assert.match((await capsule('list')).stdout, /submitted/);
  });

  test('Ctrl-C leaves the capsule running and says how to see it again; --no-wait leaves as soon as the device has the files', async () => {
    device.story = { outputs: {}, log: ['working\n'], endless: true };
    const { child, ended, sees } = start('submit', 'job', '--state', 'state');
    await sees(/working/);
    child.kill('SIGINT');
    await sees(/The capsule goes on/);
    child.kill('SIGINT'); // The same one, as npm passes it on.
    const { status, stdout } = await ended;
    assert.equal(status, 130);
    const short = /npm run capsule -- logs ([0-9a-f]{12}) --follow/.exec(stdout)?.[1];
    assert(short, stdout);
    assert.match((await capsule('status', short)).stdout, /state +running/);
    const left = await capsule('submit', 'job', '--no-wait');
    assert.equal(left.status, 0, left.stderr);
    assert.match(left.stdout, /The device has the capsule and its files\./);
  });

  test('a second Ctrl-C cancels it', async () => {
    const { child, ended, sees } = start('submit', 'job', '--state', 'state');
    await sees(/working/);
    child.kill('SIGINT');
    await sees(/Ctrl-C again within 3 s cancels it/);
    await pause(1_000); // A second one that comes sooner is taken for the first.
    child.kill('SIGINT');
    const { status, stdout } = await ended;
    assert.match(stdout, /Cancelling the capsule\.[\s\S]*cancelled/);
    assert.equal(status, 1);
  });

  test('a broker that is restarted in the middle is survived', async () => {
    device.story = { outputs: { 'answer.txt': '42\n' }, log: ['working\n'], endless: true };
    const { ended, sees } = start('submit', 'job', '--state', 'state', '--json');
    await sees(/"event":"accepted"/);
    await broker.trust(nobody);
    await sees(/"state":"running"/);
    for (const [id, held] of device.capsules) if (held.state === 'running') device.end(id);
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
  });

  test('a device whose broker is gone is named with its address', async () => {
    await cp(join(folder, 'state'), join(folder, 'gone'), { recursive: true });
    await writeFile(
      join(folder, 'gone/clients/alpha/demo/connection.json'),
      JSON.stringify({ url: 'mqtts://127.0.0.1:1', device: 'alpha', network: parties.network.toHex(), client: 'demo' }),
    );
    const { status, stderr } = await start('list', '--state', 'gone').ended;
    assert.equal(status, 1);
    assert.match(
      stderr,
      /device alpha is not reached: .*127\.0\.0\.1:1.*is it running \(npm start\)\?\nIts log is on the machine that it runs on\.\nAnother device is asked with --device NAME, once/,
    );
  });
});
