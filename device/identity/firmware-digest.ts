/**
 * The digest that stands for the firmware: over every file of its folders, in the order of their paths, so that two
 * machines with the same tree agree. A firmware that runs as one bundle is that bundle's file. Specification §3.3.
 */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

import { DEVICE_LIMITS } from '../limits.ts';

/**
 * SHA-256 over, for each file: length of its path, its path, SHA-256 of its content.
 * @param root paths are relative to it
 * @param parts files and folders below it
 */
export async function firmwareDigest(root: string, parts: readonly string[]): Promise<Uint8Array> {
  const files = (await Promise.all(parts.map((part) => filesBelow(join(root, part))))).flat();
  if (files.length === 0 || files.length > DEVICE_LIMITS.firmwareFilesMax)
    throw new Error(
      `The firmware has ${files.length} files below ${parts.join(', ')}; 1 to ${DEVICE_LIMITS.firmwareFilesMax} are expected`,
    );
  const named = files.map((file) => ({ file, name: relative(root, file).split(sep).join('/') }));
  named.sort((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
  const hash = createHash('sha256');
  for (const { file, name } of named) {
    const path = Buffer.from(name);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(path.length);
    hash
      .update(length)
      .update(path)
      .update(
        createHash('sha256')
          .update(await readFile(file))
          .digest(),
      );
  }
  return new Uint8Array(hash.digest());
}

/** SHA-256 of one file: a bundle, a board's definition. */
export async function fileDigest(path: string): Promise<Uint8Array> {
  return new Uint8Array(
    createHash('sha256')
      .update(await readFile(path))
      .digest(),
  );
}

/** Whatever is neither file nor folder would run without being measured. */
async function filesBelow(path: string): Promise<string[]> {
  if ((await lstat(path)).isFile()) return [path];
  const entries = await readdir(path, { withFileTypes: true, recursive: true });
  const strange = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
  if (strange)
    throw new Error(
      `The firmware holds ${join(strange.parentPath, strange.name)}, which is neither a file nor a folder; put the file itself there`,
    );
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
