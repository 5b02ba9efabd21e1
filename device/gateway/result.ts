/** The result of an ended capsule as its client gets it. Specification §7.4. */
import { ReportMessage, type Report } from '#protocol/box-messages.ts';
import { ResultNews } from '#protocol/client-messages.ts';
import { encodeJson } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { peekSigned } from '#protocol/signed.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { StoredCapsule } from '../store/store.ts';

/**
 * For a client that speaks JSON, short outputs of plain text stand in the result itself.
 * @param receipt only with one are the outputs known to be the run's own, and here
 */
export async function resultOf(capsule: StoredCapsule, receipt: Uint8Array | undefined, blobs: BlobStore): Promise<ResultNews> {
  const { order } = capsule;
  const report = receipt && reportIn(receipt);
  const exitStatus = report?.outcome.outcome === 'exited' ? report.outcome.status : undefined;
  const detail = order.end?.detail ?? (report?.outcome.outcome === 'failed' ? report.outcome.detail : undefined);
  const result: ResultNews = {
    capsule: order.capsule,
    state: order.state,
    ...(order.end?.reason ? { reason: order.end.reason } : {}),
    ...(detail ? { detail } : {}),
    ...(exitStatus === undefined ? {} : { exitStatus }),
    outputs: report?.outputs ?? [],
    ...(report ? { stdout: report.stdout, stderr: report.stderr } : {}),
  };
  return capsule.notation === 'json' ? withTexts(result, blobs) : result;
}

function reportIn(encoded: Uint8Array): Report | undefined {
  const receipt = peekSigned(ReceiptMessage, encoded);
  const report = receipt.status === 'decoded' ? peekSigned(ReportMessage, receipt.value.report) : undefined;
  return report?.status === 'decoded' ? report.value : undefined;
}

/** Text is added, output by output, while the whole fits into one packet. */
async function withTexts(result: ResultNews, blobs: BlobStore): Promise<ResultNews> {
  let roomBytes = LIMITS.packetBytesMax - DEVICE_LIMITS.answerOverheadBytes - bytesOf(encodeJson(ResultNews, result));
  const outputs: ResultNews['outputs'] = [];
  for (const output of result.outputs) {
    const text = output.bytes <= DEVICE_LIMITS.inlineOutputBytesMax ? await textOf(hex(output.digest), output.bytes, blobs) : undefined;
    const costBytes = text === undefined ? 0 : bytesOf(JSON.stringify({ text }));
    const fits = text !== undefined && costBytes <= roomBytes;
    if (fits) roomBytes -= costBytes;
    outputs.push(fits ? { ...output, text } : output);
  }
  return { ...result, outputs };
}

/** Undefined where the content isn't plain text. */
async function textOf(digest: string, bytes: number, blobs: BlobStore): Promise<string | undefined> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await blobs.read(digest, 0, bytes));
  } catch {
    return undefined;
  }
}

function bytesOf(words: string): number {
  return new TextEncoder().encode(words).length;
}
