/**
 * Judges of many manners over many slots, with the production's credit, weights and quorum. Draws are even ones by chance; whoever makes a
 * certificate stops at the quorum, so slow judges are left out as often as can be. Specification §18, §19.
 */
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { LIMITS } from '#protocol/limits.ts';
import { changedCredit, weightOf, type CreditEvent } from '../../../device/ledger/credit.ts';
import type { Chance } from '../chance.ts';

/**
 * `burner`: honest until the attack, then as a `colluder`, which trusts its friends' bad evidence and accuses all others. `washer`: always
 * says yes, and has a new chip whenever it is drawn no more.
 */
export type Manner = 'honest' | 'unlucky' | 'yes' | 'never' | 'accuser' | 'colluder' | 'burner' | 'washer';

export interface Judge {
  readonly manner: Manner;
  credit: number;
  /** Slot of the last verdict with its vote. */
  judgedIn: number;
  /** Whether it could be drawn in the slot before. */
  isDrawn: boolean;
}

export interface Setting {
  readonly chance: Chance;
  readonly manners: Readonly<Partial<Record<Manner, number>>>;
  /** When burners begin to lie. */
  readonly attackFrom?: number;
  /** Of founders by default. */
  readonly creditAtStart?: number;
  /** How often anybody's word is lost; that of the unlucky ten times as often. */
  readonly loss?: number;
  /** Rules that are left out, to see what they are for. */
  readonly without?: ReadonlySet<'shown-ballots' | 'appeals'>;
}

export interface Judging {
  readonly judges: readonly Judge[];
  slot: number;
  readonly counts: { subjects: number; verdicts: number; captured: number };
}

type Word = 'trusted' | 'untrusted';
type Evidence = 'good' | 'planted' | 'bad';

const committee = 7;
const plantedOneIn = 8;
/** Silence is charged after so many slots: `trustedCheckpoints` of a grid. */
const silentSlots = 3;
/** Appeals that honest members of a network make in a slot for contrary ballots alone: each has all seats vote. */
const appealsPerSlot = 4;

export function judging({ manners, creditAtStart = LIMITS.creditOfFounder }: Setting): Judging {
  const judges = Object.entries(manners).flatMap(([manner, count]) =>
    Array.from({ length: count }, () => ({ manner: manner as Manner, credit: creditAtStart, judgedIn: 0, isDrawn: true })),
  );
  return { judges, slot: 0, counts: { subjects: 0, verdicts: 0, captured: 0 } };
}

/** One slot: every member shows evidence and is judged. */
export function judgeSlot(state: Judging, setting: Setting): void {
  state.slot += 1;
  for (const judge of state.judges) {
    if (weightOf(judge.credit) > 0 && state.slot - judge.judgedIn > silentSlots) credit(judge, 'silent');
    if (judge.manner === 'washer' && judge.isDrawn && weightOf(judge.credit) === 0) judge.credit = 0;
    judge.isDrawn = weightOf(judge.credit) > 0;
  }
  const qualified = state.judges.map(({ credit: of }, index) => ({ index, weight: weightOf(of) })).filter(({ weight }) => weight > 0);
  let appeals = appealsPerSlot;
  for (const [subject] of state.judges.entries()) appeals -= judgeSubject(state, setting, { subject, qualified, appeals });
}

interface Case {
  readonly subject: number;
  readonly qualified: readonly { readonly index: number; readonly weight: number }[];
  readonly appeals: number;
}

