/** Boxes in the hand of their devices, through every real part: switched on, sensed, cut off, taken back. Specification §17. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeReceipt, type ReceiptVerdict } from '#protocol/receipt-verifier.ts';
import { readConfiguration, writeConfiguration } from '../../device/configuration.ts';
import type { Client } from '../../scripts/client/client.ts';
import { ClientFailure } from '../../scripts/client/failure.ts';
import { boxOf } from '../../scripts/grid/layout.ts';
import type { GridDevice } from '../../scripts/grid/devices.ts';
import { startJob, type WatchedJob } from './watched-job.ts';
import { openWorld, type World } from './world.ts';

const JOB_S = 5;
/** Long enough to be judged, and longer than a device needs to start again. */
const DISPUTED_S = 15;
const JUDGED_TRIES = 5;
const OUTLIVES_S = 25;
const IDLE_MW = 38_000;
const FULL_MW = 165_000;
/** On a machine that does much else at the same time. */
const FOLLOWS_MS = 30_000;
/** Two intervals of the hello, and one look of the device. */
const SILENCE_MS = 32_000;
/** Until the chain has the boxes as their devices offer them. */
const OFFERED_MS = 5_000;

let world: World;
let client: Client;
before(async () => {
  world = await openWorld();
  client = await world.client();
});
after(() => world.stop());

test('each box is switched on by its device, and by nobody else (§17.2)', async () => {
  for (const { name, supervisor } of world.grid.devices) {
    const line = await supervisor.waitForLine('boxSwitched', FOLLOWS_MS);
    assert.match(line, new RegExp(`box=${boxOf(name)} verb=on by=keepOn press=1 outcome=done`));
  }
});

test('watts rise while a capsule runs, and its receipt has the joules with their error (§17.4)', async () => {
  const job = await startJob(client, JOB_S);
  assert.equal((await job.result()).state, 'agreed');
  const told = job.energy.map(({ milliwatts }) => milliwatts);
  assert.ok(Math.max(...told) > 1.2 * IDLE_MW, `its client was told ${told.join(', ')} mW`);
  assert.ok(job.energy.every(({ source }) => source === 'simulated'));
  const { receipt, report } = await verified(job.capsule);
  const { energy } = receipt;
  assert.ok(energy);
  const spanMs = energy.toMs - energy.fromMs;
  assert.ok(spanMs >= (JOB_S - 1) * 1_000 && energy.unobservedMs * 5 < spanMs, `${energy.unobservedMs} of ${spanMs} ms were not observed`);
  // What the physics of the box make of the processor time, which other programs of this machine may leave short.
  const expected = (IDLE_MW * (spanMs - energy.unobservedMs) + (FULL_MW - IDLE_MW) * report.usage.cpuMs) / 1_000;
  assert.ok(Math.abs(energy.millijoules - expected) < expected / 4, `${energy.millijoules} mJ for ${expected} mJ`);
  assert.ok(energy.errorMillijoules > 0 && energy.errorMillijoules * 4 < energy.millijoules, `± ${energy.errorMillijoules} mJ`);
  await world.run('capsule', 'result', job.capsule);
  const shown = await world.run('capsule', 'verify', job.capsule, '--final');
  assert.equal(shown.status, 0, shown.stdout + shown.stderr);
  assert.match(shown.stdout, /took +(at least )?\d+ J ± [\d.]+ J(, \d+ % observed)? \(SIMULATED, nothing was measured\)/);
});

