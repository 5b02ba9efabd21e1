/** What Mosquitto is told, and the certificates it looks at. Specification §5.3. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAuthority } from '../../device/mqtt/authority.ts';
import { NOBODY } from '../../device/mqtt/access-rights.ts';
import { deviceBrokerFiles, pairingBrokerFiles } from '../../device/mqtt/broker-configuration.ts';
import { isP256PublicKey, publicKeyOf } from '../../device/mqtt/certificate.ts';

const plan = {
  network: '0011223344556677',
  device: 'alpha',
  folder: '/state/broker',
  socket: '/state/broker/firmware.sock',
  runner: 'capstan',
  ports: { clients: 1, boxes: 2, peers: 3, pairing: 4 },
  serverCertificateFile: '/state/server.pem',
  serverKeyFile: '/state/server.key',
  clientAuthorityFile: '/state/clients.pem',
  boxAuthorityFile: '/state/boxes.pem',
  peerAuthorities: '',
  clientRevocations: '',
  boxRevocations: '',
  people: NOBODY,
  fenced: [],
  silenced: [],
};

test('every listener on the network speaks TLS 1.3 and has its own rights; strangers are let in at pairing only', () => {
  const listeners = [deviceBrokerFiles(plan), pairingBrokerFiles(plan)].flatMap((files) =>
    (files.get('mosquitto.conf') ?? '').split('\n\n').slice(1),
  );
  const summary = listeners.map((text) => {
    const value = (key: string): string | undefined => new RegExp(`^${key} (.*)$`, 'm').exec(text)?.[1];
    return [
      value('listener'),
      value('tls_version'),
      value('require_certificate'),
      value('allow_anonymous'),
      value('acl_file')?.split('/').at(-1),
    ];
  });
  const local = ['0 /state/broker/firmware.sock', undefined, undefined, 'true', 'local.rights'];
  assert.deepEqual(summary, [
    ['1', 'tlsv1.3', 'true', 'false', 'clients.rights'],
    ['2', 'tlsv1.3', 'true', 'false', 'boxes.rights'],
    ['3', 'tlsv1.3', 'true', 'false', 'peers.rights'],
    local,
    ['4', 'tlsv1.3', undefined, 'true', 'pairing.rights'],
    local,
  ]);
});

test('a path that would begin a new line of the configuration is refused', () => {
  assert.throws(() => deviceBrokerFiles({ ...plan, folder: '/state\nallow_anonymous true' }), /can't stand in Mosquitto's configuration/);
});

test('only P-256 keys in their one encoding are certified', () => {
  const p256 = publicKeyOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  assert.equal(isP256PublicKey(p256), true);
  assert.equal(isP256PublicKey(Buffer.concat([p256, Buffer.of(0)])), false);
  assert.equal(isP256PublicKey(publicKeyOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)), false);
  assert.equal(isP256PublicKey(publicKeyOf(generateKeyPairSync('ed25519').privateKey)), false);
  assert.equal(isP256PublicKey(new Uint8Array(91)), false);
});

test('authorities stay the same over restarts, their keys are private, and none can issue for another', () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-authority-'));
  try {
    const first = openAuthority({ folder, device: 'alpha', hosts: ['alpha.example'] });
    const again = openAuthority({ folder, device: 'alpha', hosts: [] });
    const key = publicKeyOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    const issued = new X509Certificate(first.certify('box', 'box1', key).certificate);
    for (const kind of ['device', 'clients', 'boxes'] as const) {
      assert.deepEqual(first.root(kind), again.root(kind));
      assert.equal(statSync(join(folder, `${kind}.key.pem`)).mode & 0o777, 0o600);
      assert.equal(issued.verify(new X509Certificate(first.root(kind)).publicKey), kind === 'boxes');
    }
    assert.deepEqual([issued.subject, issued.ca, issued.keyUsage], ['CN=box1', false, ['1.3.6.1.5.5.7.3.2']]);
    assert.notEqual(first.certify('box', 'box1', key).serial, first.certify('box', 'box1', key).serial);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
