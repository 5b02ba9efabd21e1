/** kill -9 of every part at random moments of a job: it ends truthfully, with one receipt a run, and nothing is lost. Specification §5.4, §6.4, §7.6. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { capsuleInMemory } from '../../scripts/client/capsule-in-memory.ts';
import type { Client } from '../../scripts/client/client.ts';
import { boxOf, GRID_CLIENT } from '../../scripts/grid/layout.ts';
import { openWorld, type World } from './world.ts';

/** Kills of each part; `CAPSTAN_TEST_KILLS` asks for more. */
const ROUNDS = Number(process.env['CAPSTAN_TEST_KILLS'] ?? 3);
/** A job takes about three seconds here, two of them until its box is drawn; a kill comes at some moment of it. */
const LATEST_KILL_MS = 3_500;
const SCRIPT = 'echo begun; sleep 0.3; head -c 200000 /dev/zero > "$CAPSTAN_OUT/zeroes"; echo ended\n';
const device = GRID_CLIENT.device;

let world: World;
let client: Client;
before(async () => {
  world = await openWorld();
  client = await world.client();
});
after(() => world.stop());

const PARTS: Readonly<Record<string, () => number | undefined>> = {
  agent: () => world.grid.agents.get(boxOf(device))?.processId,
  device: () => world.grid.devices.find(({ name }) => name === device)?.supervisor.processId,
  broker: () => brokerProcess(join(world.grid.layout.device(device), 'broker', 'mosquitto.conf')),
  TPM: () => world.grid.devices.find(({ name }) => name === device)?.tpm().pid,
};

for (const [part, processOf] of Object.entries(PARTS)) {
  test(`a job survives kill -9 of the ${part}, ${ROUNDS} times at random moments (§6.4)`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const killMs = Math.floor((LATEST_KILL_MS * (round + Math.random())) / ROUNDS);
      await untilAlive(processOf, part);
      await checkJobUnderKill(processOf, `${part} killed after ${killMs} ms`, killMs);
    }
  });
}

test('no run of all these jobs has two receipts, and no job is left open (§7.6)', () => {
  const store = new DatabaseSync(join(world.grid.layout.device(device), 'device.sqlite'), { readOnly: true });
  const open = store.prepare('SELECT count(*) AS n FROM capsule WHERE ended_ms IS NULL').get();
  const receipts = store.prepare('SELECT count(*) AS n FROM receipt').get();
  const capsules = store.prepare('SELECT count(*) AS n FROM capsule').get();
  store.close();
  assert.deepEqual({ ...open }, { n: 0 });
  assert.deepEqual({ ...receipts }, { ...capsules }, 'one receipt for each job: all of them ran in the end');
});

async function checkJobUnderKill(processOf: () => number | undefined, story: string, killMs: number): Promise<void> {
  const written = { capsule: 1, runtime: 'shell', entry: 'main.sh', limits: { wallSeconds: 60 } } as const;
  const toSubmit = capsuleInMemory(written, { 'main.sh': new TextEncoder().encode(SCRIPT) }, Date.now());
  const kill = sleep(killMs).then(() => kill9(processOf(), story));
  const { capsule } = await client.submit(toSubmit);
  const result = await client.result(capsule);
  await kill;
  assert.deepEqual([result.state, result.exitStatus], ['agreed', 0], `${story}: ${result.reason ?? ''} ${result.detail ?? ''}`);
  assert.deepEqual(
    result.outputs.map(({ path, bytes }) => [path, bytes]),
    [['zeroes', 200_000]],
    story,
  );
  const verdict = judgeReceipt(await client.receipt(capsule), { network: world.grid.network, crypto: nobleCrypto });
  assert.equal(verdict.status, 'verified', `${story}: ${verdict.status === 'refused' ? verdict.detail : ''}`);
}

/** What was killed in the round before comes back by itself. */
async function untilAlive(processOf: () => number | undefined, part: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const id = processOf();
    if (id !== undefined && commandLine(id) !== '') return;
    await sleep(100);
  }
  assert.fail(`the ${part} did not come back within 30 s`);
}

function kill9(processId: number | undefined, story: string): void {
  assert.ok(processId, `${story}: there is such a process`);
  process.kill(processId, 'SIGKILL');
}

/** The broker is the device's child; its command line names its configuration. */
function brokerProcess(configuration: string): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((id) => commandLine(id).includes(configuration) && commandLine(id).startsWith('mosquitto'));
}

function commandLine(processId: number): string {
  try {
    return readFileSync(`/proc/${processId}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