test('a run that claims processors at work at idle watts ends as disputed, its receipt says why, its box is suspect (§17.5)', async () => {
  const boxes = world.grid.devices.map(({ name }) => boxOf(name));
  for (const box of boxes) await stickAtIdle(box);
  const job = await judgedJob().finally(() => Promise.all(boxes.map((box) => rack('heal', box, 'box-power'))));
  const box = await job.running(1);
  const result = await job.result();
  assert.deepEqual([result.state, result.reason], ['disputed', 'readings-contradict']);
  const { receipt, report } = await verified(job.capsule);
  assert.deepEqual([receipt.state, receipt.reason, receipt.disputed?.reason], ['disputed', 'readings-contradict', 'readings-contradict']);
  assert.match(
    receipt.disputed?.detail ?? '',
    /the report claims \d+ % of \d+ processors .* but the box drew at most (3|4)\d\.\d W; idle are 38\.0 W/,
  );
  assert.deepEqual(report.outcome, { outcome: 'exited', status: 0 }, 'the word of the box stays what it was');
  await world.run('capsule', 'result', job.capsule);
  const shown = await world.run('capsule', 'verify', job.capsule);
  assert.match(shown.stdout, /disputed: .*contradicts/);
  await deviceOf(box).supervisor.waitForLine(`box=${box} from=ready to=suspect cause=contradiction`, FOLLOWS_MS);
  assert.equal((await standingOf(box)).state, 'suspect', 'until the operator’s word');
  await operator('release', box);
  await deviceOf(box).supervisor.waitForLine(`box=${box} from=suspect to=ready cause=evidence-accepted`, FOLLOWS_MS);
});

test('a door opened during a run: fenced within a second, the run drawn for another box; fenced until released (§17.2)', async () => {
  const job = await startJob(client, JOB_S);
  const box = await job.running(1);
  const device = deviceOf(box);
  await rack('open-door', box);
  const openedAtMs = Date.now();
  const fencedAtMs = timeOf(await device.supervisor.waitForLine(`box=${box} from=working to=fenced cause=intrusion`, FOLLOWS_MS));
  assert.ok(fencedAtMs - openedAtMs < 1_000, `fenced ${fencedAtMs - openedAtMs} ms after the door was opened`);
  const other = await job.running(2);
  assert.notEqual(other, box);
  assert.ok(job.states.some(({ detail }) => detail?.includes(`box ${box} is fenced: intrusion`)));
  assert.equal((await job.result()).state, 'agreed');
  assert.equal((await verified(job.capsule)).receipt.box.name, other);

  const agent = world.grid.agents.get(box)?.processId;
  await killDevice(device);
  assert.equal((await standingOf(box)).state, 'fenced', 'over a new start of its device');
  assert.equal(world.grid.agents.get(box)?.processId, agent, 'a device that dies leaves the box as it is');

  const others = world.grid.devices.map(({ name }) => boxOf(name)).filter((name) => name !== box);
  for (const name of others) await operator('fence', name);
  // Where the chain has no box any more, a capsule is not even accepted.
  const waiting = await startJob(client, 1).catch((error: unknown) => {
    assert.ok(error instanceof ClientFailure && error.code === 'refused-no-box', String(error));
    return undefined;
  });
  await sleep(OFFERED_MS);
  assert.ok(
    (waiting?.states ?? []).every(({ state }) => state === 'submitted' || state === 'ordered'),
    'no box is drawn that is fenced',
  );
  assert.notEqual((await world.run('box', 'on', box)).status, 0, 'nor switched on');
  await rack('close-door', box);
  await operator('release', box);
  if (!waiting) await sleep(OFFERED_MS);
  const released = waiting ?? (await startJob(client, 1));
  assert.equal((await released.result()).state, 'agreed');
  assert.equal((await verified(released.capsule)).receipt.box.name, box, 'released, it works again');
  for (const name of others) await operator('release', name);
});

test('a box cut from power during a run: the run is drawn anew at once, and its device switches the box on again (§17.2)', async () => {
  const job = await startJob(client, JOB_S);
  const box = await job.running(1);
  const device = deviceOf(box);
  await rack('cut', box);
  const cutAtMs = Date.now();
  const lostAtMs = timeOf(await device.supervisor.waitForLine(`box=${box} from=working to=suspect cause=power-lost`, FOLLOWS_MS));
  assert.ok(lostAtMs - cutAtMs < 1_000, `sensed ${lostAtMs - cutAtMs} ms after the mains were cut`);
  await rack('restore', box);
  assert.notEqual(await job.running(2), box);
  assert.equal((await job.result()).state, 'agreed');
  await device.supervisor.waitForLine(`box=${box} from=suspect to=ready cause=evidence-accepted`, 2 * FOLLOWS_MS);
});

