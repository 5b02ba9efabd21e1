/** Four devices as one network, with members missing: what still runs, and how sure the chain is of it. Specification §13.5, §15. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { judgeReceiptFinality } from '#protocol/receipt-finality.ts';
import { capsuleInMemory } from '../../scripts/client/capsule-in-memory.ts';
import type { Client } from '../../scripts/client/client.ts';
import { openWorld, type World } from './world.ts';

let world: World;
let client: Client;
before(async () => {
  world = await openWorld();
  client = await world.client();
});
after(() => world.stop());

test('with one of four devices gone the others go on to finalise (§13.5)', async () => {
  const back = holdBack('delta');
  const { receipt, finality } = await runCapsule('one gone', 60_000);
  assert.ok(finality?.finality === 'final', JSON.stringify(finality));
  const context = { network: world.grid.network, crypto: nobleCrypto };
  const verdict = judgeReceipt(receipt, context);
  assert.ok(verdict.status === 'verified');
  const proven = judgeReceiptFinality(receipt, verdict.receipt, finality.proof, context);
  assert.ok(proven.status === 'accepted', JSON.stringify(proven));
  assert.equal(proven.votes.length, 3);
  back();
});

test('with two of four gone capsules still run, their receipts say not-final, and become final when one returns (§13.5)', async () => {
  const backs = [holdBack('charlie'), holdBack('delta')];
  // What was voted before they went may still be on its way.
  await sleep(5_000);
  const { capsule, finality } = await runCapsule('two gone', 10_000);
  assert.equal(finality?.finality, 'not-final', JSON.stringify(finality));
  backs.forEach((back) => back());
  const later = await client.finality(capsule, 90_000);
  assert.equal(later?.finality, 'final');
});

/** Kills a device again and again, as soon as it is started. @returns lets it come back */
function holdBack(name: string): () => void {
  const kill = (): void => {
    const id = world.grid.devices.find((device) => device.name === name)?.supervisor.processId;
    if (id === undefined) return;
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // It is gone already, and its supervisor has not started the next one yet.
    }
  };
  kill();
  const timer = setInterval(kill, 50);
  return () => clearInterval(timer);
}

async function runCapsule(words: string, finalityWaitMs: number) {
  const written = { capsule: 1, runtime: 'shell', entry: 'main.sh', limits: { wallSeconds: 60 } } as const;
  const toSubmit = capsuleInMemory(written, { 'main.sh': new TextEncoder().encode(`echo ${words}\n`) }, Date.now());
  const { capsule } = await client.submit(toSubmit);
  const result = await client.result(capsule);
  assert.equal(result.state, 'agreed', `${result.reason ?? ''} ${result.detail ?? ''}`);
  return { capsule, receipt: await client.receipt(capsule), finality: await client.finality(capsule, finalityWaitMs) };
}
