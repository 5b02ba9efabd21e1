/** The result of an ended capsule as its client gets it. Specification §7.4. */
import { ReportMessage, type Report } from '#protocol/box-messages.ts';
import type { ResultNews } from '#protocol/client-messages.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { peekSigned } from '#protocol/signed.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { StoredCapsule } from '../store/store.ts';

/** For a client that speaks JSON, short outputs of plain text stand in the result itself. */
export async function resultOf(capsule: StoredCapsule, blobs: BlobStore): Promise<ResultNews> {
  const { job } = capsule;
  const report = reportOf(capsule);
  const exitStatus = report?.outcome.outcome === 'exited' ? report.outcome.status : undefined;
  const outputs = report ? await Promise.all(report.outputs.map((output) => withText(output, capsule, blobs))) : [];
  const detail = job.end?.detail ?? (report?.outcome.outcome === 'failed' ? report.outcome.detail : undefined);
  return {
    capsule: job.capsule,
    state: job.state,
    ...(job.end?.reason ? { reason: job.end.reason } : {}),
    ...(detail ? { detail } : {}),
    ...(exitStatus === undefined ? {} : { exitStatus }),
    outputs: keepWithinPacket(outputs),
    ...(report ? { stdout: report.stdout, stderr: report.stderr } : {}),
  };
}

/** Whether `digest` (hexadecimal) is something that this capsule's run left. */
export function isOutputOf(capsule: StoredCapsule, digest: string): boolean {
  const report = reportOf(capsule);
  return report !== undefined && [...report.outputs, report.stdout, report.stderr].some((blob) => hex(blob.digest) === digest);
}

type Output = Report['outputs'][number] & { text?: string };

function reportOf({ job }: StoredCapsule): Report | undefined {
  const peeked = job.report ? peekSigned(ReportMessage, job.report) : undefined;
  return peeked?.status === 'decoded' ? peeked.value : undefined;
}

async function withText(output: Report['outputs'][number], capsule: StoredCapsule, blobs: BlobStore): Promise<Output> {
  if (capsule.notation !== 'json' || output.bytes > DEVICE_LIMITS.inlineOutputBytesMax) return output;
  const text = plainText(await blobs.read(hex(output.digest), 0, output.bytes).catch(() => undefined));
  return text === undefined ? output : { ...output, text };
}

function plainText(content: Uint8Array | undefined): string | undefined {
  if (!content) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** Drops text from the end until the rest has room in one packet. */
function keepWithinPacket(outputs: Output[]): Output[] {
  let room: number = LIMITS.inlineBytesMax;
  return outputs.map(({ text, ...output }) => {
    room -= text?.length ?? 0;
    return text !== undefined && room >= 0 ? { ...output, text } : output;
  });
}
