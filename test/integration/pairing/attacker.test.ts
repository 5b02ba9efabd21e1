/** A broker that is the attacker: in between with its own certificate, or with the right one in its hand. Specification §5.6. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls, createServer, type Server } from 'node:tls';
import { encodeStrict } from '#protocol/codec.ts';
import { codeInput, decodeAnswer, decodeCall, exchangeOf, PairingAnswer, PairingCall, type Scene } from '#protocol/pairing.ts';
import { formatPairingCode, type PairingCode } from '#protocol/pairing-code.ts';
import { finishVerifier, proverSecretOf, scalarOf, stretch, verifierRecordOf, verifierShare } from '#protocol/spake2plus.ts';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { pairHolder, type OpenPairingConnection } from '../../../hpc-agent/pairing.ts';
import { PairingFailed } from '../../../hpc-agent/prover-talk.ts';
import { openFor, openStranger, startPairingBench, until, wrongCode, type PairingBench } from './pairing-bench.ts';

let bench: PairingBench;
before(async () => {
  bench = await startPairingBench();
});
after(() => bench.stop());

const folderOf = (name: string): string => join(bench.state, 'paired', name);
const isPaired = (name: string): boolean => existsSync(join(folderOf(name), 'connection.json'));

/** Ends TLS with a certificate of its own, in the device's name, and passes every byte on. */
async function startProxy(target: string): Promise<{ url: string; seen: Buffer[]; stop(): Promise<void> }> {
  const { server: files } = openAuthority({ folder: join(bench.state, 'attacker'), device: 'alpha', hosts: [] });
  const seen: Buffer[] = [];
  const { port } = new URL(target);
  const server: Server = createServer({ cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) }, (near) => {
    const far = connectTls({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes: Buffer) => {
        seen.push(bytes);
        to.write(bytes);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}

test('somebody in between with a certificate of its own is noticed at both ends and gets nothing that is sealed (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'relayed');
  const proxy = await startProxy(window.at.url);
  const through = pairHolder({ address: { ...window.at, url: proxy.url }, code: window.code, folder: folderOf('relayed') }, connect);
  await assert.rejects(through, (error) => error instanceof PairingFailed && error.code === 'wrong-code');
  await proxy.stop();
  assert.equal(isPaired('relayed'), false);
  assert.deepEqual(window.news(), { window: 'open', address: window.address, attempts: 1, expiresAtMs: window.expiresAtMs });
  const seen = Buffer.concat(proxy.seen);
  assert.ok(seen.includes('abandon') && seen.includes('greeting'), 'it has seen the talk');
  for (const secret of ['sealed', window.code, formatPairingCode(window.code)]) assert.ok(!seen.includes(secret), secret);
  await pairHolder({ address: window.at, code: window.code, folder: folderOf('relayed') }, connect);
});

/** A broker with the right certificate that does what it likes with calls and answers. `undefined` drops one. */
function hostileBroker(
  onCall: (call: PairingCall) => PairingCall | undefined,
  onAnswer: (answer: PairingAnswer) => PairingAnswer | undefined,
): OpenPairingConnection {
  return (address, options) => {
    const connection = connect(address, options);
    return {
      ...connection,
      publish: (topic, payload, how) => {
        const decoded = decodeCall(payload);
        assert.ok(decoded.status === 'decoded');
        const call = onCall(decoded.value);
        return call ? connection.publish(topic, encodeCall(call), how) : Promise.resolve('acknowledged');
      },
      subscribe: (filter, handler) =>
        connection.subscribe(filter, (message) => {
          const decoded = decodeAnswer(message.payload);
          assert.ok(decoded.status === 'decoded');
          const answer = onAnswer(decoded.value);
          if (answer) handler({ ...message, payload: encodeStrict(PairingAnswer, answer) });
        }),
    };
  };
}

const same = <T>(message: T): T => message;

test('whatever a broker changes in a talk, nobody is paired on other terms than the device’s (§5.6)', async () => {
  const other = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte));
  const onGreeting =
    (change: (greeting: PairingAnswer & { answer: 'greeting' }) => Partial<PairingAnswer>) =>
    (answer: PairingAnswer): PairingAnswer =>
      answer.answer === 'greeting' ? ({ ...answer, ...change(answer) } as PairingAnswer) : answer;
  const attacks: Record<string, OpenPairingConnection> = {
    network: hostileBroker(
      same,
      onGreeting(({ network }) => ({ network: other(network) })),
    ),
    device: hostileBroker(
      same,
      onGreeting(() => ({ device: 'beta' })),
    ),
    node: hostileBroker(
      same,
      onGreeting(({ node }) => ({ node: other(node) })),
    ),
    'verifier nonce': hostileBroker(
      same,
      onGreeting(({ nonce }) => ({ nonce: other(nonce) })),
    ),
    salt: hostileBroker(
      same,
      onGreeting(({ salt }) => ({ salt: other(salt) })),
    ),
    'prover nonce': hostileBroker((call) => (call.call === 'greet' ? { ...call, nonce: other(call.nonce) } : call), same),
    kind: hostileBroker((call) => (call.call === 'greet' ? { ...call, kind: 'client' } : call), same),
    name: hostileBroker((call) => (call.call === 'greet' ? { ...call, name: 'changed-too' } : call), same),
    confirmation: hostileBroker(same, (answer) =>
      answer.answer === 'share' ? { ...answer, confirmation: other(answer.confirmation) } : answer,
    ),
    share: hostileBroker(same, (answer) => (answer.answer === 'share' ? { ...answer, share: other(answer.share) } : answer)),
    'prover confirmation': hostileBroker(
      (call) => (call.call === 'confirm' ? { ...call, confirmation: other(call.confirmation) } : call),
      same,
    ),
    request: hostileBroker((call) => (call.call === 'confirm' ? { ...call, sealed: other(call.sealed) } : call), same),
    grant: hostileBroker(same, (answer) => (answer.answer === 'grant' ? { ...answer, sealed: other(answer.sealed) } : answer)),
  };
  for (const [what, open] of Object.entries(attacks)) {
    const window = await openFor(bench.device, 'box', 'changed');
    const attempt = pairHolder({ address: window.at, code: window.code, folder: folderOf('changed') }, open);
    await assert.rejects(attempt, (error) => error instanceof PairingFailed, what);
    assert.equal(isPaired('changed'), false, what);
    window.withdraw();
  }
});

