/** Boxes behind another broker, a real Mosquitto: paired through it, heard through it, held to their rights as those that come directly. Specification §5.7. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { networkId } from '#protocol/network.ts';
import { readBoxWays } from '../../../device/relay/box-ways.ts';
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
