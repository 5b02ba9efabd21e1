/** Whom the listeners let in: TLS 1.3 with a living certificate of the right authority, or nobody. Specification §5.3. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, NotConnected } from '../../../device/mqtt/connection.ts';
import {
  addressOf,
  credential,
  expiredCredential,
  foreignCredential,
  handshake,
  joinAt,
  peerCredential,
  peerNamed,
  startBench,
  until,
  type BrokerBench,
} from './broker-bench.ts';

let bench: BrokerBench;
before(async () => {
  bench = await startBench();
});
after(() => bench.stop());

test('each listener accepts a certificate of its own authority', async () => {
  assert.equal(await handshake(bench, 'clients', { holder: credential(bench, 'client', 'alice') }), 'accepted');
  assert.equal(await handshake(bench, 'boxes', { holder: credential(bench, 'box', 'box1') }), 'accepted');
  assert.equal(await handshake(bench, 'peers', { holder: peerCredential(bench) }), 'accepted');
});

test('each listener refuses the certificates of the others', async () => {
  const holders = {
    clients: credential(bench, 'client', 'alice'),
    boxes: credential(bench, 'box', 'alice'),
    peers: peerNamed(bench, 'alice'),
  };
  for (const listener of ['clients', 'boxes', 'peers'] as const) {
    for (const [kind, holder] of Object.entries(holders)) {
      if (kind !== listener) assert.notEqual(await handshake(bench, listener, { holder }), 'accepted', `${kind} at ${listener}`);
    }
  }
});

test('no certificate, one of a foreign authority and an expired one are refused', async () => {
  for (const listener of ['clients', 'boxes', 'peers'] as const) {
    assert.notEqual(await handshake(bench, listener, {}), 'accepted', `none at ${listener}`);
    assert.notEqual(await handshake(bench, listener, { holder: foreignCredential('alice') }), 'accepted', `foreign at ${listener}`);
  }
  assert.notEqual(await handshake(bench, 'clients', { holder: expiredCredential(bench, 'alice') }), 'accepted');
});

test('TLS 1.2 is refused, with the same certificate that TLS 1.3 accepts', async () => {
  const holder = credential(bench, 'client', 'alice');
  assert.equal(await handshake(bench, 'clients', { holder, maxVersion: 'TLSv1.3' }), 'accepted');
  assert.notEqual(await handshake(bench, 'clients', { holder, maxVersion: 'TLSv1.2' }), 'accepted');
});

test('a broker that shows another name than the device is not spoken to', async () => {
  const address = { ...addressOf(bench, 'clients', credential(bench, 'client', 'alice')), server: 'bravo' };
  const connection = connect(address);
  bench.open.push(() => connection.close());
  await assert.rejects(
    connection.connected(500),
    (error) => error instanceof NotConnected && /names "alpha"; it must name "bravo"/.test(error.message),
  );
  await connection.close();
});

test('a certificate that is taken back is cut off at once and refused from then on; others come back by themselves', async () => {
  const [alice, bob, namesake] = ['alice', 'bob', 'alice'].map((name) => credential(bench, 'client', name));
  assert.ok(alice && bob && namesake);
  const [cut, kept] = [await joinAt(bench, 'clients', alice), await joinAt(bench, 'clients', bob)];
  const states: string[] = [];
  kept.onState((state) => void states.push(state));
  await bench.broker.trust({
    peerAuthorities: [
      { name: 'bravo', root: bench.peerAuthority.root('device') },
      { name: 'charlie', root: Uint8Array.of(0x30) },
    ],
    revokedClients: [{ serial: alice.serial, revokedAt: new Date() }],
    revokedBoxes: [],
  });
  await until(() => states.includes('connected') && bench.own.state === 'connected', 'the others are back');
  await assert.rejects(cut.connected(300), NotConnected);
  assert.notEqual(await handshake(bench, 'clients', { holder: alice }), 'accepted');
  assert.equal(await handshake(bench, 'clients', { holder: namesake }), 'accepted');
  await Promise.all([cut.close(), kept.close()]);
});

test('a peer whose authority is dropped is refused', async () => {
  await bench.broker.trust({ peerAuthorities: [], revokedClients: [], revokedBoxes: [] });
  assert.notEqual(await handshake(bench, 'peers', { holder: peerCredential(bench) }), 'accepted');
});
