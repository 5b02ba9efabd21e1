/** The agent as a process of its own, under a real broker: what it needs, how it dies, what the next one says (protocol/README.md §6.4). */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Hello, ReportMessage } from '#protocol/box-messages.ts';
import { decodeBulk } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { encodeNetwork, networkId, networkLabel, nodeIdOf, type Network } from '#protocol/network.ts';
import { openSigned } from '#protocol/signed.ts';
import { topicFilter } from '#protocol/topics.ts';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { startDeviceBroker, type DeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { HOLDER_FILES } from '../../../hpc-agent/holder-files.ts';
import { RunFolders } from '../../../hpc-agent/run-record.ts';
import { until } from './memory-device.ts';

const program = fileURLToPath(new URL('../../../hpc-agent/agent.ts', import.meta.url));

/** A network file that fits itself; nobody judges evidence by it here. */
function networkOf(device: string): Network {
  const bytes = Uint8Array.of(1);
  const keys = { endorsementKey: bytes, attestationKey: bytes, vrfKey: bytes };
  const member = {
    name: device,
    peersUrl: 'mqtts://localhost:1',
    peersAuthority: bytes,
    endorsementCertificate: bytes,
    endorsementIntermediates: [],
    ...keys,
  };
  const endorsementAuthorities = [{ certificate: bytes, softwareTpm: true }];
  const genesis = {
    version: 1,
    name: 'test',
    salt: new Uint8Array(16),
    members: [nodeIdOf(bytes)],
    endorsementAuthorities,
    credentialsMin: 1,
    consensus: { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 },
  } as const;
  return { genesis: { ...genesis, members: [...genesis.members] }, members: [member], references: [] };
}

describe('the agent as a process', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'capstan-process-'));
  const state = path.join(folder, 'box');
  const network = networkOf('alpha');
  const signingKey = generateKeyPairSync('ed25519').privateKey;
  const agents: ChildProcess[] = [];
  const hellos: Hello[] = [];
  const reports: Uint8Array[] = [];
  let serial: Uint8Array;
  let broker: DeviceBroker;
  let device: Connection;

  before(async () => {
    const authority = openAuthority({ folder: path.join(folder, 'authority'), device: 'alpha', hosts: [] });
    const ports = await claimPorts(path.join(folder, 'ports'));
    broker = await startDeviceBroker(
      {
        folder: path.join(folder, 'broker'),
        network: networkLabel(network),
        device: 'alpha',
        authority,
        ports,
        address: '127.0.0.1',
        onEvent: () => undefined,
      },
      { peerAuthorities: [], revokedClients: [], revokedBoxes: [] },
    );
    pairByHand(authority, ports.boxes);
    device = connect({ socket: broker.socket });
    await device.subscribe(topicFilter(networkLabel(network), 'alpha', 'hpc', 'box-1', 'up', '+'), ({ topic, payload }) => {
      const decoded = topic.endsWith('/hello') ? decodeBulk(Hello, payload, LIMITS.packetBytesMax) : undefined;
      if (decoded?.status === 'decoded') hellos.push(decoded.value);
      if (topic.endsWith('/report')) reports.push(payload);
    });
  });

  after(async () => {
    for (const agent of agents) agent.kill('SIGKILL');
    await device.close();
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What pairing leaves, without the pairing. */
  function pairByHand(authority: ReturnType<typeof openAuthority>, port: number): void {
    mkdirSync(state, { mode: 0o700 });
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const publicKey = Uint8Array.from(key.publicKey.export({ format: 'der', type: 'spki' }));
    const put = (file: keyof typeof HOLDER_FILES, content: string | Uint8Array) => {
      writeFileSync(path.join(state, HOLDER_FILES[file]), content, { mode: 0o600 });
    };
    const pem = (der: Uint8Array) => `-----BEGIN CERTIFICATE-----\n${der.toBase64()}\n-----END CERTIFICATE-----\n`;
    put('key', key.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    put('signingKey', signingKey.export({ format: 'pem', type: 'pkcs8' }));
    const certified = authority.certify('box', 'box-1', publicKey);
    serial = Uint8Array.fromHex(certified.serial);
    put('certificate', pem(certified.certificate));
    put('authority', pem(authority.root('device')));
    put('network', encodeNetwork(network));
    put(
      'connection',
      JSON.stringify({ url: `mqtts://127.0.0.1:${port}`, device: 'alpha', network: hex(networkId(network)), box: 'box-1' }),
    );
  }

  /** @param umask of the shell that starts it */
  function start(stateFolder = state, umask = '022'): { agent: ChildProcess; output: () => string } {
    const words = ['-c', 'umask "$0" && exec "$@"', umask, process.execPath, program, '--state', stateFolder];
    const agent = spawn('sh', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [agent.stdout, agent.stderr])
      stream.on('data', (piece: Buffer) => {
        output += piece.toString();
      });
    agents.push(agent);
    return { agent, output: () => output };
  }

  test('without --state says how it is used, and without a pairing what to do', async () => {
    const bare = spawnSync(process.execPath, [program], { encoding: 'utf8' });
    assert.deepEqual([bare.status, bare.stderr.split(' ')[0]], [2, 'usage:']);
    const { agent, output } = start(path.join(folder, 'unpaired'));
    assert.deepEqual(await once(agent, 'exit'), [1, null]);
    assert.match(output(), /connection\.json in .* can't be read \(ENOENT\): pair this box with its device first/);
  });

  test('says hello, is the only one on its state folder, and ends orderly on SIGTERM', async () => {
    const { agent, output } = start();
    const hello = await until(() => hellos[0], 'the first hello');
    assert.deepEqual(hello.runs, []);
    assert.ok(hello.software.runtimes.some(({ name }) => name === 'shell'));
    assert.ok(hello.software.isolation.some((word) => word.startsWith('bubblewrap')));
    const second = start();
    assert.deepEqual(await once(second.agent, 'exit'), [1, null]);
    assert.match(second.output(), /an agent serves .* already/);
    agent.kill('SIGTERM');
    assert.deepEqual(await once(agent, 'exit'), [0, null], output());
    assert.match(output(), /agent-started device=alpha box=box-1/);
    assert.match(output(), /agent-stopped/);
  });

  test('whatever umask it is started under, its sandbox works and others may change nothing of it (§7.1)', async () => {
    for (const umask of ['077', '000']) {
      hellos.length = 0;
      const { agent, output } = start(state, umask);
      const hello = await until(() => hellos[0], `the hello under umask ${umask}`).catch((error: unknown) => {
        throw new Error(output(), { cause: error });
      });
      assert.ok(
        hello.software.isolation.some((word) => word.startsWith('bubblewrap')),
        umask,
      );
      agent.kill('SIGTERM');
      await once(agent, 'exit');
    }
    const files = readdirSync(state, { recursive: true, encoding: 'utf8' }).map((file) => path.join(state, file));
    assert.deepEqual(
      files.filter((file) => (statSync(file).mode & 0o022) !== 0),
      [],
    );
  });

  test('killed at once, it leaves its runs to the next agent, and that one to the next, with the same bytes', async () => {
    const run = `${'a'.repeat(32)}.1`;
    const folders = await RunFolders.open(path.join(state, 'runs'));
    await folders.save(run, { stage: 'running', capsule: new Uint8Array(32), startedAtMs: 1 });
    for (let life = 0; life < 2; life += 1) {
      hellos.length = 0;
      const seen = reports.length;
      const { agent } = start();
      assert.deepEqual((await until(() => hellos[0])).runs, [run]);
      await until(() => reports.length > seen);
      agent.kill('SIGKILL');
      await once(agent, 'exit');
    }
    assert.equal(new Set(reports.map(hex)).size, 1);
    const publicKey = Uint8Array.from(createPublicKey(signingKey).export({ format: 'der', type: 'spki' }).subarray(-32));
    const opened = openSigned(ReportMessage, reports[0]!, { algorithm: 'ed25519', publicKey }, nobleCrypto);
    assert.equal(opened.status, 'authentic');
    assert.equal(opened.value.outcome.outcome === 'failed' && opened.value.outcome.reason, 'agent-restarted');
  });

  test('a box whose certificate is taken back is cut off at once, and its agent says what to do (§5.3)', async () => {
    hellos.length = 0;
    const { agent, output } = start();
    await until(() => hellos[0], 'the hello');
    await broker.trust({ peerAuthorities: [], revokedClients: [], revokedBoxes: [{ serial, revokedAt: new Date() }] });
    await until(() => /device-away .*taken this certificate back; pair again/.test(output()), 'the reason');
    agent.kill('SIGTERM');
    assert.deepEqual(await once(agent, 'exit'), [0, null], output());
  });
});
