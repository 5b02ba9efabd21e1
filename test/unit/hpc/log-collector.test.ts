/** What a box's logs may take of its device: room for the last that were accepted, and none that the device keeps for itself (§6.5). */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BlobNeed } from '#protocol/blob-transfer.ts';
import { servedRange } from '#protocol/blob-fetch.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import { partLog, type PartedLog } from '#protocol/measured-box/log-parts.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { LogCollector } from '../../../device/hpc/log-collector.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';
import { BlobStore } from '../../../device/store/blob-store.ts';

const crypto = createNodeCrypto();
const folder = mkdtempSync(join(tmpdir(), 'capstan-logs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A device's collector, and boxes that serve whatever logs they have named. */
class Bench {
  readonly folder = mkdtempSync(join(folder, 'device-'));
  readonly store = new BlobStore(this.folder);
  readonly asked: string[] = [];
  readonly #pieces = new Map<string, Uint8Array>();
  readonly logs = new LogCollector(
    this.store,
    () => 0,
    (box, need) => void setImmediate(() => this.#serve(box, need)),
  );

  /** @returns a log of `parts` parts, each its own by `mark` */
  named(mark: number, parts: number): PartedLog {
    const log = new Uint8Array(parts * LIMITS.logPartBytes).map((_, at) =>
      at % LIMITS.logPartBytes === 0 ? mark + at / LIMITS.logPartBytes : 0,
    );
    const parted = partLog(log, (bytes) => crypto.sha256(bytes));
    for (const { digest, content } of [{ digest: parted.reference.digest, content: parted.list }, ...parted.parts])
      this.#pieces.set(hex(digest), content);
    return parted;
  }

  async collect(box: string, log: PartedLog): Promise<void> {
    const none = partLog(new Uint8Array(), (bytes) => crypto.sha256(bytes)).reference;
    const collected = await this.logs.collect(box, { bootLog: log.reference, imaLog: none } as BoxTpmEvidence);
    const { boot } = await this.logs.read(collected);
    assert.equal(boot.length, log.reference.bytes);
  }

  get files(): string[] {
    return readdirSync(this.folder).sort();
  }

  #serve(box: string, need: BlobNeed): void {
    this.asked.push(hex(need.digest));
    const piece = this.#pieces.get(hex(need.digest)) ?? new Uint8Array();
    const { offset, bytes } = servedRange(need, piece.length);
    const content = piece.slice(offset, offset + bytes);
    this.logs.chunkReceived(box, { chunk: 'content', digest: need.digest, offset, total: piece.length, content });
  }
}

function filesOf(...logs: readonly PartedLog[]): string[] {
  return [...new Set(logs.flatMap(({ reference, parts }) => [reference, ...parts].map(({ digest }) => hex(digest))))].sort();
}

test('of each box the parts of its last logs are kept and no others, however many it names (§6.5)', async () => {
  const bench = new Bench();
  const other = bench.named(1, 2);
  await bench.collect('other', other);
  for (const mark of [10, 20, 30]) await bench.collect('box', bench.named(mark, 3));
  assert.deepEqual(bench.files, filesOf(other, bench.named(30, 3)));
  await bench.logs.drop('box');
  assert.deepEqual(bench.files, filesOf(other));
});

test('of a log that grows only the list and the last part travel again (§6.5)', async () => {
  const bench = new Bench();
  await bench.collect('box', bench.named(1, 2));
  bench.asked.length = 0;
  const grown = bench.named(1, 3);
  await bench.collect('box', grown);
  assert.deepEqual(
    [...new Set(bench.asked)],
    [grown.reference.digest, grown.parts[2]?.digest ?? new Uint8Array()].map((digest) => hex(digest)),
  );
});

test('a log that would leave the device less free space than it keeps is not asked for (§6.5)', async () => {
  const bench = new Bench();
  const log = bench.named(1, 1);
  bench.store.freeBytes = () => Promise.resolve(DEVICE_LIMITS.freeBytesMin + log.list.length - 1);
  await assert.rejects(bench.collect('box', log), /its logs take 32 bytes; the device has 268435487 free and keeps 268435456/);
  bench.store.freeBytes = () => Promise.resolve(DEVICE_LIMITS.freeBytesMin + log.list.length);
  await assert.rejects(bench.collect('box', log), /its logs take 262144 bytes/);
  assert.deepEqual([...new Set(bench.asked)], [hex(log.reference.digest)]);
});

test('what lies there from before the start of the device goes with the first log (§6.5)', async () => {
  const bench = new Bench();
  bench.store.put('ab'.repeat(32), new Uint8Array(1));
  const log = bench.named(1, 1);
  await bench.collect('box', log);
  assert.deepEqual(bench.files, filesOf(log));
});
