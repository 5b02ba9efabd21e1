/** What a client learns of the finality of its receipts, from a device in memory. Specification §9.4. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { capsuleInMemory } from '../../../scripts/client/capsule-in-memory.ts';
import { connectClient, type CapsuleToSubmit, type Client } from '../../../scripts/client/client.ts';
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

test('finality is waited for: what is not final at first may become it (§9.4)', async () => {
  let asked = 0;
  device.finality = (capsule) => {
    asked += 1;
    if (asked < 3) return [{ finality: 'not-final', capsule, height: 7, block: new Uint8Array(32) }];
    return [{ finality: 'final', capsule, proof: Uint8Array.of(9) }];
  };
  const capsule = await ended();
  assert.deepEqual(await client.finality(capsule, 5_000), { finality: 'final', capsule, proof: Uint8Array.of(9) });
});

test('what stays not final is said to be so (§9.4)', async () => {
  const block = new Uint8Array(32);
  device.finality = (capsule) => [{ finality: 'not-final', capsule, height: 7, block }];
  const capsule = await ended();
  assert.deepEqual(await client.finality(capsule, 300), { finality: 'not-final', capsule, height: 7, block });
});

test('of what the device says nothing about nothing is known (§9.4)', async () => {
  device.finality = () => [];
  assert.equal(await client.finality(await ended(), 100), undefined);
});

test('news of another capsule under this topic is none (§9.4)', async () => {
  device.finality = () => [{ finality: 'final', capsule: 'f'.repeat(32), proof: Uint8Array.of(9) }];
  assert.equal(await client.finality(await ended(), 100), undefined);
});

async function ended(): Promise<string> {
  device.issuesReceipts = true;
  const { capsule } = await client.submit(toSubmit());
  await client.result(capsule);
  return capsule;
}

function toSubmit(): CapsuleToSubmit {
  return capsuleInMemory({ capsule: 1, runtime: 'node', entry: 'main.js' }, { 'main.js': new TextEncoder().encode('x') }, 0);
}
