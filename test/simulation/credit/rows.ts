/** Rows and plots on credit: what each manner of judging comes to, beside what it would without one rule. */
import { LIMITS } from '#protocol/limits.ts';
import { changedCredit, weightOf } from '../../../device/ledger/credit.ts';
import { atLeast, atMost, percent, type Effort, type Part, type Row } from '../lottery/row.ts';
import type { Colour, Plot } from '../lottery/svg-plot.ts';
import { judgeSlot, judging, meanCredit, weightShare, type Judging, type Manner, type Setting } from './judging.ts';

type Run = {
  readonly end: Judging;
  readonly shares: readonly (readonly [number, number])[];
  readonly credits: readonly (readonly [number, number])[];
};

/** @param watched whose share of the weight, and mean credit, is kept slot by slot */
function run(setting: Setting, slots: number, watched: Manner): Run {
  const state = judging(setting);
  const [shares, credits]: [[number, number][], [number, number][]] = [[], []];
  for (let slot = 1; slot <= slots; slot += 1) {
    judgeSlot(state, setting);
    shares.push([slot, weightShare(state, watched)]);
    credits.push([slot, meanCredit(state, watched)]);
  }
  return { end: state, shares, credits };
}

export function creditParts({ chances, quick, say }: Effort): Part[] {
  const slots = quick ? 150 : 500;
  const setting = (manner: Manner, count: number, more: Partial<Setting> = {}): Setting => ({
    chance: chances('credit', manner, [...(more.without ?? [])].join()),
    manners: { honest: 100 - count, [manner]: count },
    ...more,
  });
  const full = { creditAtStart: LIMITS.creditMax };
  say('honest judges');
  const unlucky = run(setting('unlucky', 20), slots, 'unlucky');
  const lossy = run(setting('unlucky', 100), slots / 5, 'unlucky');
  say('judges that say yes, nothing or no');
  const yes = run(setting('yes', 20, full), slots, 'yes');
  const yesUnseen = run(setting('yes', 20, { ...full, without: new Set(['shown-ballots', 'appeals']) }), slots, 'yes');
  const never = run(setting('never', 20, full), slots, 'never');
  const accusers = run(setting('accuser', 20, full), slots, 'accuser');
  const accusersUnseen = run(setting('accuser', 20, { ...full, without: new Set(['appeals']) }), slots, 'accuser');
  say('groups');
  const attackFrom = Math.floor(slots / 2);
  const burners = run(setting('burner', 20, { attackFrom }), slots, 'burner');
  const colluders = run(setting('colluder', 30, full), slots, 'colluder');
  const washers = run(setting('washer', 20, full), slots, 'washer');
  return [
    {
      rows: [
        unluckyRow(unlucky),
        verdictRow(lossy),
        outRow('judges that always say yes, 20 of 100, until they weigh ≤ 1 %', yes, { target: 10, beside: yesUnseen }),
        outRow('judges that always accuse, 20 of 100, until they weigh ≤ 1 %', accusers, { target: 20, beside: accusersUnseen }),
        outRow('judges that never answer, 20 of 100, until they weigh ≤ 1 %', never, { target: 30 }),
        outRow('slow burn: 20 of 100 honest at first, then lying, until they weigh ≤ 1 %', burners, { target: 20, from: attackFrom }),
        capturedRow('slow burn: false verdicts of drawn judges', burners, 0.002),
        outRow('collusion: 30 of 100, until they weigh ≤ 1 %', colluders, { target: 40 }),
        capturedRow('collusion: false verdicts of drawn judges, while it lasts', run(setting('colluder', 30, full), 20, 'colluder'), 0.035),
        washingRow(),
        washedRow(washers),
      ],
      plots: {
        credit: plotOf(
          'Mean credit of judges, by manner',
          'all begin with 1000, the unlucky with 256; 100 judges',
          'credit',
          LIMITS.creditMax,
          slots,
          [
            ['unlucky: a tenth lost', unlucky.credits, 'blue'],
            ['never answers', never.credits, 'grey'],
            ['always yes', yes.credits, 'orange'],
            ['always accuses', accusers.credits, 'purple'],
            ['slow burn', burners.credits, 'green'],
          ],
        ),
        weight: plotOf('Share of the weight of all judges', '20 of 100 judges, colluders 30', 'share', 0.4, slots, [
          ['always yes', yes.shares, 'orange'],
          ['always yes, no ballots shown', yesUnseen.shares, 'grey'],
          ['always accuses', accusers.shares, 'purple'],
          ['slow burn', burners.shares, 'green'],
          ['collusion, 30', colluders.shares, 'blue'],
        ]),
      },
    },
  ];
}

