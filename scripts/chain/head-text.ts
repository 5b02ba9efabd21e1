/** Where the chain stands, in words. */
import type { HeadView } from '#protocol/chain/chain-view.ts';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { counted } from '#protocol/counted.ts';
import { durationText, table, type Style, type Terminal } from '../terminal.ts';
import { howCertified, shortId, whyNotFinal } from './words.ts';

export function headText(view: HeadView, terminal: Pick<Terminal, 'paint'>): string {
  const { head, checkpoint, condition, epoch, targetIntervalMs } = view;
  const [style, words] = conditionWords(view);
  const rows = [
    [`chain at ${view.device}`, terminal.paint(style, words)],
    ['head', `height ${head.height}, block ${shortId(head.id)}, ${counted(head.transactions, 'transaction')}`],
    ['led by', ledBy(view)],
    ['final', `up to height ${checkpoint.height}${behindWords(head.height - checkpoint.height)}`],
    ['checkpoint', `${checkpoint.number}, block ${shortId(checkpoint.block)}, ${howCertified(checkpoint)}`],
    ['members', membersWords(view)],
    ['epoch', `${epoch}; a block every ${durationText(targetIntervalMs)} in the mean`],
  ];
  return condition === 'finalising' ? table(rows) : `${table(rows)}\n\n${advice(view)}`;
}

function conditionWords({ condition, checkpoint, voting }: HeadView): [Style, string] {
  switch (condition) {
    case 'finalising':
      return ['good', 'finalising'];
    case 'not-finalising':
      return ['bad', `NOT FINALISING for ${durationText(checkpoint.knownForMs)}: ${whyNotFinal(voting, checkpoint.voters)}`];
    case 'behind':
      return ['warning', 'behind: it is catching up with the others'];
    case 'stopped':
      return ['bad', 'STOPPED: two certificates contradict each other'];
    case 'joining':
      return ['warning', 'joining: it fetches the checkpoint of its configuration, or of layer 1, from the others'];
    case 'other-checkpoint':
      return ['bad', 'NOT TAKING PART: the chain that it keeps contradicts the checkpoint of its configuration, or of layer 1'];
    case 'away-too-long':
      return ['bad', 'AWAY TOO LONG: the others no longer have the blocks that it lacks'];
  }
}

function ledBy({ head, atMs }: HeadView): string {
  if (head.parent === undefined) return 'nobody: this is the genesis';
  const wait = head.waitMs === undefined ? '' : ` after a wait of ${durationText(head.waitMs)}`;
  return `${head.leader}${wait}, ${durationText(Math.max(0, atMs - head.timeMs))} ago`;
}

function behindWords(blocks: number): string {
  return blocks <= 0 ? ', the head itself' : `, ${counted(blocks, 'block')} behind the head`;
}

function membersWords({ members, seats, reached, checkpoint, device }: HeadView): string {
  return `${members}, with ${counted(seats, 'seat')}; ${device} is connected to the brokers of ${reached}, its own included; ${quorumOf(checkpoint.voters)} votes are a quorum`;
}

function advice({ condition, checkpoint }: HeadView): string {
  switch (condition) {
    case 'stopped':
      return 'More than a third of the members has signed both. The proof is in the state of the device; the network needs its operators (§13.5).';
    case 'behind':
      return 'What it shows is older than what others know.';
    case 'joining':
      return 'It takes part when it has the checkpoint. If that does not end, its log says what each peer answered.';
    case 'other-checkpoint':
      return 'Its log says which. Ask another operator which is right. Correct `checkpoint` in the configuration, or `layer1` in the network file; or, if it is right, move chain.sqlite away (§13.7).';
    case 'away-too-long':
      return 'Take number, height and block of a recent checkpoint from an operator whom you trust, put them into `checkpoint` of the configuration, and start the device again (§13.7).';
    default:
      return `What stands in blocks above height ${checkpoint.height} may still change. \`npm run chain -- peers\` shows who is missing.`;
  }
}
