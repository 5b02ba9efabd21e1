/** What a client sends that it must not: a clear answer, no effect, nothing lost for others. Specification §5.2, §7.3, §8. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Answer, ResultNews, StateNews, Submission } from '#protocol/client-messages.ts';
import { BlobNeed } from '#protocol/blob-transfer.ts';
import { decodeBulk, decodeJson, encodeBulk } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeManifest, manifestFrom } from '#protocol/manifest.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { networkId, networkLabel } from '#protocol/network.ts';
import { clientSubtree } from '#protocol/topics.ts';
import { connect } from '../../device/mqtt/connection.ts';
import { HOLDER_FILES } from '../../hpc-agent/holder-files.ts';
import { pasteLines, readConnectionFile } from '../../scripts/pair/paste-lines.ts';
import { clientFolder, openWorld, ran, type World } from './world.ts';

let world: World;
let you: Talk;
let mallory: Talk;
before(async () => {
  world = await openWorld();
  const paired = await world.run('pair', 'client', 'mallory');
  assert.equal(paired.status, 0, paired.stderr);
  you = await talk(clientFolder(world));
  mallory = await talk(world.grid.layout.client('alpha', 'mallory'));
});
after(async () => {
  await you.connection.close();
  await mallory.connection.close();
  await world.stop();
});

for (const [rule, payload, reason, words] of [
  ['broken JSON', '{"capsule":1,', 'malformed', /not JSON/],
  [
    'JSON with an unknown field',
    '{"capsule":1,"runtime":"shell","entry":"a","content":{"a":""},"colour":"red"}',
    'malformed',
    /unknown field "colour"/,
  ],
  ['an unknown runtime', '{"capsule":1,"runtime":"cobol","entry":"a","content":{"a":""}}', 'unknown-runtime', /there are .*python/],
  ['a deadline in the past', undefined, 'deadline-passed', /past/],
  [
    'replicas that this version lacks',
    '{"capsule":1,"runtime":"shell","entry":"a","content":{"a":""},"policy":{"replicas":3}}',
    'unsupported-policy',
    /ask for 1/,
  ],
  ['a submission for another network', undefined, 'foreign-network', /0000000000000000/],
  ['bytes that are no CBOR', '\u00ff\u00ff', 'malformed', /CBOR/],
] as const) {
  test(`${rule} is refused with a reason (§7.3)`, async () => {
    const answer = await you.ask('submit', payload === undefined ? wireFor(reason) : new TextEncoder().encode(payload));
    assert.ok(answer.answer === 'refused', JSON.stringify(answer));
    assert.equal(answer.reason, reason);
    assert.match(answer.detail, words);
  });
}

test('a response topic outside the own subtree is refused, and nothing is written there (§5.2)', async () => {
  const foreign = `${clientSubtree(networkLabel(world.grid.network), 'alpha', 'mallory')}answer`;
  const before = mallory.heard.length;
  const answer = await you.ask('query', encodeJsonBytes({ query: 'list' }), foreign);
  assert.ok(answer.answer === 'refused');
  assert.equal(answer.reason, 'response-topic-forbidden');
  await sleep(200);
  assert.equal(mallory.heard.length, before, 'the other client hears nothing');
});

test('a response topic with a wildcard is refused, and the device stays on the net (§5.2)', async () => {
  const own = clientSubtree(networkLabel(world.grid.network), 'alpha', 'you');
  const { submit } = pasteLines(clientFolder(world));
  for (const wildcard of [`${own}#`, `${own}+/a`, `${own}capsules/+/state`]) {
    const before = you.heard.length;
    // Our own connections don't send such a thing; Mosquitto's client does.
    const sent = await ran('bash', ['-c', `${submit} -D publish response-topic '${wildcard}'`]);
    assert.equal(sent.status, 0, sent.stderr);
    const message = await you.hear((heard) => heard.topic === `${own}answer` && you.heard.indexOf(heard) >= before, 10_000);
    const answer = decodeJson(Answer, message.payload, LIMITS.packetBytesMax);
    assert.ok(answer.status === 'decoded' && answer.value.answer === 'refused');
    assert.equal(answer.value.reason, 'response-topic-forbidden');
  }
});

test('a result whose text would not fit one packet leaves text out, and the device stays on the net (§7.4)', async () => {
  const script = 'i=0; while [ $i -lt 12 ]; do head -c 16384 /dev/zero | tr "\\0" "\\1" > "$CAPSTAN_OUT/f$i"; i=$((i + 1)); done';
  const accepted = await you.ask('submit', encodeJsonBytes({ capsule: 1, runtime: 'shell', entry: 'a', content: { a: script } }));
  assert.ok(accepted.answer === 'accepted');
  const message = await you.hear(({ topic }) => topic.endsWith(`${accepted.capsule}/result`), 15_000);
  const result = decodeJson(ResultNews, message.payload, LIMITS.packetBytesMax);
  assert.ok(result.status === 'decoded', JSON.stringify(result));
  assert.equal(result.value.outputs.length, 12);
  assert.ok(result.value.outputs.some(({ text }) => text === undefined) && result.value.outputs.some(({ text }) => text !== undefined));
  const answer = await you.ask('query', encodeJsonBytes({ query: 'list' }));
  assert.equal(answer.answer, 'capsules');
});

test("another client's capsule can neither be asked for nor cancelled (§7.5)", async () => {
  const accepted = await you.ask('submit', encodeJsonBytes({ capsule: 1, runtime: 'shell', entry: 'a', content: { a: 'sleep 2' } }));
  assert.ok(accepted.answer === 'accepted');
  for (const [kind, request] of [
    ['query', { query: 'capsule', capsule: accepted.capsule }],
    ['cancel', { capsule: accepted.capsule }],
  ] as const) {
    const answer = await mallory.ask(kind, encodeJsonBytes(request));
    assert.ok(answer.answer === 'refused' && answer.reason === 'unknown-capsule', JSON.stringify(answer));
  }
});

test("naming the digest of another client's file does not give its content (§8)", async () => {
  const secret = new TextEncoder().encode(`secret ${randomBytes(8).toString('hex')}`);
  const accepted = await you.ask(
    'submit',
    encodeJsonBytes({ capsule: 1, runtime: 'shell', entry: 'a', content: { a: 'exit 0', secret: new TextDecoder().decode(secret) } }),
  );
  assert.ok(accepted.answer === 'accepted');
  const thief = new TextEncoder().encode('cat secret');
  const files = [
    { path: 'a', digest: blobDigest(thief), bytes: thief.length },
    { path: 'secret', digest: blobDigest(secret), bytes: secret.length },
  ];
  const manifest = encodeManifest(manifestFrom({ capsule: 1, runtime: 'shell', entry: 'a' }, files, Date.now()));
  const answer = await mallory.ask(
    'submit',
    encodeBulk(Submission, { network: networkId(world.grid.network), request: randomBytes(16), manifest }),
  );
  assert.ok(answer.answer === 'accepted' && answer.state === 'submitted', 'the device waits for both files');
  await sleep(500);
  const needed = mallory.heard
    .filter(({ topic }) => topic.endsWith('upload/need'))
    .map(({ payload }) => decodeBulk(BlobNeed, payload, LIMITS.packetBytesMax));
  const asked = needed.flatMap((need) => (need.status === 'decoded' ? [need.value.digest.toHex()] : []));
  assert.ok(asked.includes(blobDigest(secret).toHex()), 'the device asks the one who names a file for it');
});

test('a request that comes twice is one capsule (§7.3)', async () => {
  const submission = encodeJsonBytes({
    capsule: 1,
    runtime: 'shell',
    entry: 'a',
    content: { a: 'exit 0' },
    request: randomBytes(16).toString('hex'),
  });
  const [first, second] = [await you.ask('submit', submission), await you.ask('submit', submission)];
  assert.ok(first.answer === 'accepted' && second.answer === 'accepted');
  assert.equal(first.capsule, second.capsule);
});

test('a capsule that is waited for in vain expires at its deadline (§7.1)', async () => {
  const missing = { path: 'a', digest: new Uint8Array(32).fill(1), bytes: 10 };
  const manifest = encodeManifest(
    manifestFrom({ capsule: 1, runtime: 'shell', entry: 'a', policy: { deadlineSeconds: 1 } }, [missing], Date.now()),
  );
  const answer = await mallory.ask(
    'submit',
    encodeBulk(Submission, { network: networkId(world.grid.network), request: randomBytes(16), manifest }),
  );
  assert.ok(answer.answer === 'accepted');
  const news = await mallory.hear((message) => message.topic.endsWith(`${answer.capsule}/state`) && stateIn(message) === 'expired', 15_000);
  assert.ok(news);
});

interface Talk {
  readonly connection: Connection;
  readonly heard: Incoming[];
  ask(kind: 'submit' | 'query' | 'cancel', payload: Uint8Array, responseTopic?: string): Promise<Answer>;
  hear(matches: (message: Incoming) => boolean, waitMs: number): Promise<Incoming>;
}

async function talk(folder: string): Promise<Talk> {
  const { url, device, client } = readConnectionFile(folder);
  const file = (name: string): Buffer => readFileSync(join(folder, name));
  const connection = connect({
    url,
    server: device,
    authority: file(HOLDER_FILES.authority),
    certificate: file(HOLDER_FILES.certificate),
    key: file(HOLDER_FILES.key),
  });
  const subtree = clientSubtree(networkLabel(world.grid.network), device, client);
  const heard: Incoming[] = [];
  await connection.subscribe(`${subtree}#`, (message) => void heard.push(message));
  await connection.connected(10_000);
  const hear = async (matches: (message: Incoming) => boolean, waitMs: number): Promise<Incoming> => {
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += 20) {
      const found = heard.find(matches);
      if (found) return found;
      await sleep(20);
    }
    return assert.fail(`nothing of that kind was heard within ${waitMs} ms`);
  };
  const ask: Talk['ask'] = async (kind, payload, responseTopic) => {
    const correlationData = new Uint8Array(randomBytes(8));
    const isJson = payload[0] === '{'.charCodeAt(0);
    await connection.publish(`${subtree}${kind}`, payload, {
      correlationData,
      contentType: isJson ? 'application/json' : 'application/cbor',
      ...(responseTopic === undefined ? {} : { responseTopic }),
    });
    const message = await hear(
      ({ topic, correlationData: given }) =>
        topic === `${subtree}answer` && given !== undefined && Buffer.compare(given, correlationData) === 0,
      10_000,
    );
    const decoded = isJson
      ? decodeJson(Answer, message.payload, LIMITS.packetBytesMax)
      : decodeBulk(Answer, message.payload, LIMITS.packetBytesMax);
    assert.ok(decoded.status === 'decoded');
    return decoded.value;
  };
  return { connection, heard, ask, hear };
}

function stateIn(message: Incoming): string | undefined {
  const decoded = decodeBulk(StateNews, message.payload, LIMITS.packetBytesMax);
  return decoded.status === 'decoded' ? decoded.value.state : undefined;
}

function encodeJsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A submission on the wire that is right but for one thing. */
function wireFor(reason: string): Uint8Array {
  const file = { path: 'a', digest: new Uint8Array(32), bytes: 1 };
  const atMs = reason === 'deadline-passed' ? Date.now() - 60_000 : Date.now();
  const manifest = encodeManifest(manifestFrom({ capsule: 1, runtime: 'shell', entry: 'a', policy: { deadlineSeconds: 1 } }, [file], atMs));
  const network = reason === 'foreign-network' ? new Uint8Array(32) : networkId(world.grid.network);
  return encodeBulk(Submission, { network, request: randomBytes(16), manifest });
}
