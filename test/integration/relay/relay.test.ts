/** Boxes behind another broker, a real Mosquitto: paired through it, heard through it, held to their rights as those that come directly. Specification §5.7. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readBoxWays } from '../../../device/relay/box-ways.ts';
import { networkId, networkLabel } from '#protocol/network.ts';
import { topicOf } from '#protocol/topics.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { RELAY_LIMITS } from '../../../device/relay/limits.ts';
import { Relay } from '../../../device/relay/relay.ts';
import { pairHolder } from '../../../hpc-agent/pairing.ts';
import { PairingFailed } from '../../../hpc-agent/prover-talk.ts';
import { openRelayStream } from '../../../hpc-agent/relay-stream.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { openFor } from '../pairing/pairing-bench.ts';
import { hearBoxes, startRelayBench, topicsOf, until, type RelayBench } from './relay-bench.ts';

let bench: RelayBench;
before(async () => {
  bench = await startRelayBench();
});
after(() => bench.stop());

test('a box is paired through another broker, remembers the way, and is heard through it (§5.7)', async () => {
  const paired = await bench.pairThrough('render-1');
  const through = { url: bench.site.url, name: 'alpha', fingerprint: bench.site.fingerprint };
  assert.deepEqual(JSON.parse(readFileSync(join(paired.folder, 'connection.json'), 'utf8')), {
    ...{ url: paired.url, device: 'alpha', network: networkId(bench.network).toHex(), box: 'render-1', through },
  });
  const heard = await hearBoxes(bench);
  const box = bench.join('render-1');
  await box.connected(10_000);
  const { up, down } = topicsOf(bench, 'render-1');
  assert.equal(await box.publish(up, Uint8Array.of(7)), 'acknowledged');
  await until(() => heard.some(({ topic, payload }) => topic === up && payload[0] === 7), 'the device hears the box');
  const said: Uint8Array[] = [];
  await box.subscribe(down, ({ payload }) => void said.push(payload));
  await bench.own.publish(down, Uint8Array.of(8));
  await until(() => said.length === 1, 'the box hears the device');
  await until(() => readBoxWays(bench.device).some(({ box, way }) => box === 'render-1' && way === 'relay'), 'the way is noted');
});

test('large messages go both ways whole and in order (§5.7)', async () => {
  await bench.pairThrough('large');
  const box = bench.join('large');
  await box.connected(10_000);
  const { up, down } = topicsOf(bench, 'large');
  const [toDevice, toBox]: [Uint8Array[], Uint8Array[]] = [[], []];
  await bench.own.subscribe(up, ({ payload }) => void toDevice.push(payload));
  await box.subscribe(down, ({ payload }) => void toBox.push(payload));
  const pieces = Array.from({ length: 40 }, () => new Uint8Array(randomBytes(200_000)));
  // As many as fetches ask for: more than the device's own broker queues for a box, it forgets.
  for (let from = 0; from < pieces.length; from += 8) {
    const some = pieces.slice(from, from + 8);
    await Promise.all(some.flatMap((piece) => [box.publish(up, piece), bench.own.publish(down, piece)]));
    await until(() => Math.min(toDevice.length, toBox.length) >= from + 8, `${from + 8} have come each way`);
  }
  assert.deepEqual(toDevice, pieces);
  assert.deepEqual(toBox, pieces);
});

test('the other broker started anew costs a reconnection: what a box says is heard all the same (§5.7)', { timeout: 120_000 }, async () => {
  await bench.pairThrough('patient');
  const heard = await hearBoxes(bench);
  const box = bench.join('patient');
  await box.connected(20_000);
  const states: string[] = [];
  box.onState((state) => void states.push(state));
  const { up } = topicsOf(bench, 'patient');
  const saying = (async () => {
    for (let word = 0; word < 30; word += 1) {
      assert.equal(await box.publish(up, Uint8Array.of(word)), 'acknowledged');
      if (word === 10) await bench.site.restart();
    }
  })();
  await saying;
  await until(() => heard.some(({ payload }) => payload[0] === 29), 'the last word is heard');
  assert.deepEqual(
    [...new Set(heard.map(({ payload }) => payload[0]))],
    Array.from({ length: 30 }, (_, word) => word),
  );
  assert.deepEqual(states.slice(0, 2), ['lost', 'connected']);
});

test('a box that comes through another broker has the rights of any box: fenced, it says what a fenced one may (§5.7, §17.2)', async () => {
  await bench.pairThrough('fenced');
  const box = bench.join('fenced');
  await box.connected(20_000);
  const { up } = topicsOf(bench, 'fenced');
  const hello = topicOf(networkLabel(bench.network), { to: 'box', device: 'alpha', box: 'fenced', direction: 'up', kind: 'hello' });
  assert.equal(await box.publish(topicsOf(bench, 'another').up, Uint8Array.of(1)), 'refused');
  assert.equal(await box.publish(up, Uint8Array.of(1)), 'acknowledged');
  await bench.broker.fence(['fenced']);
  assert.deepEqual([await box.publish(up, Uint8Array.of(2)), await box.publish(hello, Uint8Array.of(3))], ['refused', 'acknowledged']);
  await bench.broker.fence([]);
  assert.equal(await box.publish(up, Uint8Array.of(4)), 'acknowledged');
});

test('of one certificate the device keeps two connections, whichever way they come (§5.3, §5.7)', async () => {
  await bench.pairThrough('manifold');
  const boxes = [];
  const lost: number[] = [];
  for (let index = 0; index < 3; index += 1) {
    const box = bench.join('manifold');
    box.onState((state) => {
      if (state === 'lost') lost.push(index);
    });
    await box.connected(20_000);
    boxes.push(box);
  }
  await until(() => lost[0] === 0, 'the oldest is ended');
  await Promise.all(boxes.map((box) => box.close()));
});

test(
  'a session that shows no certificate is ended, and one too many is told that there is no place (§5.7)',
  { timeout: 60_000 },
  async () => {
    const ports = await claimPorts(join(bench.device, 'broker', 'ports.json'));
    const relay = new Relay({ other: bench.site, name: 'beta', host: '127.0.0.1', ports, log: () => undefined, unusedMs: 1_500 });
    const endOf = (listener: 'boxes' | 'pairing'): Promise<string> =>
      new Promise((resolve) => {
        const stream = openRelayStream({ other: bench.site, device: 'beta' }, listener);
        stream.once('error', ({ message }) => resolve(message)).write('not TLS, and not the end of a record');
      });
    assert.match(await endOf('pairing'), /no window for pairing is open/);
    const idle = new Promise<string>((resolve) => {
      openRelayStream({ other: bench.site, device: 'beta' }, 'boxes').once('error', ({ message }) => resolve(message));
    });
    assert.match(await idle, /unused/);
    const window = await openFor(bench.device, 'box', 'crowded');
    const most = RELAY_LIMITS.sessionsMax.pairing;
    const crowd = Array.from({ length: most + 1 }, () => openRelayStream({ other: bench.site, device: 'beta' }, 'pairing'));
    const ends: string[] = [];
    for (const stream of crowd) stream.on('error', ({ message }) => void ends.push(message));
    await until(() => ends.length === 1, 'one is refused');
    assert.match(ends[0] ?? '', /no place/);
    for (const stream of crowd) stream.destroy();
    window.withdraw();
    await relay.stop();
  },
);

test('where no device answers behind a broker, pairing says so (§5.7)', { timeout: 60_000 }, async () => {
  const window = await openFor(bench.device, 'box', 'lonely');
  const address = { ...window.at, url: bench.site.url, through: 'nobody' };
  const attempt = pairHolder({ address, code: window.code, folder: join(bench.state, 'lonely') }, (stranger, options) =>
    connect({ ...stranger, over: () => openRelayStream({ other: bench.site, device: 'nobody' }, 'pairing') }, options),
  );
  await assert.rejects(attempt, (error) => error instanceof PairingFailed && /device nobody does not answer there/.test(error.message));
  window.withdraw();
});
