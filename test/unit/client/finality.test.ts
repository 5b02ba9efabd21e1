/** What a client learns of the finality of its receipts, from a device in memory. Specification §9.4. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { openInMemory, type InMemory } from './client-in-memory.ts';

let memory: InMemory;
beforeEach(async () => {
  memory = await openInMemory();
});
afterEach(() => memory.close());

test('finality is waited for: what is not final at first may become it (§9.4)', async () => {
  let asked = 0;
  memory.device.finality = (capsule) => {
    asked += 1;
    if (asked < 3) return [{ finality: 'not-final', capsule, height: 7, block: new Uint8Array(32) }];
    return [{ finality: 'final', capsule, proof: Uint8Array.of(9) }];
  };
  const capsule = await ended();
  assert.deepEqual(await memory.client.finality(capsule, 5_000), { finality: 'final', capsule, proof: Uint8Array.of(9) });
});

test('what stays not final is said to be so (§9.4)', async () => {
  const block = new Uint8Array(32);
  memory.device.finality = (capsule) => [{ finality: 'not-final', capsule, height: 7, block }];
  const capsule = await ended();
  assert.deepEqual(await memory.client.finality(capsule, 300), { finality: 'not-final', capsule, height: 7, block });
});

test('of what the device says nothing about nothing is known (§9.4)', async () => {
  memory.device.finality = () => [];
  assert.equal(await memory.client.finality(await ended(), 100), undefined);
});

test('news of another capsule under this topic is none (§9.4)', async () => {
  memory.device.finality = () => [{ finality: 'final', capsule: 'f'.repeat(32), proof: Uint8Array.of(9) }];
  assert.equal(await memory.client.finality(await ended(), 100), undefined);
});

async function ended(): Promise<string> {
  memory.device.issuesReceipts = true;
  const { capsule } = await memory.submit();
  await memory.client.result(capsule);
  return capsule;
}