function unluckyRow({ end }: Run): Row {
  const ratio = meanCredit(end, 'unlucky') / meanCredit(end, 'honest');
  const least = Math.min(...end.judges.filter(({ manner }) => manner === 'unlucky').map((judge) => weightOf(judge.credit)));
  return {
    metric: 'honest judges that lose 10 % of their words: credit beside others',
    ours: ratio,
    oursText: `${percent(ratio, 1)}, least weight ${least}`,
    target: atLeast(Math.min(ratio, least / 4), 0.97, '97 %, weight 4'),
  };
}

function verdictRow({ end: { counts } }: Run): Row {
  const lacking = 1 - counts.verdicts / counts.subjects;
  return {
    metric: 'slots without a verdict where all lose 10 % of their words',
    ours: lacking,
    oursText: percent(lacking),
    target: atMost(lacking, 0.05, '5 %'),
    note: 'a slot without a verdict takes nothing: trust lasts several',
  };
}

/** How soon they are out, and what they weigh from then on: who is out comes back by good evidence of its own, for a slot. */
function outRow(metric: string, { shares }: Run, { target, from = 0, beside }: { target: number; from?: number; beside?: Run }): Row {
  const out = shares.find(([slot, share]) => slot > from && share <= 0.01)?.[0] ?? Infinity;
  const later = mean(shares.filter(([slot]) => slot > out).map(([, share]) => share));
  const { text, isMet } = atMost(out - from, target, `${target} slots, then 1 %`);
  return {
    metric,
    ours: out - from,
    oursText: `${out - from} slots, then ${percent(later)}`,
    target: { text, isMet: isMet && later <= 0.01 },
    ...(beside && { beside: `unseen: ${percent(beside.shares.at(-1)?.[1] ?? 0, 0)} at the end` }),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}

function capturedRow(metric: string, { end: { counts } }: Run, most: number): Row {
  const share = counts.captured / Math.max(counts.verdicts, 1);
  return { metric, ours: share, oursText: percent(share, 3), target: atMost(share, most, percent(most, 1)), note: 'all seats undo each' };
}

function washingRow(): Row {
  const wait = (credit: number): number => {
    let slots = 0;
    for (let now = credit; now < LIMITS.creditToJudge; now = changedCredit(now, 'own-evidence')) slots += 1;
    return slots;
  };
  const gained = wait(changedCredit(LIMITS.creditToJudge, 'wrong')) - wait(0);
  return {
    metric: 'whitewashing: slots that a new chip is drawn sooner than one that lied',
    ours: gained,
    oursText: `${gained} slots`,
    target: atMost(gained, 0, '0'),
    note: `a new chip waits ${wait(0)} slots`,
  };
}

function washedRow({ shares }: Run): Row {
  const share = mean(shares.slice(shares.length >> 2).map(([, one]) => one));
  return {
    metric: 'whitewashing: 20 of 100 that lie, each with a new chip whenever it is out: share of the weight',
    ours: share,
    oursText: percent(share),
    target: atMost(share, 0.01, '1 %'),
  };
}

function plotOf(
  title: string,
  subtitle: string,
  label: string,
  max: number,
  slots: number,
  lines: readonly (readonly [string, Run['shares'], Colour])[],
): Plot {
  const ticks = (most: number): number[] => Array.from({ length: 6 }, (_, index) => (most * index) / 5);
  return {
    title,
    subtitle,
    x: { label: 'slots', min: 0, max: slots, ticks: ticks(slots) },
    y: { label, min: 0, max, ticks: ticks(max) },
    series: lines.map(([name, points, colour]) => ({ name, points, style: 'line' as const, colour })),
  };
}
