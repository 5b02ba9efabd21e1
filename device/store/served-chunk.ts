/** A piece of a blob for whoever asked, once it was decided that they may have it. Specification §8. */
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { hex } from '#protocol/digest.ts';
import type { BlobStore } from './blob-store.ts';

/** @param total size of the blob; undefined: it isn't here, or not for them */
export async function chunkOf(blobs: BlobStore, need: BlobNeed, total: number | undefined): Promise<BlobChunk> {
  if (total === undefined) return { chunk: 'missing', digest: need.digest };
  const offset = Math.min(need.offset, total);
  const content = await blobs.read(hex(need.digest), offset, Math.min(need.bytes, total - offset));
  return { chunk: 'content', digest: need.digest, offset, total, content };
}