test('what is dropped is said again, and the talk costs one attempt (§5.6)', async () => {
  const window = await openFor(bench.device, 'client', 'patient');
  const dropped = new Set<string>();
  const once = (word: string): boolean => dropped.size !== dropped.add(word).size;
  const lossy = hostileBroker(
    (call) => (once(`call ${call.call}`) ? undefined : call),
    (answer) => (once(`answer ${answer.answer}`) && answer.answer === 'share' ? undefined : answer),
  );
  await pairHolder({ address: window.at, code: window.code, folder: folderOf('patient') }, lossy);
  const attempts = bench.log.filter(({ event, name }) => event === 'pairingAttempt' && name === 'patient');
  assert.equal(attempts.length, 1);
});

test('answers and calls of an earlier talk are of no use in another (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'replayed');
  const calls: PairingCall[] = [];
  const answers: PairingAnswer[] = [];
  const record = hostileBroker(
    (call) => (calls.push(call), call),
    (answer) => (answers.push(answer), answer),
  );
  await pairHolder({ address: window.at, code: window.code, folder: folderOf('replayed') }, record);
  const again = await openFor(bench.device, 'box', 'replayed');
  const stranger = await openStranger(again.at.url);
  for (const call of calls) await stranger.send(call);
  const last = stranger.answers.at(-1);
  assert.ok(last?.answer === 'refused' && last.reason === 'not-confirmed');
  await stranger.connection.close();
  const replay = hostileBroker(same, (answer) => answers.find((earlier) => earlier.answer === answer.answer));
  const attempt = pairHolder({ address: again.at, code: window.code, folder: folderOf('deceived') }, replay);
  await assert.rejects(attempt, (error) => error instanceof PairingFailed && error.code === 'wrong-code');
  again.withdraw();
});

/** In the place of the device, with one guess of the code. @returns the calls that it heard */
async function impersonate(guess: PairingCode, typed: PairingCode): Promise<PairingCall['call'][]> {
  const heard: PairingCall['call'][] = [];
  const [y, salt, nonce, node] = [scalarOf(randomBytes(48)), new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)];
  const certificate = Uint8Array.of(1);
  const address = { url: 'mqtts://127.0.0.1:1', kind: 'box', name: 'lured' } as const;
  const record = verifierRecordOf(proverSecretOf(stretch(codeInput(guess, 'box', 'lured', node), salt)));
  let scene: Scene | undefined;
  const answerTo = (call: PairingCall): PairingAnswer | undefined => {
    heard.push(call.call);
    if (call.call === 'greet') {
      const network = new Uint8Array(32);
      scene = { network, device: 'alpha', node, kind: 'box', name: 'lured', proverNonce: call.nonce, verifierNonce: nonce, certificate };
      return { answer: 'greeting', network, device: 'alpha', node, nonce, salt };
    }
    const keys = call.call === 'share' && scene ? finishVerifier(exchangeOf(scene), record, y, call.share) : undefined;
    return keys && { answer: 'share', share: verifierShare(record, y), confirmation: keys.confirmV };
  };
  const open: OpenPairingConnection = ({ onServerCertificate }) => {
    onServerCertificate(certificate);
    let hear: (payload: Uint8Array) => void = () => undefined;
    return {
      state: 'connected',
      connected: () => Promise.resolve(),
      onState: () => undefined,
      close: () => Promise.resolve(),
      subscribe: (topic, handler) => {
        hear = (payload) => handler({ topic, payload, retained: false });
        return Promise.resolve();
      },
      publish: (_topic, payload) => {
        const decoded = decodeCall(payload);
        const answer = decoded.status === 'decoded' ? answerTo(decoded.value) : undefined;
        if (answer) setImmediate(() => hear(encodeStrict(PairingAnswer, answer)));
        return Promise.resolve('acknowledged');
      },
    };
  };
  const attempt = pairHolder({ address, code: typed, folder: folderOf('lured') }, open);
  await Promise.race([attempt.catch(() => undefined), until(() => heard.includes('confirm'), 'it is believed', 9_000)]);
  attempt.catch(() => undefined);
  return [...new Set(heard)];
}

test('who stands in for the device has one guess a talk: with a wrong one it hears no confirmation and no request (§5.6)', async () => {
  const typed = '0123456';
  assert.deepEqual(await impersonate(wrongCode(typed), typed), ['greet', 'share', 'abandon']);
  assert.deepEqual(await impersonate(typed, typed), ['greet', 'share', 'confirm']);
});

function encodeCall(call: PairingCall): Uint8Array {
  return encodeStrict(PairingCall, call);
}
