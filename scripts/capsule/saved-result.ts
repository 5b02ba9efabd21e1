/** A result on the disk: outputs, log, receipt and its finality below one folder, each fetched by digest and checked (specification §8). */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { ResultNews } from '#protocol/client-messages.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Client } from '../client/client.ts';
import { ClientFailure } from '../client/failure.ts';
import { CLIENT_LIMITS } from '../client/limits.ts';
import { FINALITY_FILE, placeBelow, RECEIPT_FILE, writeWhole } from './capsule-folder.ts';
import { CommandFailure } from './failure.ts';

export interface SavedResult {
  readonly folder: string;
  /** Absent where the capsule has none: it never ran. */
  readonly receipt: string | undefined;
  /** What the device says of the receipt's finality, not judged. */
  readonly finality: FinalityNews | undefined;
  readonly outputs: readonly { readonly path: string; readonly bytes: number; readonly file: string }[];
}

const briefWaitMs = 3_000; // it comes with the answer to the query, if there is one

export interface WantedFile {
  /** Relative to the folder. */
  readonly path: string;
  readonly digest: Uint8Array;
  readonly bytes: number;
}

export interface Saving {
  /** Bytes of all bytes that are to be fetched. */
  readonly onProgress: (bytes: number, total: number) => void;
  /** The receipt is here; whether it is final takes longer. */
  readonly onFinalityAwaited: () => void;
}

export async function saveResult(client: Client, result: ResultNews, folder: string, saving: Saving): Promise<SavedResult> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const wanted = wantedFiles(result);
  await fetchAll(client, wanted, folder, saving.onProgress);
  const receipt = await fetchReceipt(client, result);
  if (receipt) await writeWhole(join(folder, RECEIPT_FILE), receipt);
  const finality = receipt && (await awaitFinality(client, result.capsule, saving.onFinalityAwaited));
  if (finality) await writeWhole(join(folder, FINALITY_FILE), encodeStrict(FinalityNews, finality));
  return {
    folder,
    receipt: receipt && join(folder, RECEIPT_FILE),
    finality,
    outputs: result.outputs.map(({ path, bytes }) => ({ path, bytes, file: join(folder, 'outputs', path) })),
  };
}

/** @throws CommandFailure where it is too much */
export function wantedFiles({ outputs, stdout, stderr }: ResultNews): WantedFile[] {
  const wanted = outputs.map(({ path, digest, bytes }) => ({ path: `outputs/${path}`, digest, bytes }));
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > LIMITS.outputBytesMax)
    throw new CommandFailure(1, `the outputs have ${total} bytes; at most ${LIMITS.outputBytesMax} are accepted`);
  return [...wanted, ...(stdout ? [{ path: 'stdout', ...stdout }] : []), ...(stderr ? [{ path: 'stderr', ...stderr }] : [])];
}

async function fetchAll(
  client: Client,
  wanted: readonly WantedFile[],
  folder: string,
  onProgress: (bytes: number, total: number) => void,
): Promise<void> {
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  const saved = new Map<string, string>();
  let before = 0;
  for (const { path, digest, bytes } of wanted) {
    const target = await placeBelow(folder, path);
    const same = saved.get(hex(digest));
    if (same === undefined) await client.fetchOutput(digest, bytes, target, (fetched) => onProgress(before + fetched, total));
    else await copyFile(same, target);
    saved.set(hex(digest), target);
    before += bytes;
    onProgress(before, total);
  }
}

async function awaitFinality(client: Client, capsule: string, onAwaited: () => void): Promise<FinalityNews | undefined> {
  const soon = await client.finality(capsule, briefWaitMs);
  if (soon?.finality === 'final') return soon;
  onAwaited();
  return (await client.finality(capsule, CLIENT_LIMITS.finalityWaitMs - briefWaitMs)) ?? soon;
}

/** What the boxes agreed on has a receipt; a capsule that was never run, or whose box was refused afterwards, has none. */
async function fetchReceipt(client: Client, { capsule, state }: ResultNews): Promise<Uint8Array | undefined> {
  try {
    return await client.receipt(capsule, state === 'agreed' ? undefined : briefWaitMs);
  } catch (error) {
    if (state !== 'agreed' && error instanceof ClientFailure && error.code === 'no-receipt') return undefined;
    throw error;
  }
}
