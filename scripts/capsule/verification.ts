/** Checking a receipt and the files beside it, offline: `protocol/receipt-verifier.ts` with files (specification §9.2). */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import type { Report } from '#protocol/box-messages.ts';
import { judgeFinalityProof } from '#protocol/chain/finality-proof.ts';
import { decodeStrict, sameBytes } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import type { TrustedAnchor } from '#protocol/layer1/anchor-file.ts';
import { judgeAnchoredReceipt, type AnchoredReceiptVerdict } from '#protocol/layer1/anchored-receipt.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeNetwork, type Network } from '#protocol/network.ts';
import { ReceiptMessage, type Receipt } from '#protocol/receipt.ts';
import { judgeReceiptFinality, type ReceiptFinalityVerdict } from '#protocol/receipt-finality.ts';
import { judgeReceipt, type ReceiptVerdict } from '#protocol/receipt-verifier.ts';
import { peekSigned } from '#protocol/signed.ts';
import { digestOf } from '../client/downloads.ts';
import { FINALITY_FILE } from './capsule-folder.ts';
import { CommandFailure, systemCode } from './failure.ts';
import { FILE_KINDS, notWhatWasAsked, type FileKind } from './foreign-file.ts';

/** `unlisted`: the receipt says nothing about the file. */
export interface FileCheck {
  readonly path: string;
  readonly bytes: number;
  readonly status: 'same' | 'changed' | 'absent' | 'unlisted';
}

/** By what a receipt is checked: the checker's network file, or an anchor that a contract holds (§20.10). */
export interface Basis {
  readonly network: Network;
  readonly anchor?: TrustedAnchor;
}

/** `not-final`: no proof is at hand; where the device has said in which block the receipt stands, that is all there is. */
export type FinalityCheck =
  | ReceiptFinalityVerdict
  | AnchoredReceiptVerdict
  | { readonly status: 'not-final'; readonly said?: { readonly height: number; readonly block: Uint8Array } };

export interface Verification {
  readonly verdict: ReceiptVerdict;
  /** Absent where the receipt does not hold. */
  readonly finality: FinalityCheck | undefined;
  /** Where the device's word on it lies, or would lie. */
  readonly finalityFile: string;
  /** Absent where no outputs are at hand, or the receipt does not hold. */
  readonly files: readonly FileCheck[] | undefined;
}

/** A receipt holds by itself; a proof of finality that is there must hold too. */
export function holds({ verdict, finality, files = [] }: Verification): boolean {
  if (verdict.status !== 'verified' || finality?.status === 'refused') return false;
  return files.every(({ status }) => status === 'same' || status === 'unlisted');
}

export function isFinal({ finality }: Verification): boolean {
  return finality?.status === 'accepted' || finality?.status === 'anchored';
}

/** @param outputs folder of the outputs; absent: the one beside the receipt, if there is one. @throws CommandFailure */
export async function verifyReceipt(receiptFile: string, basis: Basis, outputs: string | undefined): Promise<Verification> {
  const encoded = await readBounded(receiptFile, LIMITS.receiptBytesMax, 'receipt');
  const finalityFile = join(dirname(receiptFile), FINALITY_FILE);
  const said = await readFinality(finalityFile);
  const judged = judgeReceipt(encoded, { network: withProven(basis, said), crypto: nobleCrypto, nowMs: Date.now() });
  const isForeign = judged.status === 'refused' && peekSigned(ReceiptMessage, encoded).status === 'malformed';
  const verdict = isForeign ? { ...judged, detail: notWhatWasAsked(receiptFile, 'receipt', encoded) } : judged;
  if (verdict.status === 'refused') return { verdict, finality: undefined, finalityFile, files: undefined };
  const finality = checkFinality(encoded, verdict.receipt, said, basis);
  const folder = outputs ?? join(dirname(receiptFile), 'outputs');
  const present = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!present && outputs !== undefined)
    throw new CommandFailure(2, `there is no folder ${outputs}; --outputs names the folder that holds the outputs of the capsule`);
  const comparable = present || verdict.report.outputs.length === 0;
  return {
    verdict,
    finality,
    finalityFile,
    files: comparable ? await checkFiles(verdict.report, folder, dirname(receiptFile)) : undefined,
  };
}

