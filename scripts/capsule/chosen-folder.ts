/** The folder that a person has chosen for a result: new, empty, or with that result already, whole or in part. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { ResultNews } from '#protocol/client-messages.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { peekSigned } from '#protocol/signed.ts';
import { harmless } from '../terminal.ts';
import { FINALITY_FILE, RECEIPT_FILE } from './capsule-folder.ts';
import { CommandFailure, systemCode } from './failure.ts';
import { wantedFiles, type WantedFile } from './saved-result.ts';
import { checkFile, readBounded } from './verification.ts';

const shownMax = 5;

interface Place {
  readonly wanted: ReadonlyMap<string, WantedFile>;
  readonly capsule: string;
}

/** @throws CommandFailure where `folder` holds anything that is not of this result */
export async function requireRoomFor(result: ResultNews, folder: string): Promise<void> {
  const wanted = new Map(wantedFiles(result).map((file) => [file.path, file]));
  const foreign = await foreignIn(folder, '', { wanted, capsule: result.capsule });
  if (foreign.length === 0) return;
  const shown = foreign.toSorted().slice(0, shownMax).map(harmless).join(', ');
  throw new CommandFailure(
    2,
    `${folder} holds what is not of this result: ${shown}${foreign.length > shownMax ? ', …' : ''}; --out takes a new or an empty folder, or one in which this very result is already`,
  );
}

/** Folders in which no output belongs are named and not entered. */
async function foreignIn(folder: string, below: string, place: Place): Promise<string[]> {
  const foreign: string[] = [];
  for (const entry of await entriesOf(join(folder, below))) {
    const path = `${below}${entry.name}`;
    const leadsToOutputs = entry.isDirectory() && [...place.wanted.keys()].some((wanted) => wanted.startsWith(`${path}/`));
    if (leadsToOutputs) foreign.push(...(await foreignIn(folder, `${path}/`, place)));
    else if (!entry.isFile() || !(await isOf(folder, path, place))) foreign.push(path);
  }
  return foreign;
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
}

/** An unfinished file is completed, and its digest checked then; a receipt and its finality may be newer by now. */
async function isOf(folder: string, path: string, { wanted, capsule }: Place): Promise<boolean> {
  const file = join(folder, path);
  const known = wanted.get(path);
  if (known) return (await checkFile(file, path, known.digest, known.bytes)).status === 'same';
  if (path.endsWith('.part')) return wanted.has(path.slice(0, -'.part'.length));
  if (path === RECEIPT_FILE) {
    const receipt = peekSigned(ReceiptMessage, await readBounded(file, LIMITS.receiptBytesMax, 'receipt'));
    return receipt.status === 'decoded' && receipt.value.capsule === capsule;
  }
  if (path !== FINALITY_FILE) return false;
  const finality = decodeStrict(FinalityNews, await readBounded(file, LIMITS.packetBytesMax, 'word on finality'), LIMITS.packetBytesMax);
  return finality.status === 'decoded' && finality.value.capsule === capsule;
}
