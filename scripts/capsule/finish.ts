/** The end of a capsule that was followed: its files fetched, its receipt checked, and what came of it in a few lines. */
import { join } from 'node:path';

import type { ResultNews } from '#protocol/client-messages.ts';
import { shellQuoted } from '../pair/paste-lines.ts';
import { bytesText, harmless, table } from '../terminal.ts';
import { capsuleFolder } from './capsule-folder.ts';
import { requireRoomFor } from './chosen-folder.ts';
import { endingText, isSuccess } from './ending.ts';
import { finalityText } from './finality-text.ts';
import { defaultState } from './options.ts';
import { saveResult, type SavedResult } from './saved-result.ts';
import type { Session } from './session.ts';
import { summaryTable, verificationSentence } from './verification-lines.ts';
import { holds, verifyReceipt, type Verification } from './verification.ts';
import type { View } from './view.ts';

/** @param out absent: the capsule's own folder below `state`. @returns the exit status */
export async function finish(
  { client, network }: Session,
  result: ResultNews,
  state: string,
  out: string | undefined,
  view: View,
): Promise<number> {
  if (out !== undefined) await requireRoomFor(result, out);
  const saved = await saveResult(client, result, out ?? capsuleFolder(state, result.capsule), {
    onProgress: (bytes, total) => view.transferred('fetching the result', bytes, total),
    onFinalityAwaited: () => view.explain('The receipt is here; the chain has not made it final yet.'),
  });
  const verification = saved.receipt !== undefined && network ? await verifyReceipt(saved.receipt, { network }, undefined) : undefined;
  view.settle();
  showSaved(result, saved, verification, state, view);
  return isSuccess(result) && (!verification || holds(verification)) ? 0 : 1;
}

function showSaved(result: ResultNews, saved: SavedResult, verification: Verification | undefined, state: string, view: View): void {
  const success = isSuccess(result);
  const { verdict } = verification ?? {};
  view.tell((terminal) => terminal.paint(success ? 'good' : 'bad', `\n${endingText(result)}`), {
    event: 'ended',
    capsule: result.capsule,
    state: result.state,
    ...(result.reason === undefined ? {} : { reason: result.reason }),
    ...(result.exitStatus === undefined ? {} : { exitStatus: result.exitStatus }),
    folder: saved.folder,
    outputs: saved.outputs,
    ...(saved.receipt === undefined ? {} : { receipt: saved.receipt }),
    verification: verdict === undefined ? 'not-checked' : verdict.status,
    finality: saved.finality?.finality ?? 'not-final',
    ...(verdict?.status === 'refused' ? { refusal: verdict.reason } : {}),
  });
  if (verdict?.status === 'verified') view.explain(summaryTable(verdict));
  view.explain(`\n${table(savedRows(result, saved))}\n`);
  view.explain(checkedLine(result, saved, verification, state));
}

function savedRows({ stdout, stderr }: ResultNews, { folder, outputs, receipt }: SavedResult): string[][] {
  const logs = [['stdout', stdout] as const, ['stderr', stderr] as const].filter(([, blob]) => blob !== undefined && blob.bytes > 0);
  return [
    ...outputs.map(({ path, bytes, file }) => [harmless(path), bytesText(bytes), file]),
    ...logs.map(([name, blob]) => [name, bytesText(blob?.bytes ?? 0), join(folder, name)]),
    ...(receipt === undefined ? [['receipt', 'none', 'the capsule was not run to its end']] : [['receipt', '', receipt]]),
  ];
}

function checkedLine({ capsule }: ResultNews, { receipt }: SavedResult, verification: Verification | undefined, state: string): string {
  if (receipt === undefined) return 'Without a receipt nothing vouches for this result.';
  const elsewhere = state === defaultState ? '' : ` --state ${shellQuoted(state)}`;
  const check = `npm run capsule -- verify ${capsule.slice(0, 12)}${elsewhere}`;
  if (!verification) return `There is no network file here, so the receipt is not checked yet: ${check} --network FILE`;
  const software =
    verification.verdict.status === 'verified' && verification.verdict.receipt.tpm === 'software-tpm'
      ? ' The device has a SOFTWARE TPM: good for development only.'
      : '';
  const later =
    verification.finality?.status === 'not-final'
      ? ` Fetch the proof when there is one: npm run capsule -- result ${capsule.slice(0, 12)}${elsewhere}`
      : '';
  const finality = verification.finality && holds(verification) ? `\nOn the chain: ${finalityText(verification.finality)}.${later}` : '';
  return `Checked: ${verificationSentence(verification)}.${software}${finality}\nCheck it yourself, offline: ${check}`;
}
