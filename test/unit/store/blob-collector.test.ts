/** Blobs fetched into the store: each once, however often it is asked for. Specification §8. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { blobDigest } from '#protocol/digest.ts';
import { BlobCollector } from '../../../device/store/blob-collector.ts';
import { BlobStore } from '../../../device/store/blob-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-collector-'));
after(() => rmSync(folder, { recursive: true }));

for (const words of ['', 'some content']) {
  test(`a blob of ${words.length} bytes that is asked for again at every step is stored once, and nothing fails (§8)`, async () => {
    const content = new TextEncoder().encode(words);
    const file = { digest: blobDigest(content), bytes: content.length };
    const heard: string[] = [];
    const collector: BlobCollector = new BlobCollector(new BlobStore(join(folder, `blobs-${words.length}`)), {
      ask: (source, { digest, offset }) => {
        collector.collect(source, file);
        setImmediate(() => collector.chunkReceived(source, { chunk: 'content', digest, offset, total: content.length, content }));
      },
      stored: () => void heard.push('stored'),
      failed: (_source, _digest, reason) => void heard.push(reason),
      now: Date.now,
    });
    while (heard.length === 0) {
      collector.collect('box.b', file);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual([...new Set(heard)], ['stored']);
  });
}

test('who names many blobs and sends none keeps nobody else from sending (§8)', async () => {
  const asked: string[] = [];
  const collector = new BlobCollector(new BlobStore(join(folder, 'blobs-shared')), {
    ask: (source) => void asked.push(source),
    stored: () => undefined,
    failed: () => undefined,
    now: Date.now,
  });
  const named = (text: string) => ({ digest: blobDigest(new TextEncoder().encode(text)), bytes: 1 });
  for (let index = 0; index < 400; index += 1) collector.collect(`client.m${index % 10}`, named(`never ${index}`));
  collector.collect('client.alice', named('hers'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(asked.filter((source) => source === 'client.alice').length, 1);
  assert.ok(asked.length <= 11, `${asked.length} at once`);
});