/** @returns appeals that were needed for contrary ballots alone */
function judgeSubject(state: Judging, setting: Setting, { subject, qualified, appeals }: Case): number {
  const { chance, without } = setting;
  const evidence = evidenceOf(state, setting, subject);
  const drawn = drawnFrom(qualified, subject, chance);
  const said = drawn.map(({ index, weight }) => ({
    judge: state.judges[index]!,
    weight,
    word: wordOf(state, setting, index, { subject, evidence }),
  }));
  const quorum = quorumOf(said.reduce((sum, { weight }) => sum + weight, 0));
  const truth: Word = evidence === 'good' ? 'trusted' : 'untrusted';
  const word = (['trusted', 'untrusted'] as const).find((one) => weightFor(said, one) >= quorum);
  state.counts.subjects += 1;
  const voters: Judge[] = [];
  let weight = 0;
  for (const vote of word ? chance.shuffled(said) : []) {
    if (vote.word !== word || weight >= quorum) continue;
    voters.push(vote.judge);
    weight += vote.weight;
  }
  for (const judge of voters) {
    credit(judge, 'in-verdict');
    judge.judgedIn = state.slot;
  }
  const wrong = said.flatMap((vote) => (vote.word && vote.word !== truth && !voters.includes(vote.judge) ? [vote.judge] : []));
  if (word) state.counts.verdicts += 1;
  if (word && word !== truth) state.counts.captured += 1;
  if (word === 'trusted') credit(state.judges[subject]!, 'own-evidence');
  const isKnown = evidence === 'planted' || (word === 'untrusted' || word !== truth ? word !== undefined : false);
  const isAppealed = !isKnown && word !== undefined && wrong.length > 0 && appeals > 0 && without?.has('appeals') !== true;
  if (isKnown || isAppealed) for (const judge of voters) credit(judge, word === truth ? 'right' : 'wrong');
  const areShown = evidence === 'planted' ? without?.has('shown-ballots') !== true : isAppealed;
  if (areShown) for (const judge of wrong) credit(judge, 'wrong');
  return isAppealed ? 1 : 0;
}

function weightFor(said: readonly { readonly weight: number; readonly word: Word | undefined }[], word: Word): number {
  return said.reduce((sum, vote) => sum + (vote.word === word ? vote.weight : 0), 0);
}

function drawnFrom(qualified: Case['qualified'], subject: number, chance: Chance): Case['qualified'][number][] {
  const others = qualified.length - (qualified.some(({ index }) => index === subject) ? 1 : 0);
  const drawn = new Map<number, Case['qualified'][number]>();
  while (drawn.size < Math.min(committee, others)) {
    const one = qualified[chance.below(qualified.length)]!;
    if (one.index !== subject) drawn.set(one.index, one);
  }
  return [...drawn.values()];
}

function isAttacking({ slot }: Judging, { attackFrom = 0 }: Setting, { manner }: Judge): boolean {
  return manner === 'colluder' || (manner === 'burner' && slot > attackFrom);
}

/** Attackers show bad evidence in one slot of two, or nobody would know them. */
function evidenceOf(state: Judging, setting: Setting, subject: number): Evidence {
  const { chance } = setting;
  if (isAttacking(state, setting, state.judges[subject]!)) return chance.happens(0.5) ? 'bad' : 'planted';
  return chance.happens(1 / plantedOneIn) ? 'planted' : 'good';
}

function wordOf(
  state: Judging,
  setting: Setting,
  index: number,
  about: { readonly subject: number; readonly evidence: Evidence },
): Word | undefined {
  const judge = state.judges[index]!;
  const { chance, loss = 0.01 } = setting;
  const truth: Word = about.evidence === 'good' ? 'trusted' : 'untrusted';
  if (judge.manner === 'never' || chance.happens(judge.manner === 'unlucky' ? 10 * loss : loss)) return undefined;
  if (judge.manner === 'yes' || judge.manner === 'washer') return 'trusted';
  if (judge.manner === 'accuser') return 'untrusted';
  if (!isAttacking(state, setting, judge)) return truth;
  const isFriend = isAttacking(state, setting, state.judges[about.subject]!);
  return isFriend ? (about.evidence === 'bad' ? 'trusted' : truth) : 'untrusted';
}

function credit(judge: Judge, event: CreditEvent): void {
  judge.credit = changedCredit(judge.credit, event);
}

/** What share of the weight of all judges these have. */
export function weightShare({ judges }: Judging, manner: Manner): number {
  const weightOfAll = (some: readonly Judge[]): number => some.reduce((sum, judge) => sum + weightOf(judge.credit), 0);
  return weightOfAll(judges.filter((judge) => judge.manner === manner)) / Math.max(weightOfAll(judges), 1);
}

export function meanCredit({ judges }: Judging, manner: Manner): number {
  const own = judges.filter((judge) => judge.manner === manner);
  return own.reduce((sum, judge) => sum + judge.credit, 0) / Math.max(own.length, 1);
}
