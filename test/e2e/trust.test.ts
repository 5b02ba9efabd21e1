/** Four devices that judge one another: one whose registers change loses work and seat, and has them back when it is what it was. Specification §18. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { capsuleInMemory } from '../../scripts/client/capsule-in-memory.ts';
import type { Client } from '../../scripts/client/client.ts';
import { openWorld, type World } from './world.ts';

/** Two slots of 32 blocks a second apart, in which its moment comes at the latest, and as much for a machine that is busy. */
const VERDICT_WAIT_MS = 150_000;
const SUSPECT = 'delta';

let world: World;
let client: Client;
before(async () => {
  world = await openWorld();
  client = await world.client();
});
after(() => world.stop());

test('every member shows evidence and is judged trusted (§18.1, §18.6)', async () => {
  const names = world.grid.devices.map(({ name }) => name);
  await Promise.all(names.map((name) => heard('alpha', `verdictStands level=0 word=trusted subject=${name}`)));
});

test('a changed register ends work and seat; firmware and TPM started anew bring both back (§18.6)', async (context) => {
  const changedAtMs = performance.now();
  const changed = await world.run('tpm', 'extend', '--device', SUSPECT, '--pcr', '14');
  assert.equal(changed.status, 0, changed.stderr);
  const judged = await heard(
    'alpha',
    new RegExp(`evidenceJudged subject=${SUSPECT} slot=\\d+ word=untrusted reason=quote-other-pcr-values`),
  );
  const slot = /slot=(\d+)/.exec(judged)?.[1] ?? '';
  const shownAtMs = performance.now();
  await heard('alpha', `verdictStands level=0 word=untrusted subject=${SUSPECT} slot=${slot}`);
  const outAtMs = performance.now();
  context.diagnostic(
    `PCR 14 changed: evidence after ${seconds(shownAtMs - changedAtMs)}, untrusted after ${seconds(outAtMs - changedAtMs)}`,
  );
  await heard('alpha', `verdictStands level=1 word=untrusted subject=${SUSPECT} slot=${slot}`);
  context.diagnostic(`without a seat after ${seconds(performance.now() - changedAtMs)}`);
  const boxes = await Promise.all(Array.from({ length: 8 }, () => boxOfRun()));
  assert.ok(!boxes.includes(`${SUSPECT}-box`), `an untrusted member's box ran a capsule: ${boxes.join(', ')}`);

  const restoredAtMs = performance.now();
  await world.grid.devices
    .find(({ name }) => name === SUSPECT)
    ?.tpm()
    .stop();
  await heard('alpha', `verdictStands level=1 word=trusted subject=${SUSPECT}`);
  context.diagnostic(`TPM started anew: trusted, with its seat, after ${seconds(performance.now() - restoredAtMs)}`);
  await untilItWorks();
  context.diagnostic(`a capsule on its box after ${seconds(performance.now() - restoredAtMs)}`);
});

function heard(device: string, words: string | RegExp): Promise<string> {
  const found = world.grid.devices.find(({ name }) => name === device);
  assert.ok(found);
  return found.supervisor.waitForLine(words, VERDICT_WAIT_MS);
}

async function boxOfRun(): Promise<string> {
  const written = { capsule: 1, runtime: 'shell', entry: 'main.sh', limits: { wallSeconds: 60 } } as const;
  const content = { 'main.sh': new TextEncoder().encode(`echo ${Math.random()}\n`) };
  const { capsule } = await client.submit(capsuleInMemory(written, content, Date.now()));
  let box = '';
  for await (const news of client.watch(capsule)) {
    if (news.news === 'state') box = news.box ?? box;
    if (news.news === 'result') return box;
  }
  return box;
}

/** One of four boxes is drawn each time. */
async function untilItWorks(): Promise<void> {
  const untilMs = performance.now() + VERDICT_WAIT_MS;
  while (performance.now() < untilMs) {
    const boxes = await Promise.all(Array.from({ length: 4 }, () => boxOfRun()));
    if (boxes.includes(`${SUSPECT}-box`)) return;
    await sleep(1_000);
  }
  assert.fail(`no capsule ran on ${SUSPECT}-box`);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
