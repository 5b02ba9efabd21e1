/** Files that are there as a whole or not at all, whatever happens to the machine. rename(2), fsync(2). */
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Returns when content and name are on the disk. @throws Error with `code`, such as ENOSPC; the old content is kept then */
export async function writeAtomic(file: string, content: Uint8Array): Promise<void> {
  const fresh = `${file}.fresh`;
  try {
    await writeThrough(fresh, content);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** Makes new, renamed and removed names in a folder last. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Undefined when there is no such file. */
export async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The word by which the system names a failure, such as ENOSPC. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** No room, quota used up, or a file grown beyond what the file system takes. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errorCode(error) ?? '');
}

async function writeThrough(file: string, content: Uint8Array): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
