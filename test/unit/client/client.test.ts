/** The client library against a device in memory that speaks the real bytes (protocol/README.md §7.3-§7.5, §8). */
import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { parseTopic, topicOf } from '#protocol/topics.ts';
import { capsuleInMemory } from '../../../scripts/client/capsule-in-memory.ts';
import { connectClient, type CapsuleToSubmit, type Client } from '../../../scripts/client/client.ts';
import { ClientFailure } from '../../../scripts/client/failure.ts';
import type { News } from '../../../scripts/client/news.ts';
import { fileStamp } from '../../../scripts/client/offers.ts';
import { FakeDevice, freshRequest, parties } from './fake-device.ts';
import { MemoryBroker, type MemoryConnection } from './memory-broker.ts';
import { randomOf } from './random.ts';

const label = parties.network.subarray(0, 8).toHex();
const times = { repeatMs: 20, answerWaitMs: 2_000, watchQueryMs: 40, receiptWaitMs: 300, statusWaitMs: 10, downloadSilenceMs: 2_000 };

let broker: MemoryBroker;
let device: FakeDevice;
let connection: MemoryConnection;
let client: Client;
let warnings: string[];
let folder: string;

beforeEach(async () => {
  broker = new MemoryBroker();
  device = new FakeDevice(broker.connect());
  warnings = [];
  folder = await mkdtemp(join(tmpdir(), 'capstan-client-'));
  client = await openTestClient();
});

afterEach(async () => {
  device.stop();
  await client.close();
  await rm(folder, { recursive: true });
});

async function openTestClient(overrides: Partial<typeof times> = {}): Promise<Client> {
  connection = broker.connect();
  return connectClient({
    ...parties,
    connection,
    address: 'mqtts://memory',
    warn: (sentence) => warnings.push(sentence),
    times: { ...times, ...overrides },
  });
}

function capsuleOf(contents: Readonly<Record<string, Uint8Array | string>>): CapsuleToSubmit {
  const files = Object.entries(contents).map(
    ([path, content]) => [path, typeof content === 'string' ? new TextEncoder().encode(content) : content] as const,
  );
  return capsuleInMemory({ capsule: 1, runtime: 'node', entry: files[0]?.[0] ?? '' }, Object.fromEntries(files), 0);
}

async function newsOf(capsule: string): Promise<News[]> {
  const all: News[] = [];
  for await (const news of client.watch(capsule)) all.push(news);
  return all;
}

function pattern(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8)) & 255);
}

function submissions(): number {
  return broker.published.filter(({ topic }) => topic.endsWith('/submit')).length;
}

function isFailure(code: string, sentence: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert(error instanceof ClientFailure, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, sentence);
    return true;
  };
}

