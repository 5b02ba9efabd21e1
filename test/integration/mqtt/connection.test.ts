/** Connections as our programs have them: they survive their broker, and refuse what is too much. Specification §5.4. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { LIMITS } from '#protocol/limits.ts';
import type { Incoming } from '#protocol/mqtt-port.ts';
import { BrokerFailed } from '../../../device/mqtt/broker.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { connect as connectAgent } from '../../../hpc-agent/mqtt.ts';
import { startDeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { bytes, credential, DEVICE, joinAt, NETWORK, ROOT, startBench, until, type BrokerBench } from './broker-bench.ts';

let bench: BrokerBench;
const HERE = `${ROOT}/${DEVICE}`;
before(async () => {
  bench = await startBench();
  await bench.own.subscribe(`${HERE}/clients/+/query`, ({ responseTopic, correlationData, payload, contentType }) => {
    assert.ok(responseTopic && correlationData && contentType);
    void bench.own.publish(responseTopic, payload, { correlationData, contentType });
  });
});
after(() => bench.stop());

for (const [adapter, open] of [
  ['firmware', connect],
  ['agent', connectAgent],
] as const) {
  test(`${adapter}: a request and its answer carry content type, response topic and correlation data (§5.2)`, async () => {
    const client = await joinAt(bench, 'clients', credential(bench, 'client', 'alice'), open);
    const answers: Incoming[] = [];
    await client.subscribe(`${HERE}/clients/alice/#`, (message) => void answers.push(message));
    const how = { contentType: 'application/json', responseTopic: `${HERE}/clients/alice/answer`, correlationData: Uint8Array.of(1, 2) };
    assert.equal(await client.publish(`${HERE}/clients/alice/query`, bytes('{}'), how), 'acknowledged');
    await until(() => answers.length === 1, 'the answer comes');
    assert.deepEqual(answers, [
      {
        topic: `${HERE}/clients/alice/answer`,
        payload: bytes('{}'),
        retained: false,
        contentType: 'application/json',
        correlationData: Uint8Array.of(1, 2),
      },
    ]);
    assert.equal(await client.publish(`${HERE}/clients/bob/query`, bytes('{}')), 'refused');
    await client.close();
    assert.equal(await client.publish(`${HERE}/clients/alice/query`, bytes('{}')), 'dropped');
  });

  test(`${adapter}: what no broker would take is refused at once, and the connection stays up (§5.4)`, async () => {
    const client = await joinAt(bench, 'clients', credential(bench, 'client', 'alice'), open);
    const states: string[] = [];
    client.onState((state) => void states.push(state));
    const query = `${HERE}/clients/alice/query`;
    const topics = ['', `${query}/#`, `${query}/+`, `${query}\0`, `${query}\u0001`, `${query}\ufffe`, `${query}\ud800`, '$SYS/x'];
    for (const topic of [...topics, `${query}${'x'.repeat(256)}`, query.padEnd(250, '/')]) {
      assert.equal(await client.publish(topic, bytes('{}')), 'refused', JSON.stringify(topic));
      assert.equal(await client.publish(query, bytes('{}'), { responseTopic: topic }), 'refused', JSON.stringify(topic));
    }
    assert.equal(await client.publish(query, new Uint8Array(LIMITS.packetBytesMax)), 'refused');
    assert.equal(await client.publish(query, bytes('{}'), { correlationData: new Uint8Array(257) }), 'refused');
    assert.equal(await client.publish(query, bytes('{}'), { contentType: 'text\0' }), 'refused');
    assert.equal(await client.publish(query, bytes('{}'), { contentType: 'x'.repeat(LIMITS.packetBytesMax) }), 'refused');
    const answers: Incoming[] = [];
    await client.subscribe(`${HERE}/clients/alice/answer`, (message) => void answers.push(message));
    const how = { contentType: 'x', responseTopic: `${HERE}/clients/alice/answer`, correlationData: new Uint8Array(256) };
    const largest = new Uint8Array(LIMITS.packetBytesMax - 64 - 256 - query.length - how.responseTopic.length - 1);
    assert.equal(await client.publish(query, largest, how), 'acknowledged');
    await until(() => answers.length === 1, 'the largest packet comes back');
    assert.deepEqual([states, client.state, bench.own.state], [[], 'connected', 'connected']);
    await client.close();
  });

  test(`${adapter}: a broker that is killed comes back, and subscriptions with it`, async () => {
    const box = await joinAt(bench, 'boxes', credential(bench, 'box', 'box1'), open);
    const heard: string[] = [];
    await box.subscribe(`${HERE}/hpc/box1/down/#`, ({ topic }) => void heard.push(topic));
    const started = bench.events.findLast((event) => event.event === 'brokerStarted');
    assert.ok(started?.event === 'brokerStarted');
    const states: string[] = [];
    box.onState((state) => void states.push(state));
    process.kill(started.processId, 'SIGKILL');
    const waiting = bench.own.publish(`${HERE}/status`, bytes('said while it was away'), { retain: true });
    await until(() => states.join() === 'lost,connected' && bench.own.state === 'connected', 'both are connected again');
    assert.equal(await waiting, 'acknowledged');
    await bench.own.publish(`${HERE}/hpc/box1/down/assign`, bytes('work'));
    await until(() => heard.length > 0, 'the subscription stands again');
    assert.ok(bench.events.some((event) => event.event === 'brokerDied'));
    await box.close();
  });

  test(`${adapter}: all handlers of a filter hear, and handlers of overlapping filters hear once each`, async () => {
    const box = await joinAt(bench, 'boxes', credential(bench, 'box', 'box1'), open);
    const heard: string[] = [];
    await box.subscribe(`${HERE}/hpc/box1/down/#`, () => void heard.push('first'));
    await box.subscribe(`${HERE}/hpc/box1/down/#`, () => void heard.push('second'));
    await box.subscribe(`${HERE}/hpc/box1/down/+`, () => void heard.push('third'));
    await bench.own.publish(`${HERE}/hpc/box1/down/cancel`, bytes('stop'));
    await until(() => heard.length >= 3, 'all have heard');
    await bench.own.publish(`${HERE}/status`, bytes('a round trip'));
    assert.deepEqual(heard.sort(), ['first', 'second', 'third']);
    await box.close();
  });
}

test('a handler that throws is told, and those beside it and after it are heard (§5.4)', async () => {
  const faults: string[] = [];
  const onFault = (topic: string, fault: unknown): void => void faults.push(`${topic.split('/').at(-1) ?? ''} ${String(fault)}`);
  const connection = connect({ socket: bench.broker.socket }, { onFault });
  bench.open.push(() => connection.close());
  const heard: string[] = [];
  await connection.subscribe(`${HERE}/hpc/+/up/#`, () => {
    throw new Error('no number');
  });
  await connection.subscribe(`${HERE}/hpc/+/up/#`, ({ topic }) => void heard.push(topic.split('/').at(-1) ?? ''));
  for (const kind of ['report', 'hello']) await bench.own.publish(`${HERE}/hpc/box1/up/${kind}`, bytes('x'));
  await until(() => heard.length === 2, 'both are heard');
  assert.deepEqual(
    [heard, faults],
    [
      ['report', 'hello'],
      ['report Error: no number', 'hello Error: no number'],
    ],
  );
  await connection.close();
});

test('what a closed or unreachable connection still holds is dropped, and said so', async () => {
  const connection = connect({ socket: `${bench.folder}/nobody.sock` });
  bench.open.push(() => connection.close());
  const outcome = connection.publish(`${HERE}/status`, bytes('to nobody'));
  await assert.rejects(connection.connected(50), /no connection to .*nobody\.sock: .*ENOENT/);
  await connection.close();
  assert.equal(await outcome, 'dropped');
});

test('more than the outgoing queue holds is dropped', async () => {
  const connection = connect({ socket: `${bench.folder}/nobody.sock` });
  bench.open.push(() => connection.close());
  const outcomes = Array.from({ length: 5_000 }, () => connection.publish(`${HERE}/status`, bytes('x')));
  assert.equal(await outcomes.at(-1), 'dropped');
  await connection.close();
  assert.equal((await Promise.all(outcomes)).filter((outcome) => outcome !== 'dropped').length, 0);
});

test('a taken port is said in words, and ports once chosen are kept', async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  const ports = await claimPorts(`${bench.folder}/other/ports.json`, { clients: port, boxes: 0, peers: 0, pairing: 0 });
  const options = {
    folder: `${bench.folder}/other`,
    network: NETWORK,
    device: DEVICE,
    authority: bench.authority,
    ports,
    address: '127.0.0.1',
    onEvent: () => undefined,
  };
  const started = startDeviceBroker(options, { peerAuthorities: [], revokedClients: [], revokedBoxes: [] });
  await assert.rejects(
    started,
    (error) => error instanceof BrokerFailed && error.message.includes(String(port)) && /in use/.test(error.message),
  );
  server.close();
  assert.deepEqual(await claimPorts(`${bench.folder}/other/ports.json`), ports);
});