type SaidFinality = FinalityNews | { readonly finality: 'malformed'; readonly detail: string } | undefined;

/** What lies beside the receipt is as foreign as the receipt. */
export async function readFinality(file: string): Promise<SaidFinality> {
  if (!(await isThere(file))) return undefined;
  const encoded = await readBounded(file, LIMITS.packetBytesMax, 'word on finality');
  const news = decodeStrict(FinalityNews, encoded, LIMITS.packetBytesMax);
  if (news.status === 'malformed') return { finality: 'malformed', detail: notWhatWasAsked(file, 'word on finality', encoded) };
  return news.value;
}

/** With the members that joined since the founding, where the proof of finality shows them (§13.6). */
function withProven({ network, anchor }: Basis, said: SaidFinality): Network {
  if (said?.finality !== 'final') return network;
  const proven = judgeFinalityProof(said.proof, { network, crypto: nobleCrypto, start: anchor?.start });
  return proven.status === 'accepted' ? { ...network, members: [...proven.members] } : network;
}

function checkFinality(encoded: Uint8Array, receipt: Receipt, said: SaidFinality, { network, anchor }: Basis): FinalityCheck {
  if (said === undefined) return { status: 'not-final' };
  switch (said.finality) {
    case 'malformed':
      return { status: 'refused', reason: 'malformed', detail: said.detail };
    case 'final':
      if (anchor) return judgeAnchoredReceipt({ encoded, receipt, proof: said.proof, link: anchor.link }, anchor, nobleCrypto);
      return judgeReceiptFinality(encoded, receipt, said.proof, { network, crypto: nobleCrypto });
    case 'not-final':
      return { status: 'not-final', said: { height: said.height, block: said.block } };
  }
}

/** @throws CommandFailure */
export async function readNetworkFile(path: string): Promise<Network> {
  const encoded = await readBounded(path, LIMITS.networkBytesMax, 'network file');
  const decoded = decodeNetwork(encoded);
  if (decoded.status === 'malformed') throw new CommandFailure(2, notWhatWasAsked(path, 'network file', encoded));
  return decoded.value;
}

/** @throws CommandFailure */
export async function readBounded(path: string, bytesMax: number, kind: FileKind): Promise<Uint8Array> {
  const found = await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') throw new CommandFailure(2, `there is no ${kind} ${path}; ${FILE_KINDS[kind]}`);
    throw error;
  });
  if (!found.isFile()) throw new CommandFailure(2, `${path} is not a file; ${FILE_KINDS[kind]}`);
  if (found.size > bytesMax)
    throw new CommandFailure(2, `${path} has ${found.size} bytes, and a ${kind} at most ${bytesMax}; ${FILE_KINDS[kind]}`);
  return Uint8Array.from(await readFile(path));
}

async function checkFiles(report: Report, outputs: string, beside: string): Promise<FileCheck[]> {
  const checks: FileCheck[] = [];
  for (const { path, digest, bytes } of report.outputs) checks.push(await checkFile(join(outputs, path), `outputs/${path}`, digest, bytes));
  for (const stream of ['stdout', 'stderr'] as const) {
    const check = await checkFile(join(beside, stream), stream, report[stream].digest, report[stream].bytes);
    if (check.status !== 'absent') checks.push(check);
  }
  const listed = new Set(report.outputs.map(({ path }) => path));
  const others = (await filesBelow(outputs).catch(nothingThere)).filter((path) => !listed.has(path));
  return [...checks, ...others.map((path): FileCheck => ({ path: `outputs/${path}`, bytes: 0, status: 'unlisted' }))];
}

export async function checkFile(file: string, path: string, digest: Uint8Array, bytes: number): Promise<FileCheck> {
  try {
    const found = await stat(file);
    if (!found.isFile()) return { path, bytes, status: 'absent' };
    const handle = await open(file, 'r');
    try {
      const same = found.size === bytes && sameBytes(await digestOf(handle), digest);
      return { path, bytes, status: same ? 'same' : 'changed' };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return { path, bytes, status: 'absent' };
    throw error;
  }
}

function nothingThere(error: unknown): string[] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => nothingThere(error).length > 0,
  );
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}
