/** What a fenced box and the people of the boxes may say and hear at a device's broker; each direction is watched for delivery. Specification §17.2-17.3. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MqttClient } from 'mqtt';
import type { Incoming } from '#protocol/mqtt-port.ts';
import { BOX_DOWN, BOX_UP } from '#protocol/topics.ts';
import { attack, bytes, credential, DEVICE, ROOT, startBench, until, watchAll, type BrokerBench } from './broker-bench.ts';

let bench: BrokerBench;
let seen: Incoming[];
let box: MqttClient;
let ends = 0;
const got: string[] = [];
const HERE = `${ROOT}/${DEVICE}`;

before(async () => {
  bench = await startBench({ observers: ['watcher'], operators: ['owner'], homeAssistant: 'home' });
  seen = await watchAll(bench);
  await bench.own.subscribe('homeassistant/#', (message) => void seen.push(message));
  box = await attack(bench, 'boxes', credential(bench, 'box', 'box1'), { reconnectPeriod: 0 });
  box.on('message', (topic, payload) => void got.push(`${topic.split('/').at(-1) ?? ''} ${payload.toString()}`));
  box.on('close', () => (ends += 1));
  await box.subscribeAsync(`${HERE}/hpc/box1/down/#`, { qos: 1 });
});
after(() => bench.stop());

/** Kinds that the broker lets through, up and down, as it stands now. */
async function passing(mark: string, client = box): Promise<{ up: string[]; down: string[] }> {
  for (const kind of BOX_UP) await client.publishAsync(`${HERE}/hpc/box1/up/${kind}`, mark, { qos: 1 }).catch(() => undefined);
  for (const kind of BOX_DOWN) await bench.own.publish(`${HERE}/hpc/box1/down/${kind}`, bytes(mark));
  await bench.own.publish(`${HERE}/hpc/box1/down/challenge`, bytes(`last ${mark}`));
  await until(() => got.includes(`challenge last ${mark}`), 'the box hears its challenge');
  const up = seen.filter(({ payload, topic }) => new TextDecoder().decode(payload) === mark && topic.includes('/up/'));
  return {
    up: up.map(({ topic }) => topic.split('/').at(-1) ?? ''),
    down: got.filter((words) => words.endsWith(` ${mark}`) && !words.includes('last')).map((words) => words.split(' ')[0] ?? ''),
  };
}

test('a box says and hears everything of its own; fenced, only what proves it; and it keeps its connection (§17.2)', async () => {
  assert.deepEqual(await passing('free'), { up: [...BOX_UP], down: [...BOX_DOWN] });
  await bench.broker.fence(['box1']);
  assert.deepEqual(await passing('fenced'), { up: ['hello', 'evidence', 'chunk'], down: ['introduction', 'challenge', 'need'] });
  await bench.broker.fence([]);
  assert.deepEqual(await passing('free again'), { up: [...BOX_UP], down: [...BOX_DOWN] });
  assert.equal(ends, 0);
});

test('rights that change while the broker still reads those of before are taken as well (§17.2)', async () => {
  for (let round = 0; round < 5; round += 1) {
    await bench.broker.fence([]);
    await bench.broker.fence(['box1']);
    assert.deepEqual((await passing(`fenced ${round}`)).up, ['hello', 'evidence', 'chunk']);
    await bench.broker.fence(['box1', 'box2']);
    await bench.broker.fence([]);
    assert.deepEqual((await passing(`free ${round}`)).up, [...BOX_UP]);
  }
});

test('a fenced box is fenced after a restart of the broker, and its neighbour is not (§17.2)', async () => {
  await bench.broker.fence(['box1']);
  await bench.broker.trust({ peerAuthorities: [], revokedClients: [], revokedBoxes: [] });
  await bench.own.connected(5_000);
  const again = await attack(bench, 'boxes', credential(bench, 'box', 'box1'));
  again.on('message', (topic, payload) => void got.push(`${topic.split('/').at(-1) ?? ''} ${payload.toString()}`));
  await again.subscribeAsync(`${HERE}/hpc/box1/down/#`, { qos: 1 });
  assert.deepEqual(await passing('restarted', again), { up: ['hello', 'evidence', 'chunk'], down: ['introduction', 'challenge', 'need'] });
  const neighbour = await attack(bench, 'boxes', credential(bench, 'box', 'box2'));
  await neighbour.publishAsync(`${HERE}/hpc/box2/up/report`, 'of box2', { qos: 1 });
  await until(() => seen.some(({ payload }) => new TextDecoder().decode(payload) === 'of box2'), 'the neighbour is heard');
});

test('sensors, states and commands are for those whom the configuration names (§17.3)', async () => {
  const topics = [`${HERE}/sensors/box1/feed`, `${HERE}/control/box1/state`, 'homeassistant/device/x/config'];
  const names = ['watcher', 'owner', 'home', 'stranger'];
  const heard = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const name of names) {
    const client = await attack(bench, 'clients', credential(bench, 'client', name));
    client.on('message', (topic) => void heard.get(name)?.push(topic));
    await client.subscribeAsync([`${ROOT}/#`, 'homeassistant/#'], { qos: 1 });
    for (const topic of [...topics, 'homeassistant/status', ...names.map((other) => `${HERE}/clients/${other}/control`)])
      await client.publishAsync(topic, `by ${name}`, { qos: 1 }).catch(() => undefined);
  }
  for (const topic of [...topics, `${HERE}/status`]) await bench.own.publish(topic, bytes('news'));
  await until(() => [...heard.values()].every((list) => list.includes(`${HERE}/status`)), 'all hear the status');
  const of = (name: string): string[] => [...new Set(heard.get(name) ?? [])].filter((topic) => topics.includes(topic));
  assert.deepEqual(names.map(of), [topics.slice(0, 2), topics.slice(0, 2), topics, []]);
  const written = seen.filter(({ payload }) => new TextDecoder().decode(payload).startsWith('by ')).map(({ topic }) => topic);
  assert.deepEqual([...new Set(written)].sort(), [`${HERE}/clients/owner/control`, 'homeassistant/status'].sort());
});
