/** What a client is told of the log of a capsule, from a device in memory. Specification §7.4. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { capsuleInMemory } from '../../../scripts/client/capsule-in-memory.ts';
import { connectClient, type Client } from '../../../scripts/client/client.ts';
import { FakeDevice, parties } from './fake-device.ts';
import { MemoryBroker } from './memory-broker.ts';

let device: FakeDevice;
let client: Client;
beforeEach(async () => {
  const broker = new MemoryBroker();
  device = new FakeDevice(broker.connect());
  const times = { repeatMs: 20, answerWaitMs: 2_000, watchQueryMs: 40, statusWaitMs: 10 };
  client = await connectClient({ ...parties, connection: broker.connect(), address: 'mqtts://memory', times });
});
afterEach(async () => {
  device.stop();
  await client.close();
});

test('log that the broker repeats is told once', async () => {
  device.story = { outputs: {}, log: ['one\n'], endless: true };
  const { capsule } = await submit();
  const watch = client.watch(capsule);
  await running(capsule);
  device.log(capsule, 'stdout', 0, 'one\n');
  device.log(capsule, 'stderr', 0, 'other\n');
  device.end(capsule);
  const texts: string[] = [];
  for await (const news of watch) if (news.news === 'log') texts.push(news.text);
  assert.deepEqual(texts, ['one\n', 'other\n']);
});

test('the log of a further attempt is told from its beginning, and no more of the one before (§7.4)', async () => {
  device.story = { outputs: {}, log: ['tick 0\n'], endless: true };
  const { capsule } = await submit();
  const watch = client.watch(capsule);
  await running(capsule);
  device.log(capsule, 'stdout', 7, 'tick 1\n');
  device.log(capsule, 'stdout', 0, 'tick 0\n', 2);
  device.log(capsule, 'stdout', 14, 'tick 2 of the first\n');
  device.log(capsule, 'stdout', 7, 'tick 1\n', 2);
  device.end(capsule);
  const told: [number, string][] = [];
  for await (const news of watch) if (news.news === 'log') told.push([news.attempt, news.text]);
  assert.deepEqual(told, [
    [1, 'tick 0\n'],
    [1, 'tick 1\n'],
    [2, 'tick 0\n'],
    [2, 'tick 1\n'],
  ]);
});

function submit(): ReturnType<Client['submit']> {
  return client.submit(capsuleInMemory({ capsule: 1, runtime: 'node', entry: 'main.js' }, { 'main.js': Uint8Array.of(120) }, 0));
}

async function running(capsule: string): Promise<void> {
  while (device.capsules.get(capsule)?.state !== 'running') await sleep(5);
}
