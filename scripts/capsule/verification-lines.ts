/** A verification for people: a line for each step, what the receipt says, and a warning that nobody overlooks. */
import type { Report } from '#protocol/box-messages.ts';
import { counted } from '#protocol/counted.ts';
import { hex } from '#protocol/digest.ts';
import { joulesText, observedPermille, type RunEnergy, type RunSpan } from '#protocol/run-energy.ts';
import type { ReceiptVerdict } from '#protocol/receipt-verifier.ts';
import { bytesText, durationText, harmless, table, timeText, type Terminal } from '../terminal.ts';
import { endingText } from './ending.ts';
import { finalityLines, finalityText } from './finality-text.ts';
import { holds, type FileCheck, type Verification } from './verification.ts';

type Verified = ReceiptVerdict & { readonly status: 'verified' };

export function showVerification(terminal: Terminal, { verdict, finality, finalityFile, files }: Verification, basis?: string): void {
  const tick = terminal.paint('good', '✓');
  const cross = terminal.paint('bad', '✗');
  for (const { rule, detail } of verdict.steps) terminal.line(`${tick} ${rule.padEnd(18)} ${harmless(detail)}`);
  if (verdict.status === 'refused') return terminal.line(`${cross} ${verdict.reason.padEnd(18)} ${harmless(verdict.detail)}`);
  for (const line of finality ? finalityLines(terminal, finality, finalityFile, basis) : []) terminal.line(line);
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
    ['measured', measuredText(receipt)],
    ['when', `${timeText(report.startedAtMs)}, for ${durationText(report.usage.wallMs)}`],
    ['used', `${durationText(report.usage.cpuMs)} of processor time, ${bytesText(report.usage.memoryBytesMax)} of memory`],
    ...(receipt.energy ? [['took', energyText(receipt.energy, report)] satisfies [string, string]] : []),
    ['end', endOfReport(receipt, report)],
    ...report.outputs.map(({ path, bytes, digest }): [string, string] => [
      'output',
      `${harmless(path)}  ${bytesText(bytes)}  sha256:${hex(digest)}`,
    ]),
  ];
  return table(rows);
}

/** How often the box was measured, and what stands behind it: never more than the receipt has shown. */
export function measuredText({ box, measuredDuring = [] }: Verified['receipt']): string {
  const during = measuredDuring.length === 1 ? 'once' : `${measuredDuring.length} times`;
  const times = measuredDuring.length === 0 ? 'before and after the run' : `before, ${during} during and after the run`;
  const unjudged =
    box.tpm && box.trust === 'self-reported' ? '; the quotes of its TPM hold, but nobody says that they are as they should be' : '';
  return `${times}; ${LEVEL_TEXTS[box.trust]}${unjudged}`;
}

const LEVEL_TEXTS = {
  'self-reported': "self-reported: the box's own word",
  'software-tpm': 'software-tpm: quotes of a program that plays a TPM fit the reference values of its device',
  'tpm-measured': "tpm-measured: quotes and logs of the box's chip fit the reference values of its device",
} as const satisfies Record<Verified['receipt']['box']['trust'], string>;

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
  const others =
    unlisted === 0 ? '' : `; beside them ${unlisted === 1 ? 'lies' : 'lie'} ${counted(unlisted, 'file')} about which it says nothing`;
  return `the receipt holds, and the outputs are what it says${others}`;
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

/** What was not observed was not free: the rest is a lower bound. */
export function energyText(energy: RunEnergy, run: RunSpan): string {
  const shared = energy.sharedWith === 0 ? '' : `, shared with up to ${counted(energy.sharedWith, 'other run')}`;
  const permille = observedPermille(energy, run);
  const [bound, observed] = permille === 1_000 ? ['', ''] : ['at least ', `, ${Math.floor(permille / 10)} % observed`];
  const simulated = energy.source === 'simulated' ? 'SIMULATED, nothing was measured' : `measured by ${energy.source}`;
  return `${bound}${joulesText(energy)}${observed} (${simulated}${shared})`;
}

function endOfReport(receipt: Verified['receipt'], { outcome }: Report): string {
  const { state, reason } = receipt;
  return endingText({
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(receipt.disputed ? { detail: receipt.disputed.detail } : {}),
    ...(outcome.outcome === 'exited' ? { exitStatus: outcome.status } : {}),
  });
}
