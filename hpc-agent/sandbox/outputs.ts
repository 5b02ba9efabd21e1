/**
 * Collects what a capsule left under /out, after its last process is gone: nothing can change under our hands, and the
 * memory file system lives on through the descriptor that the agent took before the capsule started.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import path from 'node:path';
import { LIMITS } from '#protocol/limits.ts';
import type { IgnoredReason, OutputFile, Outputs } from '../executor.ts';
import { pathDepthMax } from '../limits.ts';
import type { OutputWeight } from './verdict.ts';
import { judgePath, printable } from './paths.ts';

/**
 * @param root a path that leads to /out for this process
 * @param bytesMax what is read altogether: files with holes and files with several names weigh more than they take up
 */
export async function collectOutputs(root: string, bytesMax: number): Promise<Outputs> {
  const found: Found = { files: [], ignored: [], bytesLeft: bytesMax };
  await collectFolder(root, '', found);
  return { files: found.files.sort(byPath), ignored: found.ignored.sort(byPath) };
}

/**
 * Logical sizes of the regular files; counting stops above what is accepted. (Node's own recursive listing follows
 * links to folders, which here would lead out into the host.)
 */
export async function weighOutputs(root: string): Promise<OutputWeight> {
  const weight = { bytes: 0, files: 0 };
  const pending: Buffer[] = [Buffer.from(root)];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' }).catch(() => [])) {
      const place = Buffer.concat([folder, slash, entry.name]);
      if (entry.isDirectory()) pending.push(place);
      if (!entry.isFile()) continue;
      weight.files += 1;
      weight.bytes += (await lstat(place)).size;
      if (weight.files > LIMITS.outputFilesMax) return weight;
    }
  }
  return weight;
}

const slash = Buffer.from('/');

interface Found {
  readonly files: OutputFile[];
  readonly ignored: { path: string; reason: IgnoredReason }[];
  bytesLeft: number;
}

function byPath(left: { readonly path: string }, right: { readonly path: string }): number {
  return Buffer.compare(Buffer.from(left.path), Buffer.from(right.path));
}

async function collectFolder(root: string, folder: string, found: Found): Promise<void> {
  for (const entry of await listFolder(root, folder, found)) {
    const name = entry.name.toString('utf8');
    const relative = folder === '' ? name : `${folder}/${name}`;
    const reason = reasonToIgnore(entry, name, relative);
    if (reason !== undefined) found.ignored.push({ path: printable(relative), reason });
    else if (entry.isDirectory()) await collectFolder(root, relative, found);
    else await collectFile(root, relative, found);
  }
}

async function listFolder(root: string, folder: string, found: Found): Promise<Dirent<Buffer>[]> {
  try {
    return await readdir(path.join(root, folder), { withFileTypes: true, encoding: 'buffer' });
  } catch {
    found.ignored.push({ path: printable(folder), reason: 'unreadable' });
    return [];
  }
}

/** A name that is not UTF-8 has no one meaning elsewhere. */
function reasonToIgnore(entry: Dirent<Buffer>, name: string, relative: string): IgnoredReason | undefined {
  if (!entry.isDirectory() && !entry.isFile()) return 'not-a-regular-file';
  if (Buffer.compare(Buffer.from(name), entry.name) !== 0) return 'name-refused';
  if (relative.split('/').length > pathDepthMax) return 'too-deep';
  return judgePath(relative).status === 'refused' ? 'name-refused' : undefined;
}

async function collectFile(root: string, relative: string, found: Found): Promise<void> {
  const source = path.join(root, relative);
  const measured = await measureFile(source, found.bytesLeft);
  if (typeof measured === 'string') {
    found.ignored.push({ path: relative, reason: measured });
    return;
  }
  found.bytesLeft -= measured.bytes;
  found.files.push({ path: relative, ...measured, source });
}

async function measureFile(source: string, bytesMax: number): Promise<{ bytes: number; digest: Uint8Array } | IgnoredReason> {
  const handle = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined);
  if (handle === undefined) return 'unreadable';
  try {
    if ((await handle.stat()).size > bytesMax) return 'too-large';
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(1 << 18);
    let bytes = 0;
    for (let read = await handle.read(chunk); read.bytesRead > 0; read = await handle.read(chunk)) {
      hash.update(chunk.subarray(0, read.bytesRead));
      bytes += read.bytesRead;
    }
    return { bytes, digest: hash.digest() };
  } finally {
    await handle.close();
  }
}
