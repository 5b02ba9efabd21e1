/** A verification for people: a line for each step, what the receipt says, and a warning that nobody overlooks. */
import type { Report } from '#protocol/box-messages.ts';
import { hex } from '#protocol/digest.ts';
import type { ReceiptVerdict } from '#protocol/receipt-verifier.ts';
import { bytesText, durationText, harmless, table, timeText, type Terminal } from '../terminal.ts';
import { endingText } from './ending.ts';
import { holds, type FileCheck, type FinalityCheck, type Verification } from './verification.ts';

type Verified = ReceiptVerdict & { readonly status: 'verified' };

export function showVerification(terminal: Terminal, { verdict, finality, files }: Verification): void {
  const tick = terminal.paint('good', '✓');
  const cross = terminal.paint('bad', '✗');
  for (const { rule, detail } of verdict.steps) terminal.line(`${tick} ${rule.padEnd(18)} ${harmless(detail)}`);
  if (verdict.status === 'refused') return terminal.line(`${cross} ${verdict.reason.padEnd(18)} ${harmless(verdict.detail)}`);
  for (const line of finality ? finalityLines(terminal, finality, tick, cross) : []) terminal.line(line);
  for (const line of fileLines(terminal, files, tick, cross)) terminal.line(line);
  if (verdict.receipt.tpm === 'software-tpm') showSoftwareTpm(terminal);
  terminal.line(`\n${summaryTable(verdict)}\n`);
}

/** What ran, where, when, with what. */
export function summaryTable({ receipt, manifest, report, software }: Verified): string {
  const runtime = software.runtimes.find(({ name }) => name === manifest.runtime);
  const rows: [string, string][] = [
    ['capsule', `${harmless(manifest.name)} (${receipt.capsule})`],
    ['client', `${receipt.client}, through gateway ${receipt.gateway.device}`],
    ['ran', [manifest.runtime, runtime?.version ?? '', manifest.entry, ...manifest.arguments].filter(Boolean).map(harmless).join(' ')],
    ['on', `${receipt.box.name} at device ${receipt.device} (${receipt.box.trust}), ${harmless(software.kernel)}`],
    ['when', `${timeText(report.startedAtMs)}, for ${durationText(report.usage.wallMs)}`],
    ['used', `${durationText(report.usage.cpuMs)} of processor time, ${bytesText(report.usage.memoryBytesMax)} of memory`],
    ['end', endOfReport(receipt, report)],
    ...report.outputs.map(({ path, bytes, digest }): [string, string] => [
      'output',
      `${harmless(path)}  ${bytesText(bytes)}  sha256:${hex(digest)}`,
    ]),
  ];
  return table(rows);
}

/** Whether a checkpoint holds it, in a few words. */
export function finalityText(finality: FinalityCheck): string {
  switch (finality.status) {
    case 'accepted':
      return `final: checkpoint ${finality.checkpoint.number} (height ${finality.checkpoint.height}) holds it, by ${finality.votes.length} of ${finality.voters} votes`;
    case 'refused':
      return `the proof of finality does not hold (${finality.reason}): ${harmless(finality.detail)}`;
    case 'not-final':
      return finality.said
        ? `not-final: it stands in block ${finality.said.height}, as the device says, and no checkpoint holds it yet`
        : 'not-final: there is no proof that a checkpoint holds it';
  }
}

/** One sentence, for the end. */
export function verificationSentence(verification: Verification): string {
  const { verdict, finality, files } = verification;
  if (verdict.status === 'refused') return `the receipt does not hold (${verdict.reason}): ${harmless(verdict.detail)}`;
  const wrong = (files ?? []).filter(({ status }) => status === 'changed' || status === 'absent');
  if (!holds(verification) && wrong.length > 0)
    return `the receipt holds, but these files are not what it says: ${wrong.map(({ path, status }) => `${harmless(path)} (${status})`).join(', ')}`;
  if (finality?.status === 'refused') return finalityText(finality);
  if (files?.length === 0) return 'the receipt holds; the capsule left no outputs';
  if (!files) return 'the receipt holds; no outputs are at hand to compare';
  const unlisted = files.filter(({ status }) => status === 'unlisted').length;
  const others = unlisted === 0 ? '' : `; beside them lie ${unlisted} files about which it says nothing`;
  return `the receipt holds, and the outputs are what it says${others}`;
}

/** Inclusion in a block, the checkpoint above it, and whose signatures stand under that. */
function finalityLines(terminal: Terminal, finality: FinalityCheck, tick: string, cross: string): string[] {
  if (finality.status === 'refused') return [`${cross} ${'finality'.padEnd(18)} ${finality.reason}: ${harmless(finality.detail)}`];
  if (finality.status === 'not-final') return [`${terminal.paint('warning', '!')} ${'finality'.padEnd(18)} ${finalityText(finality)}`];
  const { transactionId, height, block, timeMs, checkpoint, votes, voters } = finality;
  const path = checkpoint.height === height ? 'that block itself' : `${checkpoint.height - height} blocks above, each on the one below`;
  return [
    `${tick} ${'transaction'.padEnd(18)} ${hex(transactionId).slice(0, 16)}: this receipt's digest, put on the chain by its device`,
    `${tick} ${'block'.padEnd(18)} height ${height}, ${hex(block).slice(0, 16)}, chain time ${timeText(timeMs)}; the transaction is under its root`,
    `${tick} ${'checkpoint'.padEnd(18)} ${checkpoint.number}, height ${checkpoint.height}, ${hex(checkpoint.block).slice(0, 16)}: ${path}`,
    `${tick} ${'votes'.padEnd(18)} ${votes.length} of ${voters}: ${votes.map(({ name }) => harmless(name)).join(', ')}, each by a key that its TPM has quoted`,
  ];
}

function fileLines(terminal: Terminal, files: readonly FileCheck[] | undefined, tick: string, cross: string): string[] {
  if (!files) return [`${terminal.paint('warning', '!')} ${'outputs'.padEnd(18)} not at hand, not compared; --outputs names their folder`];
  return files.map(({ path, bytes, status }) => {
    const shown = harmless(path);
    switch (status) {
      case 'same':
        return `${tick} ${'output'.padEnd(18)} ${shown}, ${bytesText(bytes)}, as in the receipt`;
      case 'changed':
        return `${cross} ${'output'.padEnd(18)} ${shown} is not what the receipt says: it was changed`;
      case 'absent':
        return `${cross} ${'output'.padEnd(18)} ${shown} is in the receipt and not in the folder`;
      case 'unlisted':
        return `${terminal.paint('warning', '!')} ${'output'.padEnd(18)} ${shown} is in the folder; the receipt says nothing about it`;
    }
  });
}

function showSoftwareTpm(terminal: Terminal): void {
  terminal.line('');
  for (const line of softwareTpmWarning) terminal.line(terminal.paint('warning', line));
}

const softwareTpmWarning = [
  '  !!  SOFTWARE TPM  !!  The keys of this device live in a program, not in a chip.',
  '  Whoever runs the device can copy them and sign anything. Good for development; no proof about a machine.',
];

function endOfReport(receipt: Verified['receipt'], { outcome }: Report): string {
  const { state, reason } = receipt;
  return endingText({
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(outcome.outcome === 'exited' ? { exitStatus: outcome.status } : {}),
  });
}
