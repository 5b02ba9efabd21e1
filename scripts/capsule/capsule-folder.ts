/**
 * What the client keeps of its capsules: `<state>/capsules/<id>/` with the manifest, the acceptance, who has it, and later
 * its outputs and receipt. Names of outputs come from others: nothing is written outside the folder or through a link.
 */
import { lstat, mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { CapsuleId } from '#protocol/capsule.ts';
import { decodeJson, encodeJson, readPlain } from '#protocol/codec.ts';
import { integer, struct, text, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { CommandFailure, systemCode } from './failure.ts';

/** Who has a capsule, so that its id is enough to ask. */
const CapsuleRecord = struct({
  capsule: CapsuleId,
  device: Name,
  client: Name,
  name: text({ max: 80 }),
  submittedAtMs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});
export type CapsuleRecord = Infer<typeof CapsuleRecord>;

export const RECEIPT_FILE = 'receipt.cbor';

/** Beside the receipt: what the device has said of its finality, as a `FinalityNews`. */
export const FINALITY_FILE = 'finality.cbor';
/** Beside it, where it was checked from a contract: what that does not hold of its anchor (§20.10). */
export const ANCHOR_FILE = 'anchor.cbor';

const recordBytesMax = 4_096;
const recordsMax = 100_000; // read as names only; more have to be moved away by hand

export function capsuleFolder(state: string, capsule: string): string {
  return join(state, 'capsules', capsule);
}

export async function keepRecord(state: string, record: CapsuleRecord, manifest: Uint8Array, acceptance: Uint8Array): Promise<string> {
  const folder = capsuleFolder(state, record.capsule);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeWhole(join(folder, 'manifest.cbor'), manifest);
  await writeWhole(join(folder, 'acceptance.cbor'), acceptance);
  await writeWhole(join(folder, 'capsule.json'), new TextEncoder().encode(`${encodeJson(CapsuleRecord, record)}\n`));
  return folder;
}

export async function readRecord(state: string, capsule: string): Promise<CapsuleRecord | undefined> {
  const path = join(capsuleFolder(state, capsule), 'capsule.json');
  const content = await readFile(path).catch(() => undefined);
  if (!content) return undefined;
  const decoded = decodeJson(CapsuleRecord, Uint8Array.from(content), recordBytesMax);
  if (decoded.status === 'malformed')
    throw new CommandFailure(1, `${path} is damaged: ${decoded.detail}; remove it, and name the device with --device`);
  return decoded.value;
}

/** Ids of the capsules that were submitted from this state folder. */
export async function keptCapsules(state: string): Promise<string[]> {
  const names = await readdir(join(state, 'capsules')).catch(() => []);
  return names.filter((name) => readPlain(CapsuleId, name).status === 'decoded').slice(0, recordsMax);
}

/** Makes way for a file at `path` below `root`, both by us and by whoever named it. @returns where to write it. @throws CommandFailure */
export async function placeBelow(root: string, path: string): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const parts = path.split('/');
  if (path.includes('\\') || parts.some((part) => part === '' || part === '.' || part === '..'))
    throw new CommandFailure(1, `the path "${path}" of an output leads elsewhere; it is not saved`);
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    folder = join(folder, part);
    await makeFolder(folder);
  }
  const target = join(folder, parts.at(-1) ?? '');
  await requireFree(target);
  await requireFree(`${target}.part`);
  return target;
}

/** A file appears whole or not at all. */
export async function writeWhole(path: string, content: Uint8Array): Promise<void> {
  const part = `${path}.part`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await requireFree(part);
  const file = await open(part, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  if (!(await lstat(path)).isDirectory())
    throw new CommandFailure(1, `${path} is in the way: it has to be a folder, and no link; remove it, then fetch the result again`);
}

async function requireFree(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found && !found.isFile())
    throw new CommandFailure(
      1,
      `${path} is in the way: it is ${found.isSymbolicLink() ? 'a link' : 'no file'}; remove it, then fetch the result again`,
    );
}
