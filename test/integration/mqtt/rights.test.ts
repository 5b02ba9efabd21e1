/** Who may say and hear what at a device's broker: every forbidden direction is tried and watched for delivery. Specification §5.3. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { LIMITS } from '#protocol/limits.ts';
import type { Incoming } from '#protocol/mqtt-port.ts';
import { BOX_DOWN, BOX_UP, CLIENT_ANSWERS, CLIENT_REQUESTS, GOSSIP_KINDS, PEER_KINDS } from '#protocol/topics.ts';
import {
  attack,
  bytes,
  credential,
  DEVICE,
  handshake,
  NETWORK,
  peerCredential,
  peerNamed,
  ROOT,
  startBench,
  until,
  watchAll,
  type BrokerBench,
  type Credential,
} from './broker-bench.ts';

let bench: BrokerBench;
let seen: Incoming[];
const holders: Record<string, Credential> = {};
const HERE = `${ROOT}/${DEVICE}`;

/** Topics of every kind, those of others among them. */
const everywhere = [
  ...['alice', 'bob'].flatMap((name) =>
    [...CLIENT_REQUESTS, ...CLIENT_ANSWERS, 'capsules/c1/receipt'].map((kind) => `${HERE}/clients/${name}/${kind}`),
  ),
  ...['box1', 'box2'].flatMap((name) =>
    [...BOX_UP.map((kind) => `up/${kind}`), ...BOX_DOWN.map((kind) => `down/${kind}`)].map((kind) => `${HERE}/hpc/${name}/${kind}`),
  ),
  ...['bravo', 'charlie', 'box1'].flatMap((name) => PEER_KINDS.map((kind) => `${HERE}/peers/${name}/${kind}`)),
  `${HERE}/status`,
  `${HERE}/chain`,
  `${HERE}/sensors/box1/feed`,
  `${HERE}/control/box1/state`,
  `${HERE}/pair/00/request`,
  `${HERE}/pair/00/response`,
  ...GOSSIP_KINDS.map((kind) => `${ROOT}/gossip/${kind}`),
];

before(async () => {
  bench = await startBench();
  seen = await watchAll(bench);
  for (const name of ['alice', 'bob', 'box1']) holders[name] = credential(bench, 'client', name);
  for (const name of ['box1', 'box2', 'alice']) holders[`box ${name}`] = credential(bench, 'box', name);
  holders['bravo'] = peerCredential(bench);
});
after(() => bench.stop());

interface Party {
  readonly who: string;
  readonly listener: 'clients' | 'boxes' | 'peers';
  readonly writes: (topic: string) => boolean;
  readonly reads: (topic: string) => boolean;
}

/** What clients and peers may read alike. */
const isForAll = (topic: string): boolean => topic === `${HERE}/status` || topic === `${HERE}/chain`;

const clientOf = (name: string): Omit<Party, 'who'> => ({
  listener: 'clients',
  writes: (topic) => CLIENT_REQUESTS.some((kind) => kind !== 'control' && topic === `${HERE}/clients/${name}/${kind}`),
  reads: (topic) => topic.startsWith(`${HERE}/clients/${name}/`) || isForAll(topic),
});
const boxOf = (name: string): Omit<Party, 'who'> => ({
  listener: 'boxes',
  writes: (topic) => topic.startsWith(`${HERE}/hpc/${name}/up/`),
  reads: (topic) => topic.startsWith(`${HERE}/hpc/${name}/down/`) || topic === `${HERE}/status`,
});
const peerOf = (name: string): Omit<Party, 'who'> => ({
  listener: 'peers',
  writes: () => false,
  reads: (topic) => topic.startsWith(`${ROOT}/gossip/`) || topic.startsWith(`${HERE}/peers/${name}/`) || isForAll(topic),
});

const parties: Party[] = [
  { who: 'alice', ...clientOf('alice') },
  { who: 'box1', ...clientOf('box1') },
  { who: 'box box1', ...boxOf('box1') },
  { who: 'box alice', ...boxOf('alice') },
  { who: 'bravo', ...peerOf('bravo') },
];