describe('submitting (§7.3)', () => {
  test('the device gets the files that it asks for, and the news of the capsule are told once, in order, to the result', async () => {
    const uploads: number[] = [];
    const accepted = await client.submit({
      ...capsuleOf({ 'main.js': pattern(150_000), 'data.txt': 'x' }),
      onUpload: (bytes) => uploads.push(bytes),
    });
    assert.equal(accepted.signature, 'unchecked');
    const news = await newsOf(accepted.capsule);
    assert.deepEqual(
      news
        .map((one) => (one.news === 'state' ? one.state : one.news === 'log' ? one.text : one.news))
        .filter((word) => word !== 'submitted'),
      ['ordered', 'assigned', 'measured', 'running', 'hello\n', 'world\n', 'progress', 'agreed', 'result'],
    );
    assert.equal(uploads.at(-1), 150_001);
  });

  test('a device that dies after it stored the capsule and before it answers has it once', async () => {
    device.beforeAnswer = () => false;
    setTimeout(() => {
      device.beforeAnswer = () => true;
      device.up = true;
    }, 100);
    const accepted = await client.submit(capsuleOf({ 'main.js': 'x' }));
    assert(submissions() >= 2, 'the request was repeated');
    assert.deepEqual([...device.capsules.keys()], [accepted.capsule]);
    assert.equal((await client.result(accepted.capsule)).state, 'agreed');
  });

  test('the same request again is the same capsule', async () => {
    const request = freshRequest();
    const first = await client.submit({ ...capsuleOf({ 'main.js': 'x' }), request });
    const second = await client.submit({ ...capsuleOf({ 'main.js': 'x' }), request });
    assert.equal(first.capsule, second.capsule);
    assert.equal(device.capsules.size, 1);
  });

  for (const [name, seed] of [
    ['a quarter lost', 1],
    ['a quarter lost, drawn otherwise', 2],
  ] as const) {
    test(`messages lost, repeated and late change nothing (${name})`, async () => {
      const draw = randomOf(seed);
      broker.fate = () => (['drop', 'twice', 'late', 'deliver'] as const)[Math.floor(draw() * 4)] ?? 'deliver';
      const accepted = await client.submit(capsuleOf({ 'main.js': pattern(200_000) }));
      const result = await client.result(accepted.capsule);
      assert.equal(device.capsules.size, 1);
      assert.deepEqual(
        { state: result.state, exitStatus: result.exitStatus, outputs: result.outputs.map(({ path }) => path) },
        { state: 'agreed', exitStatus: 0, outputs: ['answer.txt'] },
      );
    });
  }

  test('a lost connection during the upload is survived', async () => {
    let lost = false;
    broker.fate = ({ topic }) => {
      if (!lost && topic.endsWith('/upload/chunk')) {
        lost = true;
        connection.lose();
        setTimeout(() => connection.restore(), 50);
        return 'drop';
      }
      return 'deliver';
    };
    const accepted = await client.submit(capsuleOf({ 'main.js': pattern(300_000) }));
    assert.equal((await client.result(accepted.capsule)).state, 'agreed');
    assert(lost);
  });

  test('a refusal is told with its reason', async () => {
    device.refusal = { answer: 'refused', reason: 'unknown-runtime', detail: 'no box has the runtime "cobol"' };
    await assert.rejects(
      client.submit(capsuleOf({ 'main.js': 'x' })),
      isFailure('refused-unknown-runtime', /device alpha refuses .*cobol/),
    );
  });

  test('without an answer it says what was awaited from whom, and for how long', async () => {
    await client.close();
    client = await openTestClient({ answerWaitMs: 100 });
    device.up = false;
    await assert.rejects(
      client.submit(capsuleOf({ 'main.js': 'x' })),
      isFailure(
        'no-answer',
        /device alpha \(its broker is reached at mqtts:\/\/memory\), asked \d+ times in 0 s, did not accept the capsule "main.js"/,
      ),
    );
  });

  test('who waits for a device that is silent is told so before the wait ends', async () => {
    await client.close();
    client = await openTestClient({ repeatMs: 20, answerWaitMs: 400 });
    device.up = false;
    await assert.rejects(client.submit(capsuleOf({ 'main.js': 'x' })), isFailure('no-answer', /did not accept/));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /device alpha .* did not accept the capsule "main.js" within 0 s; it is asked again, for up to 0 s/);
  });

  test('a request that the broker refuses fails at once', async () => {
    broker.refuses = (topic) => topic.endsWith('/submit');
    await assert.rejects(client.submit(capsuleOf({ 'main.js': 'x' })), isFailure('forbidden', /does not let this client ask/));
  });
});

