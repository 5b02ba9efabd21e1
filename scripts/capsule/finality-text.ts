/** Whether a checkpoint holds a receipt, in words: the proof step by step, one sentence, and what to do where there is none. */
import { counted } from '#protocol/counted.ts';
import { hex } from '#protocol/digest.ts';
import type { ReceiptUnderAnchor } from '#protocol/layer1/anchored-receipt.ts';
import { harmless, timeText, type Terminal } from '../terminal.ts';
import { FINALITY_FILE } from './capsule-folder.ts';
import type { FinalityCheck } from './verification.ts';

/** "final: block 12 holds the receipt's digest, checkpoint 12, voted by alpha, bravo, delta (3 of 4 seats)" */
export function finalityText(finality: FinalityCheck): string {
  switch (finality.status) {
    case 'accepted': {
      const { height, checkpoint, votes, voters } = finality;
      const names = votes.map(({ name }) => harmless(name)).toSorted();
      const above = checkpoint.height === height ? '' : ` (height ${checkpoint.height})`;
      return `final: block ${height} holds the receipt's digest, checkpoint ${checkpoint.number}${above}, voted by ${names.join(', ')} (${votes.length} of ${counted(voters, 'seat')})`;
    }
    case 'anchored': {
      const { height, blocks, epoch } = finality;
      const place = blocks === 0 ? 'which is that of' : `${counted(blocks, 'block')} below that of`;
      return `final: block ${height} holds the receipt's digest, ${place} anchor ${epoch} on layer 1`;
    }
    case 'refused':
      return `the proof of finality does not hold (${finality.reason}): ${harmless(finality.detail)}`;
    case 'not-final':
      return finality.said
        ? `not-final: it stands in block ${finality.said.height}, as the device says, and no checkpoint holds it yet`
        : 'not-final: there is no proof that a checkpoint holds it';
  }
}

/** Inclusion in a block, the checkpoint above it, and whose signatures stand under that. */
export function finalityLines(terminal: Terminal, finality: FinalityCheck, file: string, basis = 'the network file'): string[] {
  const [tick, cross] = [terminal.paint('good', '✓'), terminal.paint('bad', '✗')];
  if (finality.status === 'refused') return [`${cross} ${'finality'.padEnd(18)} ${finality.reason}: ${harmless(finality.detail)}`];
  if (finality.status === 'not-final') return [`${terminal.paint('warning', '!')} ${'finality'.padEnd(18)} ${finalityText(finality)}`];
  if (finality.status === 'anchored') return underAnchorLines(finality, file, tick);
  const { transactionId, height, block, timeMs, checkpoint, votes, voters } = finality;
  const path =
    checkpoint.height === height ? 'that block itself' : `${counted(checkpoint.height - height, 'block')} above, each on the one below`;
  return [
    `${tick} ${'proof'.padEnd(18)} ${file}: checked from ${basis} alone`,
    `${tick} ${'transaction'.padEnd(18)} ${hex(transactionId).slice(0, 16)}: this receipt's digest, put on the chain by its device`,
    `${tick} ${'block'.padEnd(18)} height ${height}, ${hex(block).slice(0, 16)}, chain time ${timeText(timeMs)}; the transaction is under its root`,
    `${tick} ${'checkpoint'.padEnd(18)} ${checkpoint.number}, height ${checkpoint.height}, ${hex(checkpoint.block).slice(0, 16)}: ${path}`,
    `${tick} ${'votes'.padEnd(18)} ${votes.length} of ${voters}: ${votes.map(({ name }) => harmless(name)).join(', ')}, each by a key that its TPM has quoted`,
  ];
}

function underAnchorLines(
  { transactionId, height, block, timeMs, blocks, epoch }: ReceiptUnderAnchor,
  file: string,
  tick: string,
): string[] {
  return [
    `${tick} ${'transaction'.padEnd(18)} ${hex(transactionId).slice(0, 16)}: this receipt's digest, put on the chain by its device (${file})`,
    `${tick} ${'block'.padEnd(18)} height ${height}, ${hex(block).slice(0, 16)}, chain time ${timeText(timeMs)}; the transaction is under its root`,
    `${tick} ${'anchor'.padEnd(18)} ${epoch}: ${blocks === 0 ? 'that block itself' : `${counted(blocks, 'block')} above, each on the one below`}; no vote is needed`,
  ];
}

export interface ProofPlace {
  /** Where the proof lies, or would lie. */
  readonly file: string;
  /** Who gives it. */
  readonly gateway: string;
  readonly capsule: string;
}

/** What to do where the receipt is not shown to be final. */
export function finalityAdvice(finality: FinalityCheck | undefined, { file, gateway, capsule }: ProofPlace): string {
  const fetch = `\`npm run capsule -- result ${capsule.slice(0, 12)}\` asks its gateway ${gateway} for the proof; the ${FINALITY_FILE} that it saves belongs beside the receipt`;
  const enough = '`npm run chain -- peers` shows whether enough seats vote';
  if (finality?.status === 'refused') {
    switch (finality.reason) {
      case 'other-network':
        return `${file} is of another network than the network file: name the right one with --network`;
      case 'link-missing':
      case 'other-branch':
        return 'the file of the anchor is not for this receipt: ask a device for it, with --device';
      case 'malformed':
      case 'other-transaction':
        return `${file} is not the proof for this receipt: ${fetch}`;
      default:
        return `do not believe ${file}: ${fetch}. If that does not hold either, what the gateway says is wrong`;
    }
  }
  if (finality?.status === 'not-final' && finality.said) return `${fetch}, once a checkpoint holds the block; ${enough}`;
  return `there is no ${file}: ${fetch}, once there is one; ${enough}`;
}
