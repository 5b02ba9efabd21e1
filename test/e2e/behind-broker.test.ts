/** A box that reaches a broker of somebody else and no device: paired through it, it runs capsules, also when that broker is started anew. Specification §5.7. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { readConfiguration, writeConfiguration } from '../../device/configuration.ts';
import { openWindow } from '../../device/pairing/open-window.ts';
import { pairInto } from '../../scripts/pair/holder.ts';
import type { Client } from '../../scripts/client/client.ts';
import { boxOf, GRID_CLIENT } from '../../scripts/grid/layout.ts';
import { startSiteBroker, type SiteBroker } from '../integration/relay/site-broker.ts';
import { startJob } from './watched-job.ts';
import { openWorld, type World } from './world.ts';

const BOX = 'behind';
const FOLLOWS_MS = 60_000;
/** Until the chain has the boxes as their devices offer them. */
const OFFERED_MS = 5_000;
const JOB_S = 5;
const agent = fileURLToPath(new URL('../../hpc-agent/agent.ts', import.meta.url));

let world: World;
let client: Client;
let site: SiteBroker;
const running: { agent?: ChildProcess } = {};

before(async () => {
  world = await openWorld();
  client = await world.client();
  site = await startSiteBroker(join(world.state, 'site'));
});
after(async () => {
  running.agent?.kill('SIGTERM');
  await world.stop();
  await site.broker.stop();
});

test('a box is paired through the relay of its device, and the chain offers it (§5.7)', async () => {
  const state = world.grid.layout.device(GRID_CLIENT.device);
  const { supervisor } = world.grid.devices.find(({ name }) => name === GRID_CLIENT.device) ?? assert.fail();
  writeConfiguration(state, { ...readConfiguration(state), relay: { url: site.url, fingerprint: site.fingerprint } });
  assert.ok(supervisor.processId);
  process.kill(supervisor.processId, 'SIGKILL');
  await supervisor.waitForLine('relayConnected', FOLLOWS_MS);
  const window = await openWindow(state, { kind: 'box', name: BOX });
  const folder = join(world.state, BOX);
  const address = { url: site.url, through: GRID_CLIENT.device, kind: 'box', name: BOX } as const;
  const through = { url: site.url, name: GRID_CLIENT.device, fingerprint: site.fingerprint };
  await pairInto({ address, code: window.code, folder, through });
  running.agent = spawn(process.execPath, [agent, '--state', folder], { stdio: 'ignore' });
  await supervisor.waitForLine(new RegExp(`boxesOnChain .*\\b${BOX}\\b`), FOLLOWS_MS);
});

test('it runs a capsule whose receipt holds, also while the broker in between is started anew (§5.7)', async () => {
  for (const { name } of world.grid.devices) {
    const fenced = await world.run('box', 'fence', boxOf(name));
    assert.equal(fenced.status, 0, fenced.stderr);
  }
  await sleep(OFFERED_MS);
  for (const isRestarted of [false, true]) {
    const job = await startJob(client, JOB_S);
    assert.equal(await job.running(1), BOX);
    if (isRestarted) await site.restart();
    const result = await job.result();
    assert.deepEqual([result.state, result.exitStatus], ['agreed', 0], result.detail ?? '');
    const verdict = judgeReceipt(await client.receipt(job.capsule), { network: world.grid.network, crypto: nobleCrypto });
    assert.equal(verdict.status, 'verified', verdict.status === 'refused' ? verdict.detail : '');
  }
});

test('its agent has one connection, and that is to the other broker (§5.7)', () => {
  const { agent: child } = running;
  assert.ok(child?.pid);
  const port = Number(new URL(site.url).port).toString(16).toUpperCase().padStart(4, '0');
  const peers = connectionsOf(child.pid);
  assert.ok(peers.length > 0 && peers.every((peer) => peer === port), `${peers.join(' ')}; all must be ${port}`);
});

/** Ports at the other end of its TCP connections, as proc(5) `net/tcp` writes them. */
function connectionsOf(processId: number): string[] {
  const established = '01';
  const own = new Set(socketsOf(processId));
  return readFileSync(`/proc/${processId}/net/tcp`, 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === established && own.has(inode ?? ''))
    .map(([, , remote = '']) => remote.split(':')[1] ?? '');
}

function socketsOf(processId: number): string[] {
  const folder = `/proc/${processId}/fd`;
  return readdirSync(folder).flatMap((descriptor) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, descriptor)))?.[1] ?? [];
    } catch {
      return [];
    }
  });
}
