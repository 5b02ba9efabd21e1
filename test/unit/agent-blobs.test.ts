/** What a box keeps on its disk: blobs (protocol/README.md §8), records, and the mark that one agent serves a folder. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { blobDigest, hex } from '#protocol/digest.ts';
import { writeAtomic } from '../../hpc-agent/atomic-file.ts';
import { BlobStore } from '../../hpc-agent/blobs.ts';
import { RunFolders, type RunRecord } from '../../hpc-agent/run-record.ts';
import { claimStateFolder } from '../../hpc-agent/single-agent.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'capstan-blobs-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('the blobs of a box', () => {
  let nowMs = 1_000_000_000_000;
  const open = (cacheBytesMax: number) =>
    BlobStore.open({ folder: path.join(folder, 'blobs'), cacheBytesMax, nowMs: () => (nowMs += 1_000) });

  async function keep(store: BlobStore, content: string) {
    const file = path.join(folder, 'source');
    writeFileSync(file, content);
    return (await store.keep(file)).digest;
  }

  test('are named by their digest, read-only, and kept once however often they come', async () => {
    const store = await open(100);
    const digest = await keep(store, 'content');
    assert.deepEqual(digest, blobDigest(new TextEncoder().encode('content')));
    assert.deepEqual(await keep(store, 'content'), digest);
    assert.deepEqual(readdirSync(path.join(folder, 'blobs')), [hex(digest)]);
    assert.equal(statSync(store.pathOf(digest)).mode & 0o777, 0o444);
    assert.equal(new TextDecoder().decode(await store.read(digest, 3, 100)), 'tent');
  });

  test('go, the longest unused first, when the cache is too large; one that is held never', async () => {
    const store = await open(8);
    const [a, b, c] = [await keep(store, 'aaaa'), await keep(store, 'bbbb'), await keep(store, 'cccc')];
    await store.clear();
    assert.deepEqual(
      [a, b, c].map((digest) => store.has(digest)),
      [true, true, true],
    );
    for (const digest of [a, b, c]) store.release(digest);
    store.hold(a);
    store.release(a);
    await store.tidy();
    assert.deepEqual(
      [a, b, c].map((digest) => store.has(digest)),
      [true, false, true],
    );
    assert.ok(!existsSync(store.pathOf(b)));
    store.hold(c);
    await store.clear();
    assert.deepEqual(
      [a, c].map((digest) => store.has(digest)),
      [false, true],
    );
  });

  test('held twice are free after they were released twice', async () => {
    const store = await open(0);
    const digest = await keep(store, 'x');
    assert.ok(store.hold(digest));
    store.release(digest);
    await store.clear();
    assert.ok(store.has(digest));
    store.release(digest);
    await store.clear();
    assert.ok(!store.has(digest));
    assert.ok(!store.hold(digest));
  });

  test('survive the agent; half ones for a day, remains of a copy not at all', async () => {
    const digest = await keep(await open(100), 'content');
    const blobs = path.join(folder, 'blobs');
    const [fresh, old] = ['1', '2'].map((digit) => path.join(blobs, `${digit.repeat(64)}.part`)) as [string, string];
    for (const file of [fresh, old, path.join(blobs, 'stdout-1.part'), path.join(blobs, 'other')]) writeFileSync(file, 'half');
    utimesSync(fresh, nowMs / 1_000, nowMs / 1_000);
    utimesSync(old, nowMs / 1_000 - 100_000, nowMs / 1_000 - 100_000);
    const store = await open(100);
    assert.ok(store.has(digest));
    assert.deepEqual(readdirSync(blobs).sort(), [hex(digest), path.basename(fresh)].sort());
  });
});

describe('the records of runs', () => {
  const run = `${'a'.repeat(32)}.1`;
  const record: RunRecord = { stage: 'running', capsule: new Uint8Array(32).fill(1), startedAtMs: 5 };

  test('are read as they were saved; what a dying agent left half written is not read', async () => {
    const folders = await RunFolders.open(path.join(folder, 'runs'));
    await folders.save(run, { stage: 'assigned', capsule: record.capsule, assignedAtMs: 1 });
    await folders.save(run, record);
    writeFileSync(path.join(folders.folderOf(run), 'record.fresh'), 'torn');
    const second = folders.folderOf(`${'b'.repeat(32)}.2`);
    await writeAtomic(path.join(folder, 'x'), new Uint8Array());
    const { mkdirSync } = await import('node:fs');
    mkdirSync(second);
    writeFileSync(path.join(second, 'record.fresh'), 'torn');
    assert.deepEqual(await (await RunFolders.open(path.join(folder, 'runs'))).list(), [{ run, record }]);
    assert.ok(!existsSync(second), 'a run of which nothing was said is gone');
  });

  test('that the disk has changed are known to be unreadable', async () => {
    const folders = await RunFolders.open(path.join(folder, 'runs'));
    await folders.save(run, record);
    writeFileSync(path.join(folders.folderOf(run), 'record'), 'torn');
    assert.deepEqual(await folders.list(), [{ run }]);
  });
});

test('a second agent on one state folder is refused until the first has gone', async () => {
  const free = await claimStateFolder(folder);
  await assert.rejects(claimStateFolder(`${folder}/.`), { code: 'already-running' });
  free();
  const again = await claimStateFolder(folder);
  again();
});
