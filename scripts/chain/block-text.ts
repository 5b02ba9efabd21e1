/** A block in words. */
import type { BlockView } from '#protocol/chain/chain-view.ts';
import { counted } from '#protocol/counted.ts';
import { hex } from '#protocol/digest.ts';
import { bytesText, harmless, table, timeText, type Terminal } from '../terminal.ts';
import { shortId } from './words.ts';

export function blockText(view: BlockView, terminal: Pick<Terminal, 'paint'>): string {
  const { block, bytes, epoch } = view;
  const rows = [
    ['block', hex(block.id)],
    ['parent', block.parent === undefined ? 'none' : hex(block.parent)],
    ['height', `${block.height}, in epoch ${epoch}`],
    ['led by', block.leader],
    ['chain time', timeText(block.timeMs)],
    ['wait', waitWords(view)],
    ['size', `${bytesText(bytes)}, ${counted(block.transactions, 'transaction')}`],
    ['standing', standingWords(view, terminal)],
  ];
  return [table(rows), ...transactionLines(view, terminal)].join('\n');
}

/** The certificates hold as long as the clock of the TPM went on for at least the drawn wait (§12.3). */
function waitWords({ block: { waitMs }, startedAtTpmMs, endedAtTpmMs }: BlockView): string {
  const drawn = waitMs === undefined ? 'the drawn one is not known here any more' : `${waitMs} ms drawn`;
  return `${drawn}; its TPM's clock went on by ${endedAtTpmMs - startedAtTpmMs} ms from one certificate to the other`;
}

function standingWords({ standing, checkpoint }: BlockView, terminal: Pick<Terminal, 'paint'>): string {
  if (standing === 'not-final') return terminal.paint('warning', 'not final: no checkpoint holds it yet');
  const final = terminal.paint('good', 'final');
  if (!checkpoint) return final;
  const { number, height, round, votes } = checkpoint;
  return `${final}: checkpoint ${number} (height ${height}, round ${round}) by votes of ${votes.toSorted().join(', ')}`;
}

function transactionLines({ block, transactions }: BlockView, terminal: Pick<Terminal, 'paint'>): string[] {
  if (transactions.length === 0) return [];
  const lines = transactions.map(({ id, kind, about }) => [terminal.paint('quiet', shortId(id)), kind, harmless(about)]);
  const more = block.transactions - transactions.length;
  return ['', table(lines), ...(more > 0 ? [`  and ${more} more`] : [])];
}
