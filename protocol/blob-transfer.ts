/**
 * Blobs in pieces: who wants one asks for ranges, who has it answers. Specification §8.
 *
 * The asker drives, so back-pressure, resuming and repeating are all the same thing: asking for the next range.
 */
import { Digest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { bytes, integer, struct, variant, type Infer } from './schema.ts';

const Offset = integer({ min: 0, max: LIMITS.blobBytesMax });

/** "Give me `bytes` bytes of this blob from `offset`." */
export const BlobNeed = struct({ digest: Digest, offset: Offset, bytes: integer({ min: 1, max: LIMITS.chunkBytesMax }) });

export const BlobChunk = variant('chunk', {
  /** `total`: size of the whole blob in bytes. */
  content: struct({ digest: Digest, offset: Offset, total: Offset, content: bytes({ max: LIMITS.chunkBytesMax }) }),
  /** The one asked doesn't have it. */
  missing: struct({ digest: Digest }),
});

export type BlobNeed = Infer<typeof BlobNeed>;
export type BlobChunk = Infer<typeof BlobChunk>;
