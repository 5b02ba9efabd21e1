/** One member's trust in words: how it stands and until when, and of each slot what it showed, who judged it, and what a check here finds. */
import type { MemberRecord } from '#protocol/chain/state.ts';
import { isSuspended, type MemberTrust } from '#protocol/chain/trust-state.ts';
import { counted } from '#protocol/counted.ts';
import { hex } from '#protocol/digest.ts';
import type { ExplainedSlot, ExplainedTrust } from '#protocol/explained-trust.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Network } from '#protocol/network.ts';
import { weightOf } from '../../device/ledger/credit.ts';
import { harmless, table, timeText, type Terminal } from '../terminal.ts';
import { seatWords, STANDING_MEANINGS, STANDING_STYLES, untilWords } from './words.ts';

export interface ShownMember {
  readonly record: MemberRecord;
  /** At what it stands so, in words. */
  readonly asOf: string;
  readonly explained: ExplainedTrust;
  readonly network: Network;
  /** Of a node id in hexadecimal. */
  readonly nameOf: (node: string) => string;
  /** What layer 1 says of it, a row for each chain. */
  readonly layer1?: readonly (readonly [string, string])[];
}

type Paint = Pick<Terminal, 'paint'>;

export function memberText(shown: ShownMember, { paint }: Paint): string {
  const { record, asOf, explained, network, layer1 = [] } = shown;
  const { standing, trust } = explained;
  const rows = [
    ['member', `${record.member.name}, node ${hex(record.node)}`],
    ['trust', `${paint(STANDING_STYLES[standing], standing)} ${untilWords(explained, network.genesis.consensus)}`],
    ['', STANDING_MEANINGS[standing]],
    ['seat', seatText(record, explained, paint)],
    ['credit', `${trust.credit} of ${LIMITS.creditMax}${creditWords(trust)}`],
    ['as of', asOf],
    ...layer1,
    ['evidence', evidenceWords(explained)],
    ...explained.slots.toReversed().flatMap((slot) => slotRows(slot, shown, paint)),
  ];
  return table(rows);
}

function seatText(record: MemberRecord, explained: ExplainedTrust, paint: Paint['paint']): string {
  const words = seatWords(record, explained);
  if (words === 'seat') return 'it has one: it votes on what is final';
  if (explained.trust.demotedHeight === undefined) return paint('warning', words);
  return `${paint('bad', words)}: all seats have taken it; it comes back when all seats judge its evidence good`;
}

function creditWords(trust: MemberTrust): string {
  const { credit } = trust;
  if (isSuspended(trust)) return ': it judges nobody while it is not trusted';
  const weight = weightOf(credit);
  return weight === 0 ? `: too little to be drawn as a judge (${LIMITS.creditToJudge})` : `: as a drawn judge it has weight ${weight}`;
}

function evidenceWords({ slots, trust }: ExplainedTrust): string {
  if (slots.length > 0) return `of ${counted(slots.length, 'slot')}, the newest first`;
  return trust.boot ? 'none in the slots that the state keeps' : 'none on the chain yet';
}

function slotRows({ slot, judges, found }: ExplainedSlot, shown: ShownMember, paint: Paint['paint']): string[][] {
  const { verdict, appealedBy, closed } = slot;
  const name = (node: Uint8Array): string => harmless(shown.nameOf(hex(node)));
  const judgement = verdict
    ? `${paint(STANDING_STYLES[verdict.word], verdict.word)} by ${verdict.voters.map(name).join(', ')}${absentWords(verdict.voters, judges, shown)}`
    : 'not yet';
  return [
    [`slot ${slot.slot}`, `evidence ${hex(slot.evidence).slice(0, 16)}, in a block of ${timeText(slot.timeMs)}`],
    ['  judged', judgement],
    ...(appealedBy ? [['  appealed', `by ${name(appealedBy)}, so all seats judge it again`]] : []),
    ...(closed ? [['  in the end', CLOSING_WORDS[closed]]] : []),
    ...(found
      ? [['  checked here', foundWords(found, verdict?.word, paint)]]
      : [['  checked here', paint('quiet', 'no: the evidence is not at hand')]]),
  ];
}

/** "; not in the verdict: delta (drawn)" */
function absentWords(voters: readonly Uint8Array[], judges: ExplainedSlot['judges'], { nameOf, record }: ShownMember): string {
  if (!judges) return '';
  const voted = new Set([...voters.map(hex), hex(record.node)]);
  const absent = [...judges.keys()].filter((node) => !voted.has(node)).map((node) => harmless(nameOf(node)));
  return absent.length === 0 ? ': all judges' : `; not needed, or silent: ${absent.join(', ')}`;
}

const CLOSING_WORDS: Readonly<Record<NonNullable<ExplainedSlot['slot']['closed']>, string>> = {
  trusted: 'trusted, say all seats',
  untrusted: 'untrusted, say all seats',
  disputed: 'disputed, say all seats',
  revealed: 'a planted challenge, as the member has shown: the verdict counts for its judges only',
};

function foundWords(found: NonNullable<ExplainedSlot['found']>, said: string | undefined, paint: Paint['paint']): string {
  if (found.word === 'trusted') {
    const software = found.measured.map(({ kind, label, digest }) => `${kind} ${harmless(label)} (${hex(digest).slice(0, 8)})`).join(', ');
    const words = `trusted: its chip quotes PCRs 8 and 14, which replay to ${software}; reset count ${found.boot.resetCount}`;
    return said === undefined || said === 'trusted'
      ? words
      : `${paint('warning', words)}. The judges said ${said}, which the evidence alone does not show`;
  }
  const words = `${found.word === 'none' ? 'it says nothing about the member' : found.word} (${found.reason}): ${harmless(found.detail)}`;
  if (said === undefined || said === found.word) return words;
  const advice = found.reason === 'measurement-unknown' ? ' Your network file may lack a release that theirs have.' : '';
  return `${paint('bad', words)}. The judges said ${said}.${advice}`;
}