for (const { who, listener, writes, reads } of parties) {
  test(`${who} at the listener for ${listener} is heard where it may write and nowhere else (§5.3)`, async () => {
    const client = await attack(bench, listener, holderOf(who));
    const mark = `${who} ${Math.random()}`;
    for (const topic of everywhere) await client.publishAsync(topic, mark, { qos: 1 }).catch(() => undefined);
    await bench.own.publish(`${HERE}/status`, bytes('marker'));
    const expected = everywhere.filter(writes);
    await until(() => heard(mark).length >= expected.length, `${who} is heard where it may write`);
    await client.endAsync();
    assert.deepEqual(heard(mark).sort(), expected.sort());
  });

  test(`${who} at the listener for ${listener} hears what it may read and nothing else, whatever it subscribes to (§5.3)`, async () => {
    const client = await attack(bench, listener, holderOf(who));
    const got: string[] = [];
    client.on('message', (topic, payload) => payload.toString() === mark && got.push(topic));
    const mark = `for ${who} ${Math.random()}`;
    await client.subscribeAsync('#', { qos: 1 });
    for (const filter of [
      '$SYS/#',
      '+/+/+/#',
      `${ROOT}/#`,
      `${HERE}/clients/bob/#`,
      `${HERE}/hpc/+/down/+`,
      `$share/group/#`,
      `$share/group/${ROOT}/#`,
    ])
      await client.subscribeAsync(filter, { qos: 1 }).catch(() => undefined);
    for (const topic of everywhere) await bench.own.publish(topic, bytes(mark));
    await bench.own.publish(`${HERE}/status`, bytes(mark));
    await until(() => everywhere.filter(reads).every((topic) => got.includes(topic)), `${who} hears what it may read`);
    await client.endAsync();
    assert.deepEqual(new Set(got), new Set(everywhere.filter(reads)));
  });

  test(`a will and retained words of ${who} at the listener for ${listener} reach no foreign topic (§5.3)`, async () => {
    const mark = `garbage of ${who} ${Math.random()}`;
    for (const topic of [
      `${HERE}/status`,
      `${HERE}/clients/bob/submit`,
      `${HERE}/clients/bob/capsules/c1/result`,
      `${HERE}/hpc/box2/up/report`,
      `${HERE}/hpc/box2/down/assign`,
      `${ROOT}/gossip/evidence`,
    ]) {
      const client = await attack(bench, listener, holderOf(who), { will: { topic, payload: Buffer.from(mark), qos: 1, retain: true } });
      await client.publishAsync(topic, mark, { qos: 1, retain: true }).catch(() => undefined);
      client.stream.destroy();
    }
    await bench.own.publish(`${HERE}/sensors/power`, bytes('after the wills'));
    const late = await attackWatcher(mark);
    assert.deepEqual(heard(mark), []);
    assert.deepEqual(late, []);
  });
}

test('the authority of a peer vouches for that peer alone: its certificate in another name is refused (§5.3)', async () => {
  assert.equal(await handshake(bench, 'peers', { holder: peerCredential(bench) }), 'accepted');
  for (const name of ['charlie', 'alpha', 'box1', 'bravo2', 'brav'])
    assert.notEqual(await handshake(bench, 'peers', { holder: peerNamed(bench, name) }), 'accepted', name);
});

test('the broker says nothing about itself: there is no $SYS (§5.3)', async () => {
  const client = await attack(bench, 'clients', holderOf('alice'));
  const got: string[] = [];
  client.on('message', (topic) => void got.push(topic));
  await client.subscribeAsync(['$SYS/#', '$SYS/broker/clients/connected']);
  await client.publishAsync(`${HERE}/clients/alice/submit`, 'a round trip', { qos: 1 });
  await client.endAsync();
  assert.deepEqual(got, []);
});

test('who takes over a foreign client id gets neither its session nor its rights (§5.3)', async () => {
  const session: IClientOptions = { clientId: 'fixed', clean: false, properties: { sessionExpiryInterval: 300 } };
  const victim = await attack(bench, 'clients', holderOf('alice'), session);
  await victim.subscribeAsync(`${HERE}/clients/alice/#`, { qos: 1 });
  victim.stream.destroy();
  await bench.own.publish(`${HERE}/clients/alice/answer`, bytes('a secret that waits'));
  for (const [listener, who] of [
    ['clients', 'bob'],
    ['boxes', 'box box2'],
    ['peers', 'bravo'],
  ] as const) {
    const thief = await attack(bench, listener, holderOf(who), { ...session, manualConnect: false });
    const got: string[] = [];
    thief.on('message', (_topic, payload) => void got.push(payload.toString()));
    await bench.own.publish(`${HERE}/clients/alice/answer`, bytes('a secret that comes'));
    await bench.own.publish(`${HERE}/status`, bytes('marker'));
    await thief.publishAsync(`${HERE}/clients/alice/submit`, `stolen by ${who}`, { qos: 1 }).catch(() => undefined);
    await thief.endAsync();
    assert.deepEqual(
      got.filter((words) => words.includes('secret')),
      [],
      who,
    );
    assert.deepEqual(heard(`stolen by ${who}`), [], who);
  }
});

test('a packet beyond the limit ends the connection of its sender and reaches nobody (§10)', async () => {
  const client = await attack(bench, 'clients', holderOf('alice'));
  const closed = new Promise<void>((resolve) =>
    client.once('close', () => {
      resolve();
    }),
  );
  const before = seen.length;
  client.publish(`${HERE}/clients/alice/submit`, Buffer.alloc(LIMITS.packetBytesMax + 1), { qos: 1 });
  await closed;
  const other = await attack(bench, 'clients', holderOf('bob'));
  await other.publishAsync(`${HERE}/clients/bob/submit`, Buffer.alloc(LIMITS.packetBytesMax - 1_024), { qos: 1 });
  await other.endAsync();
  await until(() => seen.length > before, 'the packet within the limit arrives');
  assert.deepEqual(
    seen
      .slice(before)
      .filter(({ payload }) => payload.length > 100_000)
      .map(({ topic }) => topic),
    [`${HERE}/clients/bob/submit`],
  );
});

function holderOf(who: string): Credential {
  const holder = holders[who];
  assert.ok(holder, who);
  return holder;
}

function heard(mark: string): string[] {
  return seen.filter(({ payload }) => new TextDecoder().decode(payload) === mark).map(({ topic }) => topic);
}

/** What a newcomer finds retained. */
async function attackWatcher(mark: string): Promise<string[]> {
  const found: string[] = [];
  await bench.own.subscribe(`${ROOT}/#`, ({ topic, payload }) => {
    if (new TextDecoder().decode(payload) === mark) found.push(topic);
  });
  await bench.own.publish(`${ROOT}/${NETWORK}`, bytes('a round trip'));
  return found;
}
