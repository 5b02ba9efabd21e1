/** Pairing end to end, with a real broker and TPM: how a client and a box get their certificates, and how nobody else does. Specification §5.6. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeNetwork, networkId } from '#protocol/network.ts';
import { formatPairingCode, type PairingCode, type WindowAddress } from '#protocol/pairing-code.ts';
import { pairingTopic } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../../../device/limits.ts';
import { connect, NotConnected } from '../../../device/mqtt/connection.ts';
import { WindowNotOpened } from '../../../device/pairing/open-window.ts';
import { PairedNames } from '../../../device/pairing/paired-names.ts';
import { WindowFolder } from '../../../device/pairing/window-folder.ts';
import { pairHolder, type PairedHolder } from '../../../hpc-agent/pairing.ts';
import { PairingFailed } from '../../../hpc-agent/prover-talk.ts';
import { openFor, openStranger, startPairingBench, until, wrongCode, type PairingBench } from './pairing-bench.ts';

let bench: PairingBench;
before(async () => {
  bench = await startPairingBench();
});
after(() => bench.stop());

const folderOf = (name: string): string => join(bench.state, 'paired', name);
const pairWith = (address: WindowAddress, code: PairingCode, folder: string): Promise<PairedHolder> =>
  pairHolder({ address, code, folder }, connect);
const failsWith =
  (...codes: string[]) =>
  (error: unknown): boolean =>
    error instanceof PairingFailed && codes.includes(error.code);

async function pairedFolder(kind: 'client' | 'box', name: string, folder = folderOf(name)): Promise<PairedHolder> {
  const window = await openFor(bench.device, kind, name);
  return pairWith(window.at, window.code, folder);
}

function connectionOf(folder: string, server = 'alpha') {
  const { url } = JSON.parse(readFileSync(join(folder, 'connection.json'), 'utf8')) as { url: string };
  const file = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return connect({ url, server, authority: file('ca.pem'), certificate: file('certificate.pem'), key: file('key.pem') });
}

test('who types the code gets a certificate in its name, connects with it, and finds the network file (§5.6)', async () => {
  const paired = await pairedFolder('client', 'alice');
  assert.deepEqual({ device: paired.device, name: paired.name }, { device: 'alpha', name: 'alice' });
  const connection = connectionOf(paired.folder);
  await connection.connected(3_000);
  await connection.close();
  const file = JSON.parse(readFileSync(join(paired.folder, 'connection.json'), 'utf8')) as unknown;
  assert.deepEqual(file, { url: paired.url, device: 'alpha', network: networkId(bench.network).toHex(), client: 'alice' });
  assert.deepEqual(new Uint8Array(readFileSync(join(paired.folder, 'network.cbor'))), encodeNetwork(bench.network));
  assert.equal(statSync(join(paired.folder, 'key.pem')).mode & 0o777, 0o600);
  assert.equal(statSync(paired.folder).mode & 0o777, 0o700);
});

test('both ends see the same fingerprints and digits, and a display the code (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'seen');
  assert.deepEqual(bench.shown.at(-1), [formatPairingCode(window.code), window.address.replace('mqtts://', '')]);
  const paired = await pairWith(window.at, window.code, folderOf('seen'));
  const { authority, certificate, digits } = paired;
  assert.deepEqual(window.news(), { window: 'used', authority, certificate, digits });
  assert.match(digits, /^\d{3} \d{3}$/);
  assert.deepEqual(bench.shown.at(-1), [], 'and no code any more');
  const fingerprint = new X509Certificate(readFileSync(join(paired.folder, 'certificate.pem'))).fingerprint256;
  assert.equal(certificate.toHex(), fingerprint.replaceAll(':', '').toLowerCase());
});

test('a paired box is told to the rooms of the device with the key that checks what it signs', async () => {
  const { folder } = await pairedFolder('box', 'box1');
  await until(() => bench.boxes().some(({ name }) => name === 'box1'), 'the box is known');
  assert.equal(bench.boxes().find(({ name }) => name === 'box1')?.signingKey.length, 32);
  assert.equal(new X509Certificate(readFileSync(join(folder, 'certificate.pem'))).subject, 'CN=box1');
  assert.equal(statSync(join(folder, 'signing-key.pem')).mode & 0o777, 0o600);
});

test('a code is dead when it was used, also when its window comes back with a restored disk (§5.6)', async () => {
  const window = await openFor(bench.device, 'client', 'carol');
  const saved = join(bench.state, 'saved-pairing');
  cpSync(join(bench.device, 'pairing'), saved, { recursive: true });
  await pairWith(window.at, window.code, folderOf('carol'));
  await assert.rejects(pairWith(window.at, window.code, folderOf('thief')), failsWith('wrong-code', 'closed'));
  cpSync(saved, join(bench.device, 'pairing'), { recursive: true });
  await assert.rejects(pairWith(window.at, window.code, folderOf('thief')), failsWith('wrong-code', 'closed'));
  for (const { id } of new WindowFolder(bench.device).windows()) new WindowFolder(bench.device).drop(id, 'window');
});

test('the code never stands on the disk of the device once its window is open, and what does is for the firmware only', async () => {
  const window = await openFor(bench.device, 'client', 'frank');
  const files = readdirSync(join(bench.device, 'pairing')).map((name) => join(bench.device, 'pairing', name));
  assert.ok(files.some((file) => file.endsWith('.window.cbor')) && files.every((file) => (statSync(file).mode & 0o777) === 0o600));
  for (const spelt of [window.code, formatPairingCode(window.code)])
    assert.ok(files.every((file) => !readFileSync(file).includes(Buffer.from(spelt))));
  window.withdraw();
});

test('a wrong code costs an attempt and gives nothing; the right one still pairs (§5.6)', async () => {
  const window = await openFor(bench.device, 'client', 'dave');
  for (const attempt of [1, 2, 3, 4]) {
    await assert.rejects(pairWith(window.at, wrongCode(window.code, attempt), folderOf('dave')), failsWith('wrong-code'));
    assert.deepEqual(window.news(), { window: 'open', address: window.address, attempts: attempt, expiresAtMs: window.expiresAtMs });
  }
  assert.equal(existsSync(join(folderOf('dave'), 'certificate.pem')), false);
  await pairWith(window.at, window.code, folderOf('dave'));
});

test('five wrong codes close the window, and the owner opens another (§5.6)', async () => {
  const window = await openFor(bench.device, 'client', 'erin');
  for (const attempt of [1, 2, 3, 4, 5])
    await assert.rejects(pairWith(window.at, wrongCode(window.code, attempt), folderOf('erin')), failsWith('wrong-code'));
  await until(() => window.news().window === 'closed', 'the window is closed');
  assert.deepEqual(window.news(), { window: 'closed', reason: 'attempts-spent', attempts: 5 });
  const again = await openFor(bench.device, 'client', 'erin');
  await assert.rejects(pairWith(again.at, window.code, folderOf('erin')), failsWith('wrong-code'));
  await pairWith(again.at, again.code, folderOf('erin'));
});

test('a window that is not open answers like one that is: same fields, a salt that stays, shares, attempts, an end (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'open-one');
  const talk = async (name: string) => {
    const stranger = await openStranger(window.at.url);
    const greeting = await stranger.send({ call: 'greet', version: 1, kind: 'box', name, nonce: new Uint8Array(32) });
    await stranger.connection.close();
    assert.ok(greeting.answer === 'greeting');
    return greeting;
  };
  for (const name of ['open-one', 'no-such-one']) assert.deepEqual((await talk(name)).salt, (await talk(name)).salt);
  const kinds = async (name: string): Promise<string[]> => {
    const said: string[] = [];
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      const stranger = await openStranger(window.at.url);
      const answer = await stranger.guess('box', name);
      said.push(answer.answer === 'refused' ? answer.reason : answer.answer);
      if (answer.answer === 'share') await stranger.send({ call: 'confirm', confirmation: new Uint8Array(32), sealed: new Uint8Array(40) });
      said.push(stranger.answers.at(-1)?.answer ?? '');
      await stranger.connection.close();
    }
    return said.slice(0, 10);
  };
  assert.deepEqual(await kinds('no-such-one'), await kinds('open-one'));
  await until(() => window.news().window === 'closed', 'the spent window is closed');
});

test('the same name with the same keys gets a new certificate and the earlier one is revoked; other keys need --replace (§5.6)', async () => {
  const first = await pairedFolder('box', 'box2');
  const old = join(bench.state, 'old-box2');
  cpSync(first.folder, old, { recursive: true });
  const second = await pairedFolder('box', 'box2');
  assert.notDeepEqual(second.certificate, first.certificate);
  await until(() => bench.log.some(({ event }) => event === 'namesRevoked'), 'the broker has forgotten the earlier one');
  const [renewed, earlier] = [connectionOf(second.folder), connectionOf(old)];
  await renewed.connected(3_000);
  await assert.rejects(earlier.connected(400), NotConnected);
  await Promise.all([renewed.close(), earlier.close()]);
  await assert.rejects(pairedFolder('box', 'box2', folderOf('other-box2')), failsWith('name-taken'));
  const window = await openFor(bench.device, 'box', 'box2', true);
  const replaced = await pairWith(window.at, window.code, folderOf('other-box2'));
  assert.deepEqual(new PairedNames(bench.device).find('box', 'box2')?.fingerprint, replaced.certificate);
});

test('a folder that is another holder’s is left alone, and no attempt is spent', async () => {
  const window = await openFor(bench.device, 'client', 'gina');
  await assert.rejects(pairWith(window.at, window.code, folderOf('alice')), failsWith('other-holder'));
  assert.deepEqual(window.news(), { window: 'open', address: window.address, attempts: 0, expiresAtMs: window.expiresAtMs });
  window.withdraw();
});

test('a forwarder between them is written down instead of the device’s own address (§5.6)', async () => {
  const window = await openFor(bench.device, 'client', 'fern');
  const reachedAt = 'mqtts://gate.example:4000';
  const paired = await pairHolder({ address: window.at, code: window.code, folder: folderOf('fern'), reachedAt }, connect);
  assert.equal(paired.url, reachedAt);
  assert.equal((JSON.parse(readFileSync(join(paired.folder, 'connection.json'), 'utf8')) as { url: string }).url, reachedAt);
});

test('garbage, calls out of turn and shares that are no points end in a refusal and cost no attempt', async () => {
  const window = await openFor(bench.device, 'box', 'tough');
  const reasonOf = async (...calls: Uint8Array[]): Promise<string> => {
    const stranger = await openStranger(window.at.url);
    for (const call of calls) await stranger.sendBytes(call);
    await stranger.connection.close();
    const last = stranger.answers.at(-1);
    return last?.answer === 'refused' ? last.reason : (last?.answer ?? '');
  };
  assert.equal(await reasonOf(new Uint8Array(9)), 'malformed');
  assert.equal(await reasonOf(new Uint8Array(5_000)), 'malformed');
  const stranger = await openStranger(window.at.url);
  const early = await stranger.send({ call: 'share', share: new Uint8Array(65) });
  assert.ok(early.answer === 'refused' && early.reason === 'out-of-turn');
  await stranger.send({ call: 'greet', version: 1, kind: 'box', name: 'tough', nonce: new Uint8Array(32) });
  const off = await stranger.send({ call: 'share', share: Uint8Array.from({ length: 65 }, (_, at) => (at === 0 ? 4 : 1)) });
  assert.ok(off.answer === 'refused' && off.reason === 'malformed');
  await stranger.connection.close();
  assert.deepEqual(window.news(), { window: 'open', address: window.address, attempts: 0, expiresAtMs: window.expiresAtMs });
  await pairWith(window.at, window.code, folderOf('tough'));
});

test('a stranger reads no answer but that to its own session, and writes no other request', async () => {
  const window = await openFor(bench.device, 'client', 'grace');
  const stranger = connect({ url: window.at.url, onServerCertificate: () => undefined }, { clientId: 'ff'.repeat(16) });
  const heard: string[] = [];
  await stranger.subscribe('#', ({ topic }) => void heard.push(topic));
  await stranger.subscribe('capstan/1/pair/+/response', ({ topic }) => void heard.push(topic));
  const other = 'aa'.repeat(16);
  assert.equal(await stranger.publish(pairingTopic(other, 'request'), Uint8Array.of(1)), 'refused');
  assert.equal(await stranger.publish(pairingTopic(other, 'response'), Uint8Array.of(1)), 'refused');
  await pairWith(window.at, window.code, folderOf('grace'));
  assert.equal(await stranger.publish(pairingTopic('ff'.repeat(16), 'request'), Uint8Array.of(1)), 'acknowledged');
  await until(() => heard.length > 0, 'its own answer comes');
  assert.deepEqual([...new Set(heard)], [pairingTopic('ff'.repeat(16), 'response')]);
  await stranger.close();
});

test('a flood of talks costs a window its attempts and the device no more than that (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'flooded');
  const counted = (): number => bench.log.filter(({ event, name }) => event === 'pairingAttempt' && name === 'flooded').length;
  const crowd = await Promise.all(Array.from({ length: 6 }, () => openStranger(window.at.url)));
  const nonce = new Uint8Array(32);
  await Promise.all(
    crowd.map(async (stranger) => {
      for (let call = 0; call < 40; call += 1)
        await stranger.connection.publish(pairingTopic(stranger.session, 'request'), new Uint8Array(900).fill(call));
      await stranger.connection.close();
    }),
  );
  for (let talk = 0; talk < 2 * MQTT_LIMITS.pairingTalksMax; talk += 1) {
    const stranger = await openStranger(window.at.url);
    if (talk < 12) await stranger.guess('box', 'flooded');
    else await stranger.send({ call: 'greet', version: 1, kind: 'box', name: 'flooded', nonce });
    await stranger.connection.close();
  }
  assert.equal(counted(), 5);
  assert.equal(window.news().window === 'open' ? 'open' : 'closed', 'open', 'the last attempt still has its time');
  window.withdraw();
});

test('strangers are few: more connections than the limit are refused, and the boxes notice nothing', async () => {
  const window = await openFor(bench.device, 'client', 'mallory');
  const { folder } = await pairedFolder('box', 'box5');
  const box = connectionOf(folder);
  await box.connected(3_000);
  const states: string[] = [];
  box.onState((state) => {
    if (state !== 'closed') states.push(state);
  });
  const limit = MQTT_LIMITS.pairingConnectionsMax + MQTT_LIMITS.brokerDescriptorsSpare;
  const crowd = Array.from({ length: 2 * limit }, () => connect({ url: window.at.url, onServerCertificate: () => undefined }));
  const admitted = await Promise.all(
    crowd.map((stranger) =>
      stranger.connected(600).then(
        () => 1,
        () => 0,
      ),
    ),
  );
  await Promise.all([box, ...crowd].map((connection) => connection.close()));
  const count = admitted.reduce((sum: number, one) => sum + one, 0);
  assert.ok(count > 0 && count <= limit, `${count} strangers were let in`);
  assert.deepEqual(states, []);
  window.withdraw();
});

test('names with a meaning never get a window, nonsense is no name, and windows are few', async () => {
  const codeOf = (kind: 'client' | 'box', name: string): Promise<string> =>
    openFor(bench.device, kind, name).then(
      () => 'opened',
      (error: unknown) => (error instanceof WindowNotOpened ? error.code : 'other'),
    );
  assert.equal(await codeOf('client', 'operator'), 'bad-name');
  assert.equal(await codeOf('box', '../alpha'), 'bad-name');
  assert.equal(await codeOf('box', '+'), 'bad-name');
  const windows = await Promise.all(
    Array.from({ length: MQTT_LIMITS.pairingWindowsMax }, (_, at) => openFor(bench.device, 'box', `w${at}`)),
  );
  assert.equal(await codeOf('box', 'one-more'), 'too-many-windows');
  const again = await openFor(bench.device, 'box', 'w1');
  assert.deepEqual(windows[1]?.news(), { window: 'closed', reason: 'opened-anew', attempts: 0 });
  for (const window of [...windows, again]) window.withdraw();
});

test('who is removed is cut off and can be paired again under the same name', async () => {
  const { folder } = await pairedFolder('box', 'box9');
  const connection = connectionOf(folder);
  await connection.connected(3_000);
  await until(() => bench.boxes().some(({ name }) => name === 'box9'), 'the box is known');
  const states: string[] = [];
  connection.onState((state) => void states.push(state));
  const revocations = (): number => bench.log.filter(({ event }) => event === 'namesRevoked').length;
  const before = revocations();
  assert.equal(new PairedNames(bench.device).remove('box', 'box9', Date.now()), true);
  await until(() => revocations() > before, 'the broker has forgotten it');
  assert.deepEqual(states, ['lost']);
  await assert.rejects(connection.connected(400), NotConnected);
  await connection.close();
  assert.ok(!bench.boxes().some(({ name }) => name === 'box9'));
  const again = await pairedFolder('box', 'box9', folderOf('box9-again'));
  const renewed = connectionOf(again.folder);
  await renewed.connected(3_000);
  await renewed.close();
});
