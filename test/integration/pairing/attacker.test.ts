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
import { pairingTopic } from '#protocol/topics.ts';
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
const flipped = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte));

test('whatever a broker changes in a talk, nobody is paired on other terms than the device’s (§5.6)', async () => {
  const onGreeting =
    (change: (greeting: PairingAnswer & { answer: 'greeting' }) => Partial<PairingAnswer>) =>
    (answer: PairingAnswer): PairingAnswer =>
      answer.answer === 'greeting' ? ({ ...answer, ...change(answer) } as PairingAnswer) : answer;
  const attacks: Record<string, OpenPairingConnection> = {
    network: hostileBroker(
      same,
      onGreeting(({ network }) => ({ network: flipped(network) })),
    ),
    device: hostileBroker(
      same,
      onGreeting(() => ({ device: 'beta' })),
    ),
    node: hostileBroker(
      same,
      onGreeting(({ node }) => ({ node: flipped(node) })),
    ),
    'verifier nonce': hostileBroker(
      same,
      onGreeting(({ nonce }) => ({ nonce: flipped(nonce) })),
    ),
    salt: hostileBroker(
      same,
      onGreeting(({ salt }) => ({ salt: flipped(salt) })),
    ),
    'prover nonce': hostileBroker((call) => (call.call === 'greet' ? { ...call, nonce: flipped(call.nonce) } : call), same),
    kind: hostileBroker((call) => (call.call === 'greet' ? { ...call, kind: 'client' } : call), same),
    name: hostileBroker((call) => (call.call === 'greet' ? { ...call, name: 'changed-too' } : call), same),
    confirmation: hostileBroker(same, (answer) =>
      answer.answer === 'share' ? { ...answer, confirmation: flipped(answer.confirmation) } : answer,
    ),
    share: hostileBroker(same, (answer) => (answer.answer === 'share' ? { ...answer, share: flipped(answer.share) } : answer)),
    'prover confirmation': hostileBroker(
      (call) => (call.call === 'confirm' ? { ...call, confirmation: flipped(call.confirmation) } : call),
      same,
    ),
    request: hostileBroker((call) => (call.call === 'confirm' ? { ...call, sealed: flipped(call.sealed) } : call), same),
    grant: hostileBroker(same, (answer) => (answer.answer === 'grant' ? { ...answer, sealed: flipped(answer.sealed) } : answer)),
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

test('a talk that is led to another window, or to another device, ends as with a wrong code, and pairs nobody (§5.6)', async () => {
  const other = await startPairingBench();
  const [mine, theirs] = [await openFor(bench.device, 'box', 'mine'), await openFor(bench.device, 'box', 'theirs')];
  const elsewhere = await openFor(other.device, 'box', 'mine');
  const toTheirs = hostileBroker((call) => (call.call === 'greet' ? { ...call, name: 'theirs' } : call), same);
  const toTheOther: OpenPairingConnection = (address, options) => connect({ ...address, url: elsewhere.at.url }, options);
  for (const open of [toTheirs, toTheOther]) {
    const attempt = pairHolder({ address: mine.at, code: mine.code, folder: folderOf('mine') }, open);
    await assert.rejects(attempt, (error) => error instanceof PairingFailed && error.code === 'wrong-code');
  }
  for (const [window, attempts] of [[mine, 0] as const, [theirs, 1] as const, [elsewhere, 1] as const]) {
    assert.deepEqual(window.news(), { window: 'open', address: window.address, attempts, expiresAtMs: window.expiresAtMs });
    window.withdraw();
  }
  assert.equal(isPaired('mine'), false);
  await other.stop();
});

test('a confirmation is heard once: beside an altered request the true one comes too late (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'twice');
  const doubling: OpenPairingConnection = (address, options) => {
    const connection = connect(address, options);
    return {
      ...connection,
      publish: async (topic, payload, how) => {
        const decoded = decodeCall(payload);
        if (decoded.status === 'decoded' && decoded.value.call === 'confirm')
          await connection.publish(topic, encodeCall({ ...decoded.value, sealed: flipped(decoded.value.sealed) }), how);
        return connection.publish(topic, payload, how);
      },
    };
  };
  const attempt = pairHolder({ address: window.at, code: window.code, folder: folderOf('twice') }, doubling);
  await assert.rejects(attempt, (error) => error instanceof PairingFailed && error.code === 'malformed');
  assert.equal(isPaired('twice'), false);
  assert.ok(!bench.log.some(({ event, name }) => event === 'paired' && name === 'twice'));
  window.withdraw();
});

test('of two boxes that type one code at once, one is paired, and the other is told that the window is closed (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'contested');
  const invitation = { address: window.at, code: window.code };
  const outcomes = await Promise.allSettled(
    ['contested-1', 'contested-2'].map((folder) => pairHolder({ ...invitation, folder: folderOf(folder) }, connect)),
  );
  const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  assert.deepEqual(
    refusals.map((error) => error instanceof PairingFailed && error.code),
    ['closed'],
  );
  assert.equal(bench.log.filter(({ event, name }) => event === 'paired' && name === 'contested').length, 1);
  assert.equal([isPaired('contested-1'), isPaired('contested-2')].filter(Boolean).length, 1);
});

test('until the confirmation a wrong code, a right one and a window that is not open look alike: order, number and sizes (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'alike');
  const talkOf = async (name: string, code: PairingCode): Promise<string[]> => {
    const said: string[] = [];
    const recorder = hostileBroker(
      (call) => (said.push(`${call.call} ${encodeCall(call).length}`), call),
      (answer) => (said.push(`${answer.answer} ${encodeStrict(PairingAnswer, answer).length}`), answer),
    );
    const folder = folderOf(`alike-${name}-${code}`);
    await pairHolder({ address: { ...window.at, name }, code, folder }, recorder).catch(() => undefined);
    return [...new Set(said)];
  };
  const [wrong, none, right] = [
    await talkOf('alike', wrongCode(window.code)),
    await talkOf('blank', window.code),
    await talkOf('alike', window.code),
  ];
  assert.deepEqual(
    right.map((line) => line.split(' ')[0]),
    ['greet', 'greeting', 'share', 'share', 'confirm', 'grant'],
  );
  assert.deepEqual(wrong, [...right.slice(0, 4), 'abandon 14']);
  assert.deepEqual(none, wrong);
});

test('while strangers flood their topics, who has the code is paired all the same (§5.6)', async () => {
  const window = await openFor(bench.device, 'box', 'undisturbed');
  const crowd = await Promise.all(Array.from({ length: 6 }, () => openStranger(window.at.url)));
  const flood = { isOn: true, messages: 0 };
  const floods = crowd.map(async ({ session, connection }) => {
    while (flood.isOn) {
      await connection.publish(pairingTopic(session, 'request'), new Uint8Array(randomBytes(900)));
      flood.messages += 1;
    }
    await connection.close();
  });
  const paired = await pairHolder({ address: window.at, code: window.code, folder: folderOf('undisturbed') }, connect);
  flood.isOn = false;
  await Promise.all(floods);
  assert.equal(paired.name, 'undisturbed');
  assert.ok(flood.messages > 100, `${flood.messages} messages came in between`);
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
