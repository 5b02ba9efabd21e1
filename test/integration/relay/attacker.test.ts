/** A broker in between that is the attacker: it reads, answers in the device's place, drops, repeats, reorders, injects, replays, floods. Specification §5.7. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, createServer } from 'node:tls';
import { encodeBulk } from '#protocol/codec.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { networkLabel } from '#protocol/network.ts';
import { formatPairingCode } from '#protocol/pairing-code.ts';
import { RelayFrame, RelayOpen } from '#protocol/relay/frames.ts';
import { relayTopic } from '#protocol/topics.ts';
import { drawFrom } from '../../../scripts/fuzz/random.ts';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { RELAY_LIMITS } from '../../../device/relay/limits.ts';
import { Relay } from '../../../device/relay/relay.ts';
import { connect as connectAgent, type OtherAddress } from '../../../hpc-agent/mqtt.ts';
import { pairHolder } from '../../../hpc-agent/pairing.ts';
import { PairingFailed } from '../../../hpc-agent/prover-talk.ts';
import { openRelayStream } from '../../../hpc-agent/relay-stream.ts';
import { openFor } from '../pairing/pairing-bench.ts';
import { hearBoxes, startRelayBench, topicsOf, until, type RelayBench } from './relay-bench.ts';

/** A flood on a loaded machine is slow, too. */
const FLOOD_MAX_MS = 60_000;

let bench: RelayBench;
/** Clients of the other broker. */
const spies: Connection[] = [];
before(async () => {
  bench = await startRelayBench();
});
after(async () => {
  await Promise.all(spies.map((spy) => spy.close()));
  await bench.stop();
});

const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);
const words = (payload: Uint8Array): string => new TextDecoder().decode(payload);

/** A client of the other broker that reads all there is. */
async function openSpy(): Promise<{ connection: Connection; seen: Incoming[] }> {
  const connection = connect(bench.site);
  spies.push(connection);
  const seen: Incoming[] = [];
  await connection.subscribe('#', (message) => void seen.push(message));
  return { connection, seen };
}

test('who reads everything at the other broker sees neither code, nor names, nor certificates, nor a word of what is said (§5.7)', async () => {
  const spy = await openSpy();
  const window = await openFor(bench.device, 'box', 'watched');
  window.withdraw();
  const paired = await bench.pairThrough('watched');
  const heard = await hearBoxes(bench);
  const box = bench.join('watched');
  const { up } = topicsOf(bench, 'watched');
  await box.publish(up, bytes('a word between box and device'));
  await until(() => heard.some(({ payload }) => words(payload).startsWith('a word')), 'the device hears it');
  await box.close();
  const seen = Buffer.concat(spy.seen.flatMap(({ topic, payload }) => [bytes(topic), payload]));
  assert.ok(
    seen.length > 3_000 && words(seen).includes('/pairing/') && words(seen).includes('/boxes/'),
    `it has seen ${seen.length} bytes`,
  );
  const certificate = (file: string): Buffer => new X509Certificate(readFileSync(join(paired.folder, file))).raw;
  const secrets = [window.code, formatPairingCode(window.code), 'greeting', 'sealed', 'watched', 'a word', networkLabel(bench.network)];
  for (const secret of [...secrets, certificate('certificate.pem'), certificate('ca.pem')])
    assert.ok(!seen.includes(secret), String(secret));
});

