/** What a device forgets: capsules that ended long ago, and blobs that no kept capsule names. Specification §7.6. */
import { ReportMessage } from '#protocol/box-messages.ts';
import { hex } from '#protocol/digest.ts';
import { decodeManifest } from '#protocol/manifest.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { peekSigned } from '#protocol/signed.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { BlobStore } from './blob-store.ts';
import type { Store } from './store.ts';

/** @returns how many capsules were forgotten */
export async function forgetOld(store: Store, blobs: BlobStore, nowMs: number): Promise<number> {
  const forgotten = store.forgetEndedBefore(nowMs - DEVICE_LIMITS.retentionMs);
  const needed = new Set<string>();
  for (const { capsule, manifest } of store.all()) {
    const receipt = store.receipt(capsule);
    const report = receipt && peekSigned(ReceiptMessage, receipt);
    for (const digest of blobsOf(manifest, report?.status === 'decoded' ? report.value.report : undefined)) needed.add(digest);
  }
  for (const { job, manifest } of store.jobs.all()) for (const digest of blobsOf(manifest, job.report)) needed.add(digest);
  // What is being written belongs to a capsule that is not in the store yet.
  await blobs.sweep((digest) => needed.has(digest), nowMs - DEVICE_LIMITS.sweepIntervalMs);
  store.keepHoldings((digest) => needed.has(digest));
  return forgotten.length;
}

/** Input and outputs of a run, hexadecimal. */
function blobsOf(manifest: Uint8Array | undefined, encodedReport: Uint8Array | undefined): string[] {
  const decoded = manifest && decodeManifest(manifest);
  const inputs = decoded?.status === 'decoded' ? decoded.value.files.map((file) => hex(file.digest)) : [];
  const report = encodedReport && peekSigned(ReportMessage, encodedReport);
  if (report?.status !== 'decoded') return inputs;
  const { outputs, stdout, stderr } = report.value;
  return [...inputs, ...[...outputs, stdout, stderr].map((blob) => hex(blob.digest))];
}
