/** The files of a capsule: from what its manifest names to contents with digests. Nothing outside its folder is ever read. */
import { createHash } from 'node:crypto';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';

import { readPlain } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CapsulePath, type CapsuleFile, type WrittenManifest } from '#protocol/manifest.ts';
import { CLIENT_LIMITS } from '../client/limits.ts';
import { fileStamp, type OfferedBlob } from '../client/offers.ts';
import { CommandFailure, systemCode } from './failure.ts';
import type { ManifestFile } from './manifest-file.ts';

export interface CollectedFiles {
  readonly files: readonly CapsuleFile[];
  /** One for each digest. */
  readonly blobs: readonly OfferedBlob[];
}

const folderDepthMax = 32; // deeper than any tree of sources, and an end for links that lead in circles

/** Reads and hashes everything that the manifest names. @throws CommandFailure */
export async function collectFiles(manifest: ManifestFile): Promise<CollectedFiles> {
  const { written } = manifest;
  const inline = Object.entries(written.content ?? {}).map(([path, content]) => inlineFile(path, new TextEncoder().encode(content)));
  const found = new Map<string, string>();
  const root = await realpath(manifest.folder);
  for (const name of namedPaths(written)) await find(manifest, root, requirePath(manifest, name), 0, found);
  const collected = [...inline];
  for (const [path, file] of [...found].sort(([left], [right]) => (left < right ? -1 : 1))) collected.push(await hashedFile(path, file));
  const blobs = new Map(collected.map(({ blob }) => [blob.digest.toHex(), blob]));
  return { files: collected.map(({ file }) => file), blobs: [...blobs.values()] };
}

interface Collected {
  readonly file: CapsuleFile;
  readonly blob: OfferedBlob;
}

/** The entry stands among the files whether it is named there or not. */
function namedPaths({ entry, files = [], content = {} }: WrittenManifest): string[] {
  return Object.hasOwn(content, entry) ? [...files] : [...files, entry];
}

function requirePath({ path: manifest }: ManifestFile, name: string): string {
  const path = posix.normalize(name).replace(/\/$/, '');
  if (posix.isAbsolute(path) || path === '..' || path.startsWith('../')) {
    throw new CommandFailure(
      2,
      `${manifest} names "${name}", which is outside its folder; a capsule holds files of its own folder only, so put it there`,
    );
  }
  return path;
}

/** @param found by path in the capsule, where the file really is */
async function find(manifest: ManifestFile, root: string, path: string, depth: number, found: Map<string, string>): Promise<void> {
  const real = await requireInside(manifest, root, path);
  const kind = await stat(real);
  if (kind.isDirectory()) return findBelow(manifest, root, path, depth, found);
  if (!kind.isFile()) throw new CommandFailure(2, `${manifest.path} names "${path}", which is neither a file nor a folder`);
  const checked = readPlain(CapsulePath, path);
  if (checked.status === 'malformed')
    throw new CommandFailure(2, `"${path}" can't be a path in a capsule: ${checked.detail.replace(/^message/, 'it')}`);
  found.set(path, real);
  if (found.size > LIMITS.capsuleFilesMax)
    throw new CommandFailure(2, `${manifest.path} names more than ${LIMITS.capsuleFilesMax} files; put them into an archive`);
}

async function findBelow(manifest: ManifestFile, root: string, path: string, depth: number, found: Map<string, string>): Promise<void> {
  if (depth >= folderDepthMax)
    throw new CommandFailure(2, `the folder "${path}" is nested more than ${folderDepthMax} deep, or a link in it leads in a circle`);
  for (const name of (await readdir(join(root, path))).sort()) {
    await find(manifest, root, path === '.' ? name : `${path}/${name}`, depth + 1, found);
  }
}

/** Links may lead to other files of the folder, not out of it. */
async function requireInside(manifest: ManifestFile, root: string, path: string): Promise<string> {
  try {
    const real = await realpath(join(root, path));
    if (real === root || real.startsWith(`${root}${sep}`)) return real;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error;
    throw new CommandFailure(2, `${manifest.path} names "${path}", which is not in ${manifest.folder}`);
  }
  throw new CommandFailure(
    2,
    `${manifest.path} names "${path}", a link that leads out of its folder; a capsule holds files of its own folder only`,
  );
}

async function hashedFile(path: string, real: string): Promise<Collected> {
  const file = await open(real, 'r');
  try {
    const [{ mode, size }, stamp] = [await file.stat(), await fileStamp(file)];
    if (size > LIMITS.blobBytesMax)
      throw new CommandFailure(2, `"${path}" has ${size} bytes; a file of a capsule has at most ${LIMITS.blobBytesMax}`);
    const hash = createHash('sha256');
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: CLIENT_LIMITS.readBytes }))
      hash.update(chunk as Uint8Array);
    if ((await fileStamp(file)) !== stamp)
      throw new CommandFailure(2, `"${path}" changed while it was read; submit again when it is written`);
    const digest = Uint8Array.from(hash.digest());
    const executable = (mode & 0o111) !== 0;
    return {
      file: { path, digest, bytes: size, ...(executable ? { executable } : {}) },
      blob: { digest, bytes: size, source: { file: real, stamp } },
    };
  } finally {
    await file.close();
  }
}

function inlineFile(path: string, content: Uint8Array): Collected {
  const digest = blobDigest(content);
  return { file: { path, digest, bytes: content.length }, blob: { digest, bytes: content.length, source: { content } } };
}