/** Takes the device's place behind the other broker, and ends TLS with a certificate of its own in the device's name. */
async function startImpostor(listener: 'pairing' | 'boxes') {
  const { server: files } = openAuthority({ folder: join(bench.state, `impostor-${listener}`), device: 'alpha', hosts: [] });
  const ports = await claimPorts(join(bench.device, 'broker', 'ports.json'));
  const seen: Buffer[] = [];
  const server = createServer({ cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) }, (near) => {
    const far = connectTls({ host: '127.0.0.1', port: ports[listener], rejectUnauthorized: false });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (some: Buffer) => {
        seen.push(some);
        to.write(some);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const relay = new Relay({
    ...{ other: bench.site, name: 'impostor', host: '127.0.0.1', ports: { pairing: port, boxes: port }, log: () => undefined },
  });
  const stop = async (): Promise<void> => {
    await relay.stop();
    await new Promise((resolve) => server.close(resolve));
  };
  return { seen, stop };
}

test('who answers in the device’s place is noticed at both ends of a pairing, and gets nothing that is sealed (§5.6, §5.7)', async () => {
  const impostor = await startImpostor('pairing');
  const window = await openFor(bench.device, 'box', 'lured');
  const folder = join(bench.state, 'paired', 'lured');
  const attempt = pairHolder({ address: window.at, code: window.code, folder }, (address, options) =>
    connect({ ...address, over: () => openRelayStream({ other: bench.site, device: 'impostor' }, 'pairing') }, options),
  );
  await assert.rejects(attempt, (error) => error instanceof PairingFailed && error.code === 'wrong-code');
  assert.equal(existsSync(join(folder, 'connection.json')), false);
  const news = window.news();
  assert.ok(news.window === 'open' && news.attempts === 1, JSON.stringify(news));
  const seen = Buffer.concat(impostor.seen);
  assert.ok(seen.includes('greeting') && seen.includes('abandon'), 'it has seen the talk');
  for (const secret of ['sealed', window.code, formatPairingCode(window.code)]) assert.ok(!seen.includes(secret), secret);
  window.withdraw();
  await impostor.stop();
});

test('an agent says nothing to who answers in its device’s place (§5.7)', async () => {
  const impostor = await startImpostor('boxes');
  const { folder } = await bench.pairThrough('steadfast');
  const file = (which: string): string => readFileSync(join(folder, which), 'utf8');
  const agent = connectAgent({
    ...{ url: 'mqtts://nowhere:1', server: 'alpha', authority: file('ca.pem'), certificate: file('certificate.pem'), key: file('key.pem') },
    over: () => openRelayStream({ other: bench.site, device: 'impostor' }, 'boxes'),
  });
  void agent.publish(topicsOf(bench, 'steadfast').up, bytes('not for you'));
  await assert.rejects(agent.connected(8_000), /certificate/);
  await agent.close();
  assert.equal(Buffer.concat(impostor.seen).length, 0);
  await impostor.stop();
});

type Mischief = (payload: Uint8Array, pass: (payload: Uint8Array) => void) => void;

/** The box's connection to a broker that does to data frames of both directions what it likes. */
function mischievous(mischief: Mischief): (other: OtherAddress) => Connection {
  return (other) => {
    const connection = connectAgent(other);
    return {
      ...connection,
      get state() {
        return connection.state;
      },
      publish: (topic, payload, how) => {
        mischief(payload, (some) => void connection.publish(topic, some, how));
        return Promise.resolve('acknowledged');
      },
      subscribe: (filter, handler) =>
        connection.subscribe(filter, (message) => mischief(message.payload, (payload) => handler({ ...message, payload }))),
    };
  };
}

/** Says words through a broker until all were taken by the device's own. @returns what the device heard */
async function sayThrough(name: string, mischief: Mischief, count: number): Promise<string[]> {
  await bench.pairThrough(name);
  const heard = await hearBoxes(bench);
  const box = bench.join(name, mischievous(mischief));
  const { up } = topicsOf(bench, name);
  for (let word = 0; word < count; word += 1)
    assert.equal(await box.publish(up, bytes(`${name} ${word} ${'x'.repeat(word * 40)}`)), 'acknowledged');
  await box.close();
  await until(() => heard.some(({ payload }) => words(payload).startsWith(`${name} ${count - 1} `)), 'the last word is heard');
  return heard.filter(({ topic }) => topic === up).map(({ payload }) => words(payload));
}

const spoken = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, word) => `${name} ${word} ${'x'.repeat(word * 40)}`);

test('a broker that repeats everything changes nothing (§5.7)', async () => {
  const twice: Mischief = (payload, pass) => [payload, payload].forEach(pass);
  assert.deepEqual(await sayThrough('doubled', twice, 40), spoken('doubled', 40));
});

test('a broker that reorders changes nothing (§5.7)', async () => {
  const draw = drawFrom(3);
  const shuffled: Mischief = (payload, pass) => void setTimeout(() => pass(payload), draw(30));
  assert.deepEqual(await sayThrough('shuffled', shuffled, 40), spoken('shuffled', 40));
});