test('a box whose agent falls silent during a run is fenced within two intervals, the run drawn anew; released, it works again (§17.2)', async () => {
  const job = await startJob(client, JOB_S);
  const box = await job.running(1);
  const agent = world.grid.agents.get(box)?.processId;
  assert.ok(agent);
  process.kill(agent, 'SIGSTOP');
  const stoppedAtMs = Date.now();
  const silent = `box=${box} from=working to=fenced cause=silent-at-work`;
  const fencedAtMs = timeOf(await deviceOf(box).supervisor.waitForLine(silent, SILENCE_MS + FOLLOWS_MS));
  process.kill(agent, 'SIGCONT');
  assert.ok(fencedAtMs - stoppedAtMs <= SILENCE_MS, `fenced after ${fencedAtMs - stoppedAtMs} ms`);
  assert.notEqual(await job.running(2), box);
  assert.equal((await job.result()).state, 'agreed');
  await operator('release', box);
  await withoutOthers(box, async () => {
    const next = await startJob(client, 1);
    assert.equal((await next.result()).state, 'agreed');
    assert.equal((await verified(next.capsule)).receipt.box.name, box);
  });
});

test('kill -9 of the device during a run: the new one takes the wires over, and what it did not sense is a gap (§17.1, §17.4)', async () => {
  const job = await startJob(client, OUTLIVES_S);
  const box = await job.running(1);
  const agent = world.grid.agents.get(box)?.processId;
  await killDevice(deviceOf(box));
  assert.equal((await job.result()).state, 'agreed');
  const { receipt, report } = await verified(job.capsule);
  assert.equal(receipt.box.name, box, 'it is given to nobody else');
  const { energy } = receipt;
  assert.ok(energy);
  const spanMs = energy.toMs - energy.fromMs;
  const observedMs = spanMs - energy.unobservedMs;
  assert.ok(spanMs >= report.usage.wallMs - 1_000, `the account is of ${spanMs} ms, the run of ${report.usage.wallMs} ms`);
  assert.ok(energy.unobservedMs > 1_000 && observedMs > 0, `without a device for ${energy.unobservedMs} of ${spanMs} ms`);
  const meanMw = (energy.millijoules * 1_000) / observedMs;
  assert.ok(meanMw >= 0.9 * IDLE_MW && meanMw <= 1.1 * FULL_MW, `${meanMw} mW while it was observed`);
  const { power, source } = await standingOf(box);
  assert.deepEqual([power, source], ['on', 'simulated']);
  assert.equal(world.grid.agents.get(box)?.processId, agent, 'the box was on all the time');
});

test('where the policy only suspects a box that is opened, its run ends as disputed, and its receipt says so (§17.2, §17.5)', async () => {
  const device = world.grid.devices.at(-1);
  assert.ok(device);
  const box = boxOf(device.name);
  const folder = world.grid.layout.device(device.name);
  const { boxRules = [], ...configuration } = readConfiguration(folder);
  const policy = { intrusion: 'suspect' } as const;
  writeConfiguration(folder, { ...configuration, boxRules: boxRules.map((rules) => ({ ...rules, policy })) });
  await killDevice(device);
  await withoutOthers(box, async () => {
    const job = await startJob(client, JOB_S);
    assert.equal(await job.running(1), box);
    await rack('open-door', box);
    const { state, reason } = await job.result();
    assert.deepEqual([state, reason], ['disputed', 'box-opened']);
    const { receipt, report } = await verified(job.capsule);
    assert.deepEqual([receipt.state, receipt.disputed?.reason], ['disputed', 'box-opened']);
    assert.deepEqual(report.outcome, { outcome: 'exited', status: 0 }, 'the word of the box stays what it was');
    assert.equal((await standingOf(box)).state, 'suspect');
    await rack('close-door', box);
    for (const endMs = Date.now() + FOLLOWS_MS; (await standingOf(box)).state !== 'ready'; await sleep(200)) assert.ok(Date.now() < endMs);
  });
});

