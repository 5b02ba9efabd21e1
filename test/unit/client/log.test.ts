/** What a client is told of the log of a capsule, from a device in memory. Specification §7.4. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openInMemory, type InMemory } from './client-in-memory.ts';

let memory: InMemory;
beforeEach(async () => {
  memory = await openInMemory();
});
afterEach(() => memory.close());

test('log that the broker repeats is told once', async () => {
  memory.device.story = { outputs: {}, log: ['one\n'], endless: true };
  const { capsule } = await memory.submit();
  const watch = memory.client.watch(capsule);
  await running(capsule);
  memory.device.log(capsule, 'stdout', 0, 'one\n');
  memory.device.log(capsule, 'stderr', 0, 'other\n');
  memory.device.end(capsule);
  const texts: string[] = [];
  for await (const news of watch) if (news.news === 'log') texts.push(news.text);
  assert.deepEqual(texts, ['one\n', 'other\n']);
});

test('the log of a further attempt is told from its beginning, and no more of the one before (§7.4)', async () => {
  memory.device.story = { outputs: {}, log: ['tick 0\n'], endless: true };
  const { capsule } = await memory.submit();
  const watch = memory.client.watch(capsule);
  await running(capsule);
  memory.device.log(capsule, 'stdout', 7, 'tick 1\n');
  memory.device.log(capsule, 'stdout', 0, 'tick 0\n', 2);
  memory.device.log(capsule, 'stdout', 14, 'tick 2 of the first\n');
  memory.device.log(capsule, 'stdout', 7, 'tick 1\n', 2);
  memory.device.end(capsule);
  const told: [number, string][] = [];
  for await (const news of watch) if (news.news === 'log') told.push([news.attempt, news.text]);
  assert.deepEqual(told, [
    [1, 'tick 0\n'],
    [1, 'tick 1\n'],
    [2, 'tick 0\n'],
    [2, 'tick 1\n'],
  ]);
});

async function running(capsule: string): Promise<void> {
  while (memory.device.capsules.get(capsule)?.state !== 'running') await sleep(5);
}
