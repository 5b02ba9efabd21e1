/** A broker that runs but no longer serves is started anew. Specification §5.3. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { attack, bytes, credential, DEVICE, ROOT, startBench, until, type BrokerBench } from './broker-bench.ts';

let bench: BrokerBench;
const answers = `${ROOT}/${DEVICE}/clients/alice/answer`;
before(async () => {
  bench = await startBench();
});
after(() => bench.stop());

test("a broker that one client's left sessions fill is started anew, and serves again (§5.3)", async () => {
  const alice = credential(bench, 'client', 'alice');
  const sessions = Array.from({ length: 60 }, (_, index) => index);
  for (const index of sessions) {
    const client = await attack(bench, 'clients', alice, {
      clean: false,
      clientId: `left-${index}`,
      properties: { sessionExpiryInterval: 3_600 },
    });
    await client.subscribeAsync(`${answers}/${index}`, { qos: 1 });
    client.end(true);
  }
  const full = (): boolean =>
    bench.events.some((event) => event.event === 'brokerDied' && event.detail.includes('because its memory is nearly full'));
  const piece = new Uint8Array(200 * 1024);
  for (let round = 0; round < 20; round += 1) {
    if (full()) break;
    await Promise.all(sessions.map((index) => bench.own.publish(`${answers}/${index}`, piece)));
  }
  await until(full, 'the full broker is abandoned');
  await until(() => bench.own.state === 'connected', 'the firmware is connected again');
  assert.equal(await bench.own.publish(`${ROOT}/${DEVICE}/status`, bytes('online')), 'acknowledged');
});

test('a broker whose process stands still is killed and started again (§5.3)', { timeout: 30_000 }, async () => {
  const started = bench.events.findLast((event) => event.event === 'brokerStarted');
  assert.ok(started?.event === 'brokerStarted');
  process.kill(started.processId, 'SIGSTOP');
  const outcome = await bench.own.publish(`${ROOT}/${DEVICE}/status`, bytes('online'));
  assert.equal(outcome, 'acknowledged');
  assert.ok(bench.events.some((event) => event.event === 'brokerDied' && event.detail.includes('because it no longer answered')));
});
