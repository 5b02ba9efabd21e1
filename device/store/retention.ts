/** What a device forgets: capsules that ended long ago, and blobs that no kept capsule or job names. Specification §7.6. */
import { DEVICE_LIMITS } from '../limits.ts';
import type { BlobStore } from './blob-store.ts';
import { inputSizes, outputSizes, outputSizesInReceipt, type BlobSizes } from './run-blobs.ts';
import type { Store } from './store.ts';

/** @returns how many capsules were forgotten */
export async function forgetOld(store: Store, blobs: BlobStore, nowMs: number): Promise<number> {
  const forgotten = store.forgetEndedBefore(nowMs - DEVICE_LIMITS.retentionMs);
  const needed = new Set<string>();
  const need = (...sizes: BlobSizes[]): void => sizes.forEach((blobsOf) => [...blobsOf.keys()].forEach((digest) => needed.add(digest)));
  for (const { capsule, manifest } of store.all()) need(inputSizes(manifest), outputSizesInReceipt(store.receipt(capsule)));
  for (const { job, manifest } of store.jobs.all()) need(inputSizes(manifest), outputSizes(job.report));
  // What is being written belongs to a capsule that is not in the store yet.
  await blobs.sweep((digest) => needed.has(digest), nowMs - DEVICE_LIMITS.sweepIntervalMs);
  store.keepHoldings((digest) => needed.has(digest));
  return forgotten.length;
}
