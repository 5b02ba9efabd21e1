/** A capsule whose files are in memory: for programs that make their input themselves and have no folder. */
import { blobDigest } from '#protocol/digest.ts';
import { manifestFrom, type WrittenManifest } from '#protocol/manifest.ts';
import type { CapsuleToSubmit } from './client.ts';

/**
 * Ready for `client.submit`. `files` of the manifest are not looked at; what counts is `contents`, by path.
 * @param atMs Unix time in ms from which the deadline counts
 */
export function capsuleInMemory(written: WrittenManifest, contents: Readonly<Record<string, Uint8Array>>, atMs: number): CapsuleToSubmit {
  const files = Object.entries(contents).map(([path, content]) => ({ path, content, digest: blobDigest(content), bytes: content.length }));
  const manifest = manifestFrom(
    written,
    files.map(({ path, digest, bytes }) => ({ path, digest, bytes })),
    atMs,
  );
  return { manifest, blobs: files.map(({ digest, bytes, content }) => ({ digest, bytes, source: { content } })) };
}
