/** One certificate does not take the places of the others at a listener. Specification §5.3. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MqttClient } from 'mqtt';
import { MQTT_LIMITS } from '../../../device/limits.ts';
import { attack, credential, joinAt, peerCredential, startBench, until, type BrokerBench, type Credential } from './broker-bench.ts';

const { clients: clientsMax, boxes: boxesMax, peers: peersMax } = MQTT_LIMITS.connectionsPerCertificateMax;

let bench: BrokerBench;
before(async () => {
  bench = await startBench();
});
after(() => bench.stop());

/** Connections with ids of every kind, one after the other. */
async function flood(listener: 'clients' | 'boxes' | 'peers', holder: Credential, count: number, from = 0): Promise<MqttClient[]> {
  const connections: MqttClient[] = [];
  for (let index = from; index < from + count; index += 1) {
    const id = `${listener}-${index}`;
    const clientId = [id, `${id} disconnected.`, `${id} (p5, c1, k60, u'bob').`][index % 3] ?? '';
    connections.push(await attack(bench, listener, holder, { clientId, properties: { sessionExpiryInterval: 3_600 } }));
  }
  return connections;
}

const living = (connections: readonly MqttClient[]): number => connections.filter(({ connected }) => connected).length;

test('a client with connections for all places of the listener keeps 32; others keep theirs and get in', { timeout: 60_000 }, async () => {
  const bob = await joinAt(bench, 'clients', credential(bench, 'client', 'bob'));
  const lost: string[] = [];
  bob.onState((state) => void lost.push(state));
  const alice = credential(bench, 'client', 'alice');
  const places = MQTT_LIMITS.clientConnectionsMax;
  const floods = await Promise.all([0, 1, 2, 3].map((part) => flood('clients', alice, places / 4, (part * places) / 4)));
  await until(() => living(floods.flat()) === clientsMax, `${clientsMax} of ${places} are left`);
  assert.deepEqual(lost, []);
  const carol = await joinAt(bench, 'clients', credential(bench, 'client', 'carol'));
  assert.equal(carol.state, 'connected');
});

test('a box and a peer keep two, and another box of the name of a client is not counted with it', async () => {
  const asClient = await attack(bench, 'clients', credential(bench, 'client', 'box1'));
  const boxes = await flood('boxes', credential(bench, 'box', 'box1'), 8);
  const peers = await flood('peers', peerCredential(bench), 8);
  await until(() => living(boxes) === boxesMax && living(peers) === peersMax, 'two of each are left');
  assert.deepEqual([living(boxes.slice(-boxesMax)), living(peers.slice(-peersMax)), asClient.connected], [boxesMax, peersMax, true]);
});

test('after a start of the broker the count begins anew', async () => {
  const dave = credential(bench, 'client', 'dave');
  await flood('clients', dave, clientsMax, 1_000);
  await bench.broker.trust({ peerAuthorities: [], revokedClients: [], revokedBoxes: [] });
  const again = await flood('clients', dave, clientsMax, 2_000);
  const last = await joinAt(bench, 'clients', dave);
  await until(() => living(again) === clientsMax - 1, 'one had to go for the last');
  assert.equal(last.state, 'connected');
});
