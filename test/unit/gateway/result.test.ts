/** What a client gets of a capsule that has ended: nothing that the box only claimed. Specification §7.4, §8. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ReportMessage, type Report } from '#protocol/box-messages.ts';
import { ResultNews } from '#protocol/client-messages.ts';
import { encodeJson } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { signMessage } from '#protocol/signed.ts';
import { newOrder } from '../../../device/gateway/order.ts';
import { resultOf } from '../../../device/gateway/result.ts';
import { BlobStore } from '../../../device/store/blob-store.ts';
import type { StoredCapsule } from '../../../device/store/store.ts';
import { receiptValue } from '../protocol/workshop.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-result-'));
after(() => rmSync(folder, { recursive: true }));
const blobs = new BlobStore(join(folder, 'blobs'));

const CAPSULE = 'a'.repeat(32);
const secret = put("another client's file");
const nothing = { digest: blobDigest(new Uint8Array()), bytes: 0 };

test("a digest that a box only claims as its output brings no other client's file (§8)", async () => {
  const result = await resultOf(capsule(), undefined, blobs);
  assert.deepEqual(result.outputs, []);
  assert.equal(result.stdout, undefined);
});

test('what a run with a receipt has left stands in the JSON result as text (§7.4)', async () => {
  const result = await resultOf(capsule(), receiptWith([{ path: 'answer', ...secret }]), blobs);
  assert.deepEqual(result.outputs, [{ path: 'answer', ...secret, text: "another client's file" }]);
});

test('a result fits one packet, whatever its text takes in JSON (§7.4)', async () => {
  const outputs = Array.from({ length: 12 }, (_, index) => ({ path: `f${index}`, ...put(`${'\u0001'.repeat(16_000)}${index}`) }));
  const result = await resultOf(capsule(), receiptWith(outputs), blobs);
  assert.ok(new TextEncoder().encode(encodeJson(ResultNews, result)).length < LIMITS.packetBytesMax);
  const withText = result.outputs.filter(({ text }) => text !== undefined).length;
  assert.ok(withText > 0 && withText < outputs.length, `${withText} of ${outputs.length} with text`);
});

function receiptWith(outputs: Report['outputs']): Uint8Array {
  const digest = new Uint8Array(32);
  const report: Report = {
    ...{ network: digest, device: 'alpha', box: 'box', run: `${CAPSULE}.1`, capsule: digest, outcome: { outcome: 'exited', status: 0 } },
    ...{ startedAtMs: 0, endedAtMs: 0, usage: { wallMs: 0, cpuMs: 0, memoryBytesMax: 0 }, outputs, stdout: nothing, stderr: nothing },
  };
  const encoded = signMessage(ReportMessage, report, () => new Uint8Array(64));
  return signMessage(ReceiptMessage, { ...receiptValue(), report: encoded }, () => new Uint8Array(64));
}

function capsule(): StoredCapsule {
  const accepted = { capsule: CAPSULE, client: 'mallory', acceptedAtMs: 0 };
  const order = newOrder({ ...accepted, wallMs: 1_000, lacking: [] });
  const given = { name: 'x', notation: 'json', request: new Uint8Array(16), manifest: new Uint8Array(32) } as const;
  return { ...accepted, ...given, order: { ...order, state: 'failed', attempt: 1 } };
}

function put(words: string): { digest: Uint8Array; bytes: number } {
  const content = new TextEncoder().encode(words);
  const digest = blobDigest(content);
  blobs.put(digest.toHex(), content);
  return { digest, bytes: content.length };
}