test(
  'a broker that loses or alters a frame now and then breaks streams, and all that is acknowledged has been heard (§5.7)',
  { timeout: 200_000 },
  async () => {
    const draw = drawFrom(7);
    const spoilt: Mischief = (payload, pass) => {
      const luck = draw(200);
      if (luck === 0) return;
      pass(luck === 1 ? Uint8Array.from(payload, (byte, at) => (at === payload.length >> 1 ? byte ^ 1 : byte)) : payload);
    };
    const heard = await sayThrough('spoilt', spoilt, 30);
    assert.deepEqual([...new Set(heard)], spoken('spoilt', 30));
  },
);

test(
  'who replays and injects frames in every session breaks them at most, and the device hears nobody else (§5.7)',
  { timeout: 120_000 },
  async () => {
    await bench.pairThrough('replayed');
    const heard = await hearBoxes(bench);
    const spy = await openSpy();
    const draw = drawFrom(11);
    const mischief = { isOn: true, frames: 0 };
    const box = bench.join('replayed');
    const { up } = topicsOf(bench, 'replayed');
    const replaying = (async () => {
      for (let turn = 0; mischief.isOn; turn += 1) {
        const [some, other] = [spy.seen[draw(spy.seen.length + 1)], spy.seen[draw(spy.seen.length + 1)]];
        if (some && other) mischief.frames += 1;
        if (some && other) void spy.connection.publish(some.topic, turn % 3 === 0 ? Uint8Array.of(draw(256), draw(256)) : other.payload);
        await sleep(10);
      }
    })();
    for (let word = 0; word < 20; word += 1) {
      assert.equal(await box.publish(up, bytes(`replayed ${word}`)), 'acknowledged');
      await sleep(100);
      if (word === 15) mischief.isOn = false;
    }
    await replaying;
    await until(() => heard.some(({ payload }) => words(payload) === 'replayed 19'), 'the last word is heard');
    assert.deepEqual(
      [...new Set(heard.map(({ payload }) => words(payload)))],
      Array.from({ length: 20 }, (_, word) => `replayed ${word}`),
    );
    assert.ok(mischief.frames > 50, `${mischief.frames} frames were replayed`);
  },
);

test(
  'while somebody floods with openings, and with frames in one session, each word of another box is heard (§5.7)',
  { timeout: 120_000 },
  async () => {
    await bench.pairThrough('honest');
    const heard = await hearBoxes(bench);
    const box = bench.join('honest');
    await box.connected(20_000);
    const { up } = topicsOf(bench, 'honest');
    const spy = connect(bench.site);
    spies.push(spy);
    await spy.connected(10_000);
    const session = (id: number) => ({ device: 'alpha', listener: 'boxes', session: id.toString(16).padStart(32, '0') }) as const;
    const open = encodeBulk(RelayOpen, { version: 1 });
    const frame = encodeBulk(RelayFrame, { frame: 'data', number: 0, bytes: new Uint8Array(200) });
    const flood = { isOn: true, opened: 0 };
    const flooding = [0, 1, 2, 3].map(async () => {
      while (flood.isOn) {
        flood.opened += 1;
        await Promise.all([spy.publish(relayTopic(session(flood.opened), 'open'), open), spy.publish(relayTopic(session(1), 'up'), frame)]);
      }
    });
    const isLeftAlone = (): boolean => bench.log.some(({ event, forMs }) => event === 'relayLeftAlone' && forMs === RELAY_LIMITS.pauseMs);
    const said: string[] = [];
    for (
      const endMs = performance.now() + FLOOD_MAX_MS;
      (said.length < 50 || !isLeftAlone()) && performance.now() < endMs;
      await sleep(20)
    ) {
      said.push(`honest ${said.length}`);
      assert.equal(await box.publish(up, bytes(said.at(-1) ?? '')), 'acknowledged');
    }
    flood.isOn = false;
    await Promise.all(flooding);
    await until(() => heard.length >= said.length, 'all is heard');
    assert.deepEqual(
      heard.map(({ payload }) => words(payload)),
      said,
    );
    assert.ok(isLeftAlone(), `${flood.opened} openings`);
    const lines = bench.log.filter(({ event }) => event.startsWith('relay'));
    assert.ok(lines.length < 60, `${lines.length} lines`);
  },
);