describe('giving files (§8)', () => {
  test('a blob that was never offered is not answered: another program of this client may have it', async () => {
    ask({ digest: blobDigest(Uint8Array.of(1)), offset: 0, bytes: 10 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(chunks(), []);
  });

  test('never more is given than was asked for, and nothing beyond the end', async () => {
    const capsule = capsuleOf({ 'main.js': pattern(1_000), 'held-back.txt': 'x' });
    const [offered] = capsule.blobs;
    assert(offered);
    await client.submit({ ...capsule, blobs: [offered] });
    ask({ digest: offered.digest, offset: 100, bytes: 10 });
    ask({ digest: offered.digest, offset: 990, bytes: 50 });
    ask({ digest: offered.digest, offset: 5_000, bytes: 50 });
    const given = (offset: number): BlobChunk | undefined => chunks().find((chunk) => chunk.chunk === 'content' && chunk.offset === offset);
    await until(() => given(100) !== undefined && given(990) !== undefined && given(1_000) !== undefined);
    const content = pattern(1_000);
    assert.deepEqual(given(100), { chunk: 'content', digest: offered.digest, offset: 100, total: 1_000, content: content.slice(100, 110) });
    assert.deepEqual(given(990), { chunk: 'content', digest: offered.digest, offset: 990, total: 1_000, content: content.slice(990) });
    assert.deepEqual(given(1_000), { chunk: 'content', digest: offered.digest, offset: 1_000, total: 1_000, content: new Uint8Array() });
  });

  test('a file that changed after it was submitted is withheld, and the person is told', async () => {
    const path = join(folder, 'main.js');
    await writeFile(path, 'first');
    const file = await open(path);
    const stamp = await fileStamp(file);
    await file.close();
    const content = new TextEncoder().encode('first');
    const capsule = capsuleOf({ 'main.js': content });
    await writeFile(path, 'other');
    await client.submit({ ...capsule, blobs: [{ digest: blobDigest(content), bytes: 5, source: { file: path, stamp } }] });
    await until(() => warnings.length > 0);
    assert.match(warnings[0] ?? '', /main\.js was changed after it was submitted/);
    assert.deepEqual(chunks()[0], { chunk: 'missing', digest: blobDigest(content) });
  });
});

describe('fetching files (§8)', () => {
  const content = pattern(3 * LIMITS.chunkBytesMax + 17);
  const digest = blobDigest(content);

  test('a file is fetched whole, and appears under its name when it is', async () => {
    device.blobs.set(hex(digest), content);
    await client.fetchOutput(digest, content.length, join(folder, 'out'));
    assert.deepEqual(await readdir(folder), ['out']);
    assert.deepEqual(Uint8Array.from(await readFile(join(folder, 'out'))), content);
  });

  test('an empty file needs no asking', async () => {
    await client.fetchOutput(blobDigest(new Uint8Array()), 0, join(folder, 'out'));
    assert.equal((await readFile(join(folder, 'out'))).length, 0);
  });

  test('it goes on where an earlier attempt stopped', async () => {
    device.blobs.set(hex(digest), content);
    await writeFile(join(folder, 'out.part'), content.subarray(0, LIMITS.chunkBytesMax + 5));
    await client.fetchOutput(digest, content.length, join(folder, 'out'));
    assert.deepEqual(Uint8Array.from(await readFile(join(folder, 'out'))), content);
    const offsets = needs().map(({ offset }) => offset);
    assert.equal(Math.min(...offsets), LIMITS.chunkBytesMax);
  });

  test('content with another digest is refused and leaves nothing', async () => {
    const other = Uint8Array.from(content);
    other[70_000] = (other[70_000] ?? 0) ^ 1;
    device.blobs.set(hex(digest), other);
    await assert.rejects(client.fetchOutput(digest, content.length, join(folder, 'out')), isFailure('blob-wrong', /another digest/));
    assert.deepEqual(await readdir(folder), []);
  });

  test('a blob that the device does not have is said to be missing', async () => {
    await assert.rejects(client.fetchOutput(digest, content.length, join(folder, 'out')), isFailure('blob-missing', /device alpha/));
  });

  test('a lost connection in the middle is survived', async () => {
    device.blobs.set(hex(digest), content);
    let lost = false;
    broker.fate = ({ topic }) => {
      if (lost || !topic.endsWith('/download/chunk')) return 'deliver';
      lost = true;
      connection.lose();
      setTimeout(() => connection.restore(), 30);
      return 'drop';
    };
    await client.fetchOutput(digest, content.length, join(folder, 'out'));
    assert.deepEqual(Uint8Array.from(await readFile(join(folder, 'out'))), content);
  });

  test('a device that stays silent ends the wait with a sentence', async () => {
    await client.close();
    client = await openTestClient({ downloadSilenceMs: 60 });
    device.up = false;
    await assert.rejects(
      client.fetchOutput(digest, content.length, join(folder, 'out')),
      isFailure('no-answer', /device alpha sent nothing of the file/),
    );
  });
});

describe('watching (§7.4)', () => {
  test('a slow reader loses log, is told how much, and still gets the result', async () => {
    device.story = { outputs: {}, log: Array.from({ length: 3_000 }, (_, index) => `line ${index}\n`) };
    const { capsule } = await client.submit(capsuleOf({ 'main.js': 'x' }));
    const watch = client.watch(capsule);
    await until(() => device.capsules.get(capsule)?.state === 'agreed');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const all: News[] = [];
    for await (const news of watch) all.push(news);
    assert(all.some((news) => news.news === 'missed' && news.count > 1_000));
    assert.equal(all.at(-1)?.news, 'result');
    assert(all.length < 1_100);
  });

  test('a capsule that is cancelled ends its watch', async () => {
    device.story = { outputs: {}, log: [], endless: true };
    const { capsule } = await client.submit(capsuleOf({ 'main.js': 'x' }));
    await until(() => device.capsules.get(capsule)?.state === 'running');
    assert.equal(await client.cancel(capsule), 'running');
    assert.equal((await client.result(capsule)).state, 'cancelled');
  });

  test('a device that falls silent ends the watch with a sentence', async () => {
    await client.close();
    client = await openTestClient({ answerWaitMs: 100 });
    device.story = { outputs: {}, log: [], endless: true };
    const { capsule } = await client.submit(capsuleOf({ 'main.js': 'x' }));
    device.up = false;
    await assert.rejects(client.result(capsule), isFailure('no-answer', /did not answer a query about the capsule/));
  });

  test('a capsule of nobody is refused', async () => {
    await assert.rejects(client.result('0'.repeat(32)), isFailure('refused-unknown-capsule', /device alpha refuses/));
  });

  test('capsules are listed', async () => {
    const { capsule } = await client.submit(capsuleOf({ 'main.js': 'x' }));
    assert.deepEqual(
      (await client.list()).map((line) => [line.capsule, line.name]),
      [[capsule, 'main.js']],
    );
  });

  test('bytes on a topic of the device that mean nothing are passed over with a warning', async () => {
    const other = broker.connect();
    await other.publish(topicOf(label, { to: 'client', ...parties, kind: 'answer' }), Uint8Array.of(255, 0, 1));
    await until(() => warnings.length > 0);
    assert.match(warnings[0] ?? '', /is not understood/);
  });

  test('a receipt of something else is not taken, and that none came is said', async () => {
    const { capsule } = await client.submit(capsuleOf({ 'main.js': 'x' }));
    await client.result(capsule);
    device.receipts.set(capsule, Uint8Array.of(1, 2, 3));
    await assert.rejects(client.receipt(capsule, 200), isFailure('no-receipt', /has given no receipt/));
    assert(warnings.some((sentence) => sentence.includes('the receipt of capsule')));
  });
});

function ask(need: BlobNeed): void {
  void broker.connect().publish(topicOf(label, { to: 'client', ...parties, kind: 'upload/need' }), encodeBulk(BlobNeed, need));
}

function chunks(): BlobChunk[] {
  return messages('upload/chunk').map((payload) => {
    const decoded = decodeBulk(BlobChunk, payload, LIMITS.packetBytesMax);
    assert(decoded.status === 'decoded');
    return decoded.value;
  });
}

function needs(): BlobNeed[] {
  return messages('download/need').map((payload) => {
    const decoded = decodeBulk(BlobNeed, payload, LIMITS.packetBytesMax);
    assert(decoded.status === 'decoded');
    return decoded.value;
  });
}

function messages(kind: string): Uint8Array[] {
  return broker.published
    .filter(({ topic }) => parseTopic(label, topic)?.to === 'client' && topic.endsWith(`/${kind}`))
    .map(({ payload }) => payload);
}

async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < 3_000; waitedMs += 5) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail('what was awaited did not happen');
}