/** Meanwhile no other box is drawn. */
async function withoutOthers(box: string, work: () => Promise<void>): Promise<void> {
  const others = world.grid.devices.map(({ name }) => boxOf(name)).filter((name) => name !== box);
  for (const name of others) await operator('fence', name);
  await sleep(OFFERED_MS);
  try {
    await work();
  } finally {
    for (const name of others) await operator('release', name);
  }
}

function deviceOf(box: string): GridDevice {
  const device = world.grid.devices.find(({ name }) => boxOf(name) === box);
  assert.ok(device);
  return device;
}

async function rack(
  what: 'open-door' | 'close-door' | 'cut' | 'restore' | 'stick' | 'heal',
  box: string,
  ...sensor: string[]
): Promise<void> {
  const { status, stderr } = await world.run('rack', what, box, ...sensor);
  assert.equal(status, 0, stderr);
}

/** Where this machine leaves a run a quarter of its processors or less, or its sensors unread, no device judges it: then another is tried. */
async function judgedJob(): Promise<WatchedJob> {
  for (let tries = 1; ; tries += 1) {
    const job = await startJob(client, DISPUTED_S, 2 * availableParallelism());
    await job.result();
    const { receipt, report } = await verified(job.capsule);
    const { cpuMs, wallMs } = report.usage;
    const unobservedMs = receipt.energy?.unobservedMs ?? wallMs;
    if (cpuMs * 4 >= wallMs * availableParallelism() && unobservedMs * 5 < wallMs) return job;
    assert.ok(tries < JUDGED_TRIES, `${cpuMs} ms of processor time in ${wallMs} ms, of which ${unobservedMs} were not observed`);
  }
}

/** From then on its sensor says what a box at rest draws, whatever runs on it. */
async function stickAtIdle(box: string): Promise<void> {
  for (const endMs = Date.now() + FOLLOWS_MS; ; await sleep(200)) {
    await rack('stick', box, 'box-power');
    const { stdout } = await world.run('rack', 'status', box, '--json');
    const [status] = JSON.parse(stdout) as { readings: { sensor: string; value?: number }[] }[];
    const stuck = status?.readings.find(({ sensor }) => sensor === 'box-power')?.value;
    if (stuck !== undefined && stuck < 1.1 * IDLE_MW) return;
    assert.ok(Date.now() < endMs, `${box} does not come to rest: ${stuck ?? 0} mW`);
    await rack('heal', box, 'box-power');
  }
}

async function operator(order: 'fence' | 'release', box: string): Promise<void> {
  const { status, stdout, stderr } = await world.run('box', order, box);
  assert.equal(status, 0, stdout + stderr);
}

/** By nothing but the network file. */
async function verified(capsule: string): Promise<ReceiptVerdict & { readonly status: 'verified' }> {
  const verdict = judgeReceipt(await client.receipt(capsule), { network: world.grid.network, crypto: nobleCrypto });
  assert.ok(verdict.status === 'verified', verdict.status === 'refused' ? verdict.detail : '');
  return verdict;
}

/** As its device says, once that runs. */
async function standingOf(box: string): Promise<{ readonly state: string; readonly power: string; readonly source?: string }> {
  for (const endMs = Date.now() + FOLLOWS_MS; ; await sleep(200)) {
    const { status, stdout, stderr } = await world.run('box', 'show', box, '--json');
    if (status === 0) return (JSON.parse(stdout) as { standing: { state: string; power: string; source?: string } }).standing;
    assert.ok(Date.now() < endMs, stderr);
  }
}

/** Its supervisor starts it again. */
async function killDevice({ supervisor }: GridDevice): Promise<void> {
  const before = supervisor.processId;
  assert.ok(before);
  process.kill(before, 'SIGKILL');
  for (const endMs = Date.now() + FOLLOWS_MS; supervisor.processId === before; await sleep(50)) assert.ok(Date.now() < endMs);
}

/** Of a line of the log, Unix ms. */
function timeOf(line: string): number {
  return Date.parse(line.slice(0, line.indexOf(' ')));
}
