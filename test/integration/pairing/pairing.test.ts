/** Pairing end to end, with a real broker: how a client and a box get their certificates, and how nobody else does. Specification §5.6. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeNetwork, networkId, networkLabel } from '#protocol/network.ts';
import { formatInvitation, parseInvitation, sealPairingRequest, type Invitation } from '#protocol/pairing.ts';
import { topicOf } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../../../device/limits.ts';
import { connect, NotConnected } from '../../../device/mqtt/connection.ts';
import { inviteHolder, NotInvited } from '../../../device/pairing/invite.ts';
import { Invitations } from '../../../device/pairing/invitations.ts';
import { PairedNames } from '../../../device/pairing/paired-names.ts';
import { pairHolder, PairingFailed } from '../../../hpc-agent/pairing.ts';
import { startPairingBench, until, type PairingBench } from './pairing-bench.ts';

let bench: PairingBench;
before(async () => {
  bench = await startPairingBench();
});
after(() => bench.stop());

const folderOf = (name: string): string => join(bench.state, 'paired', name);

function connectionOf(folder: string, server = 'alpha') {
  const { url } = JSON.parse(readFileSync(join(folder, 'connection.json'), 'utf8')) as { url: string };
  const file = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return connect({ url, server, authority: file('ca.pem'), certificate: file('certificate.pem'), key: file('key.pem') });
}

test('who has an invitation gets a certificate in its name, connects with it, and finds the network file', async () => {
  const invitation = await inviteHolder(bench.device, 'client', 'alice');
  const paired = await pairHolder(invitation, folderOf('alice'), connect);
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

test('a paired box is told to the rooms of the device with the key that checks what it signs', async () => {
  const invitation = await inviteHolder(bench.device, 'box', 'box1');
  const { folder } = await pairHolder(invitation, folderOf('box1'), connect);
  await until(() => bench.boxes().length === 1, 'the box is known');
  const [box] = bench.boxes();
  const key = new X509Certificate(readFileSync(join(folder, 'certificate.pem')));
  assert.equal(key.subject, 'CN=box1');
  assert.equal(box?.name, 'box1');
  assert.equal(box.signingKey.length, 32);
  assert.equal(statSync(join(folder, 'signing-key.pem')).mode & 0o777, 0o600);
});

test('an invitation is used once; the same request gets the same answer again, another request none', async () => {
  const invitation = await inviteHolder(bench.device, 'client', 'carol');
  await pairHolder(invitation, folderOf('carol'), connect);
  const first = readFileSync(join(folderOf('carol'), 'certificate.pem'), 'utf8');
  await pairHolder(invitation, folderOf('carol'), connect);
  assert.equal(readFileSync(join(folderOf('carol'), 'certificate.pem'), 'utf8'), first);
  await assert.rejects(
    pairHolder(invitation, folderOf('thief'), connect),
    (error) => error instanceof PairingFailed && error.code === 'unknown-invitation',
  );
});

test('a wrong token is refused, and after five attempts the invitation is withdrawn', async () => {
  const invitation = await inviteHolder(bench.device, 'client', 'dave');
  const guess = (attempt: number): Invitation => ({ ...invitation, token: new Uint8Array(32).fill(attempt) });
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    await assert.rejects(
      pairHolder(guess(attempt), folderOf(`guess${attempt}`), connect),
      (error) => error instanceof PairingFailed && error.code === 'wrong-token',
    );
  }
  const other = await inviteHolder(bench.device, 'client', 'erin');
  await pairHolder(other, folderOf('erin'), connect);
  await assert.rejects(
    pairHolder(guess(5), folderOf('guess5'), connect),
    (error) => error instanceof PairingFailed && error.code === 'wrong-token',
  );
  await assert.rejects(
    pairHolder(invitation, folderOf('dave'), connect),
    (error) => error instanceof PairingFailed && error.code === 'unknown-invitation',
  );
});

test('an expired invitation is refused and its file goes', async () => {
  const keepOpen = await inviteHolder(bench.device, 'client', 'keeps-the-door-open');
  const invitation = await inviteHolder(bench.device, 'client', 'late', Date.now() - 15 * 60_000 + 400);
  await new Promise((resolve) => setTimeout(resolve, 450));
  await assert.rejects(
    pairHolder(invitation, folderOf('late'), connect),
    (error) => error instanceof PairingFailed && ['expired', 'unknown-invitation'].includes(error.code),
  );
  await until(() => new Invitations(bench.device).find(invitation.id.toHex()) === undefined, 'the file is gone');
  new Invitations(bench.device).withdraw(keepOpen.id.toHex());
});

test('the token is not in what travels, and its file is for the firmware only', async () => {
  const invitation = await inviteHolder(bench.device, 'client', 'frank');
  const files = readdirSync(join(bench.device, 'pairing')).map((name) => statSync(join(bench.device, 'pairing', name)).mode & 0o777);
  assert.ok(files.length > 0 && files.every((mode) => mode === 0o600));
  const travelled: Uint8Array[] = [];
  await pairHolder(invitation, folderOf('frank'), (address, options) => {
    const connection = connect(address, options);
    return {
      ...connection,
      publish: (topic, payload, how) => {
        travelled.push(payload);
        return connection.publish(topic, payload, how);
      },
      subscribe: (filter, handler) =>
        connection.subscribe(filter, (message) => {
          travelled.push(message.payload);
          handler(message);
        }),
    };
  });
  assert.ok(travelled.length >= 2);
  assert.ok(travelled.every((payload) => !Buffer.from(payload).includes(Buffer.from(invitation.token))));
});

test('a stranger reads no answer but that to its own client id, and writes no other request', async () => {
  const invitation = await inviteHolder(bench.device, 'client', 'grace');
  const address = { url: invitation.url, authority: new X509Certificate(invitation.authority).toString(), server: 'alpha' };
  const stranger = connect(address, { clientId: 'ff'.repeat(16) });
  const heard: string[] = [];
  await stranger.subscribe('#', ({ topic }) => void heard.push(topic));
  await stranger.subscribe('+/+/+/+/pair/+/response', ({ topic }) => void heard.push(topic));
  const id = invitation.id.toHex();
  const request = sealPairingRequest(invitation, { publicKey: Uint8Array.of(1) });
  const topic = (invited: string, kind: 'request' | 'response'): string =>
    topicOf(networkLabel(bench.network), { to: 'pairing', device: 'alpha', invitation: invited, kind });
  assert.equal(await stranger.publish(topic(id, 'request'), request), 'refused');
  assert.equal(await stranger.publish(topic(id, 'response'), request), 'refused');
  await pairHolder(invitation, folderOf('grace'), connect);
  assert.equal(await stranger.publish(topic('ff'.repeat(16), 'request'), request), 'acknowledged');
  await until(() => heard.length > 0, 'its own answer comes');
  assert.deepEqual([...new Set(heard)], [topic('ff'.repeat(16), 'response')]);
  await stranger.close();
});

test('strangers are few: more connections than the limit are refused, and the boxes notice nothing', async () => {
  const invitation = await inviteHolder(bench.device, 'client', 'mallory');
  const { folder } = await pairHolder(await inviteHolder(bench.device, 'box', 'box5'), folderOf('box5'), connect);
  const box = connectionOf(folder);
  await box.connected(3_000);
  const states: string[] = [];
  box.onState((state) => {
    if (state !== 'closed') states.push(state);
  });
  const address = { url: invitation.url, authority: new X509Certificate(invitation.authority).toString(), server: 'alpha' };
  const limit = MQTT_LIMITS.pairingConnectionsMax + MQTT_LIMITS.brokerDescriptorsSpare;
  const crowd = Array.from({ length: 2 * limit }, () => connect(address));
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
});

test('a name is given once, names with a meaning never, and nonsense is no name', async () => {
  const codeOf = (kind: 'client' | 'box', name: string): Promise<string> =>
    inviteHolder(bench.device, kind, name).then(
      () => 'invited',
      (error: unknown) => (error instanceof NotInvited ? error.code : 'other'),
    );
  assert.equal(await codeOf('client', 'alice'), 'name-taken');
  assert.equal(await codeOf('client', 'operator'), 'bad-name');
  assert.equal(await codeOf('box', '../alpha'), 'bad-name');
  assert.equal(await codeOf('box', '+'), 'bad-name');
  const [first, second] = [await inviteHolder(bench.device, 'client', 'heidi'), await inviteHolder(bench.device, 'client', 'heidi')];
  await assert.rejects(
    pairHolder(first, folderOf('heidi'), connect),
    (error) => error instanceof PairingFailed && error.code === 'unknown-invitation',
    'a second invitation of one name replaces the first',
  );
  await pairHolder(second, folderOf('heidi2'), connect);
});

test('who is removed is cut off and can be invited again under the same name', async () => {
  const { folder } = await pairHolder(await inviteHolder(bench.device, 'box', 'box9'), folderOf('box9'), connect);
  const connection = connectionOf(folder);
  await connection.connected(3_000);
  await until(() => bench.boxes().some(({ name }) => name === 'box9'), 'the box is known');
  const states: string[] = [];
  connection.onState((state) => void states.push(state));
  assert.equal(new PairedNames(bench.device).remove('box', 'box9', Date.now()), true);
  await until(() => bench.log.some(({ event }) => event === 'namesRevoked'), 'the broker has forgotten it');
  assert.deepEqual(states, ['lost']);
  await assert.rejects(connection.connected(400), NotConnected);
  await connection.close();
  assert.ok(!bench.boxes().some(({ name }) => name === 'box9'));
  const again = await pairHolder(await inviteHolder(bench.device, 'box', 'box9'), folderOf('box9-again'), connect);
  const renewed = connectionOf(again.folder);
  await renewed.connected(3_000);
  await renewed.close();
});

test('an invitation survives its way as text, and what is no invitation is told from one', async () => {
  const invitation = await inviteHolder(bench.device, 'client', 'ivan');
  const line = formatInvitation(invitation);
  assert.deepEqual(parseInvitation(`  ${line.slice(0, 70)}\r\n${line.slice(70)}\n`), { status: 'decoded', value: invitation });
  assert.equal(parseInvitation(line.slice(0, -9)).status, 'malformed');
  assert.equal(parseInvitation('hello there!').status, 'malformed');
});

test('when nobody is invited there is no door', async () => {
  const closing = await inviteHolder(bench.device, 'client', 'judy');
  // As time does: invitations expire, and answers after a minute.
  for (const name of readdirSync(join(bench.device, 'pairing'))) rmSync(join(bench.device, 'pairing', name));
  await until(
    () => bench.log.findLast(({ event }) => event.startsWith('pairingOpened') || event === 'pairingClosed')?.event === 'pairingClosed',
    'the pairing broker has ended',
  );
  const stranger = connect({ url: closing.url, authority: new X509Certificate(closing.authority).toString(), server: 'alpha' });
  await assert.rejects(stranger.connected(200), /ECONNREFUSED/);
  await stranger.close();
});
