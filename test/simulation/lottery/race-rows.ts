/** Rows from the modelled race: stale blocks, what forged chips gain, and how many of them have more than half of the blocks. */
import { endorsedAfterOf, toleranceOf } from '../../../device/consensus/due.ts';
import { runRace } from './race.ts';
import type { RaceOutcome, RaceSettings, Trick } from './race-settings.ts';
import { orderOf } from './distribution.ts';
import { atLeast, atMost, percent, type Effort, type Part, type Row } from './row.ts';
import { runZTest } from './sawtooth.ts';
import { withholdingShare } from './seed-attacks.ts';
import type { Plot, Series } from './svg-plot.ts';

/** T = 20 s, and a hundredth of it to send and judge a block. */
export const usualRace: RaceSettings = {
  ...{ nodes: 100, forged: 0, trick: 'honest', heights: 10_000 },
  ...{ targetIntervalMs: 20_000, minimumWaitMs: 0, delayMs: 200, certifyMs: 0 },
  ...{
    held: true,
    toleranceShare: toleranceShareOf(20_000),
    dated: false,
    goesOn: false,
    endorsedAfterShare: endorsedAfterOf(20_000) / 20_000,
  },
};

const epochHeights = 1_000;

export function racePart(effort: Effort): Part {
  const stale = staleFigures(effort);
  const lone = loneFigures(effort);
  const half = halfFigures(effort);
  const shares = shareCurve(effort);
  return {
    rows: [...stale.rows, ...lone.rows, ...half.rows],
    plots: { stale: stale.plot, share: sharePlot(shares) },
    figures: { stale: stale.points, lone: lone.figures, half: half.figures, shares },
  };
}

function race({ chances }: Effort, changes: Partial<RaceSettings>, repeat = 0): RaceOutcome {
  const settings = { ...usualRace, ...changes };
  // The draws are the same for every trick of the same network, the delays too as far as the same messages are sent.
  return runRace(settings, { draws: chances('draws', settings.nodes, repeat), delays: chances('delays', settings.nodes, repeat) });
}

function meanGain(effort: Effort, changes: Partial<RaceSettings>, repeats: number): number {
  const gains = Array.from({ length: repeats }, (_, repeat) => gainOf(race(effort, changes, repeat)));
  return gains.reduce((sum, gain) => sum + gain / repeats, 0);
}

/** For comparison: the greatest height is followed, whatever members say of their heads. */
const unendorsed = { endorsedAfterShare: Infinity };

/** Wins beyond what the draws give, as a share of all blocks: the noise of the draws cancels out. */
function gainOf(outcome: RaceOutcome): number {
  return (outcome.forgedWins - outcome.forgedDrawn) / outcome.height;
}

export function staleFormula(ratio: number, nodes: number): number {
  return 1 - Math.exp((-1 / ratio) * ((nodes - 1) / nodes));
}

function staleFigures(effort: Effort): { rows: Row[]; plot: Plot; points: { ratio: number; measured: number; formula: number }[] } {
  const outcomes = [5, 10, 20, 50, 100, 200].map((ratio) => {
    effort.say(`stale blocks at T = ${ratio} d`);
    const heights = effort.quick ? 1_500 : ratio >= 100 ? 30_000 : 8_000;
    const outcome = race(effort, { heights, delayMs: usualRace.targetIntervalMs / ratio });
    return { ratio, outcome, measured: outcome.forkedHeights / outcome.height, formula: staleFormula(ratio, usualRace.nodes) };
  });
  const points = outcomes.map(({ ratio, measured, formula }) => ({ ratio, measured, formula }));
  const usual = points.find(({ ratio }) => ratio === 100) ?? { measured: NaN, formula: NaN };
  const total = (of: (outcome: RaceOutcome) => number): number => outcomes.reduce((sum, { outcome }) => sum + of(outcome), 0);
  const [reverted, finalised, refused] = [
    total((outcome) => outcome.finalisedReverted),
    total((outcome) => outcome.finalised),
    total((outcome) => outcome.honestRefused),
  ];
  const rows: Row[] = [
    {
      metric: 'heights with a stale block, N = 100, T = 100 d',
      ours: usual.measured,
      oursText: percent(usual.measured),
      target: atMost(usual.measured, 0.011, '1 % (± the sample)'),
      beside: `formula ${percent(usual.formula)}`,
    },
    {
      metric: 'finalised blocks reverted, T = 5 d to 200 d',
      ours: reverted,
      oursText: `${reverted} of ${finalised}`,
      target: atMost(reverted, 0, '0'),
      note: 'votes are modelled; the production core is tried by npm run simulate -- --seeds',
    },
    {
      metric: 'blocks of honest members refused by the rules of the race',
      ours: refused,
      oursText: `${refused}`,
      target: atMost(refused, 0, '0'),
      note: 'held until due at most, never refused',
    },
  ];
  return { rows, plot: stalePlot(points), points };
}

function stalePlot(points: readonly { ratio: number; measured: number; formula: number }[]): Plot {
  const law = Array.from({ length: 60 }, (_, index) => 4 * Math.pow(60, index / 59));
  return {
    title: 'Stale blocks',
    subtitle: 'heights with more than one block; 100 members, delays d ± 50 %',
    x: { label: 'target interval T / delay d', min: 4, max: 240, scale: 'logarithmic', ticks: [5, 10, 20, 50, 100, 200] },
    y: { label: 'stale, %', min: 0, max: 24, ticks: [0, 4, 8, 12, 16, 20, 24] },
    series: [
      { name: 'measured', points: points.map(({ ratio, measured }) => [ratio, measured * 100]), style: 'dots', colour: 'blue' },
      {
        name: '1 − exp(−(d/T)(N−1)/N)',
        points: law.map((ratio) => [ratio, staleFormula(ratio, 100) * 100]),
        style: 'dashed',
        colour: 'grey',
      },
    ],
  };
}

function loneFigures(effort: Effort): { rows: Row[]; figures: unknown } {
  const heights = effort.quick ? 4_000 : 60_000;
  const gains = (effort.quick ? (['ahead'] as const) : (['fast-clock', 'ahead', 'late', 'private'] as const)).map((trick) => {
    effort.say(`one forged chip of 50: ${trick}`);
    return { trick, gain: gainOf(race(effort, { nodes: 50, forged: 1, trick, heights })) };
  });
  const best = gains.reduce((one, other) => (other.gain > one.gain ? other : one));
  const share = 1 / 50 + best.gain;
  const order = effort.chances('order', 50);
  const blocks = 2_000;
  const theirs = runZTest({ nodes: 50, forged: 1, heights: blocks, orderAt: () => orderOf(order, 50) }).forgedWins / blocks;
  const row: Row = {
    metric: 'share of blocks of one forged chip, N = 50',
    ours: share,
    oursText: `${percent(share)} (${best.trick})`,
    target: atMost(share, 0.021, '2.1 %'),
    beside: `Sawtooth's z-test ${percent(theirs, 1)}; fair 2 %`,
    note: `fair share and wins beyond the draws; tolerance T/${Math.round(1 / usualRace.toleranceShare)}`,
  };
  return { rows: [row], figures: gains };
}

interface Group {
  readonly forged: number;
  readonly share: number;
  readonly gains: readonly { readonly trick: string; readonly gain: number }[];
}

interface Attack {
  readonly heights: number;
  readonly chosen: readonly Trick[];
  /** A chain of one's own replaces dozens of blocks at once or none: it takes many runs to see what it is worth. */
  readonly repeats: number;
  /** For comparison, other rules. */
  readonly rules?: Partial<RaceSettings>;
}

/** Wins of a group by its best trick in the race and by withholding at the ends of epochs, on top of its fair share. */
function groupOf(effort: Effort, forged: number, { heights, chosen, repeats, rules = {} }: Attack): Group {
  const gains = chosen.map((trick) => {
    effort.say(`${forged} forged chips of 100: ${trick}`);
    return { trick, gain: meanGain(effort, { ...rules, forged, trick, heights }, repeats) };
  });
  const fair = forged / usualRace.nodes;
  const seeds = withholdingShare(fair, epochHeights, effort.quick ? 2_000 : 20_000, effort.chances('withholding', forged)) - fair;
  const share = fair + Math.max(0, ...gains.map(({ gain }) => gain)) + seeds;
  return { forged, share, gains: [...gains, { trick: 'withheld seed', gain: seeds }] };
}

function halfFigures(effort: Effort): { rows: Row[]; figures: unknown } {
  const { quick } = effort;
  const all = (counts: readonly number[], attack: Attack): Group[] => counts.map((forged) => groupOf(effort, forged, attack));
  const plain = all(quick ? [48] : [48, 49], { heights: quick ? 1_500 : 10_000, chosen: ['ahead', 'late'], repeats: 1 });
  const hidden = all(quick ? [48] : [48, 49], { heights: quick ? 2_000 : 6_000, chosen: ['private'], repeats: quick ? 1 : 4 });
  const forking = all(quick ? [42, 48] : [42, 45, 48, 49], { heights: quick ? 2_000 : 6_000, chosen: ['fork'], repeats: quick ? 1 : 4 });
  const rules = unendorsed;
  const hiddenThen = quick ? [] : all([45, 46, 47, 48], { rules, heights: 6_000, chosen: ['private'], repeats: 6 });
  const forkingThen = all(quick ? [36, 48] : [37, 38, 39, 40], {
    rules,
    heights: quick ? 3_000 : 6_000,
    chosen: ['fork'],
    repeats: quick ? 2 : 4,
  });
  const dated = quick ? [] : all([35, 36, 37], { rules: { ...unendorsed, dated: true }, heights: 5_000, chosen: ['private'], repeats: 2 });
  const rows: Row[] = [
    halfRow('members of 100 for half the blocks: forging, clocks, seeds', plain, `Sawtooth's z-test ${smallestForged(effort)} %`),
    halfRow(
      'members of 100 for half the blocks: private chain, shown late',
      hidden,
      quick ? undefined : `without endorsements ${thenText(hiddenThen)}; counted from its dates as well ${thenText(dated)}`,
    ),
    halfRow('members of 100 for half the blocks: every trick, votes kept back', forking, `without endorsements ${thenText(forkingThen)}`),
  ];
  return { rows, figures: { plain, hidden, forking, hiddenThen, forkingThen, dated } };
}

function thenText(groups: readonly Group[]): string {
  return `${smallestOf(groups)} % (${sharesText(groups)})`;
}

function halfRow(metric: string, groups: readonly Group[], beside: string | undefined): Row {
  const smallest = smallestOf(groups);
  return {
    metric,
    ours: smallest / 100,
    oursText: `${smallest} %`,
    target: atLeast(smallest, 49, '49 %'),
    ...(beside === undefined ? {} : { beside }),
    note: `${sharesText(groups)}; holds while more than half of the weight is honest and hears in time`,
  };
}

/** One more than the largest that was tried, if that has not half of the blocks. */
function smallestOf(groups: readonly Group[]): number {
  return groups.find(({ share }) => share > 0.5)?.forged ?? (groups.at(-1)?.forged ?? 0) + 1;
}

function sharesText(groups: readonly Group[]): string {
  return groups.map(({ forged, share }) => `${forged} % have ${percent(share, 1)}`).join(', ');
}

function smallestForged(effort: Effort): number {
  for (let forged = 20; forged < 50; forged += 1) if (zTestShare(effort, forged) > 0.5) return forged;
  return 50;
}

function zTestShare({ chances }: Effort, forged: number): number {
  const [order, heights] = [chances('order', 100, forged), 1_000];
  return runZTest({ nodes: 100, forged, heights, orderAt: () => orderOf(order, 100) }).forgedWins / heights;
}

interface SharePoint {
  readonly forged: number;
  /** The best trick without a chain of its own, and with one. */
  readonly plain: number;
  readonly forking?: number;
  /** With a chain of its own, without endorsements. */
  readonly unendorsed?: number;
  readonly zTest: number;
}

function shareCurve(effort: Effort): SharePoint[] {
  const groups = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];
  const heights = effort.quick ? 150 : 2_000;
  const chosen: readonly Trick[] = ['private', 'fork'];
  return groups.map((forged) => {
    if (forged === 0) return { forged, plain: 0, zTest: 0, ...(effort.quick ? {} : { forking: 0, unendorsed: 0 }) };
    const plain = groupOf(effort, forged, { heights, chosen: ['ahead'], repeats: 1 }).share;
    const point = { forged, plain, zTest: zTestShare(effort, forged) };
    if (effort.quick) return point;
    const share = (attack: Attack): number => Math.max(plain, groupOf(effort, forged, attack).share);
    return {
      ...point,
      forking: share({ heights, chosen, repeats: 2 }),
      unendorsed: share({ heights, chosen, repeats: 2, rules: unendorsed }),
    };
  });
}

function sharePlot(shares: readonly SharePoint[]): Plot {
  const line = (of: (point: SharePoint) => number | undefined): [number, number][] =>
    shares.flatMap((point): [number, number][] => {
      const share = of(point);
      return share === undefined ? [] : [[point.forged, share * 100]];
    });
  const measured: Series[] = [
    { name: 'the same without endorsements', points: line((point) => point.unendorsed), style: 'line', colour: 'purple' },
    { name: 'Capstan: with chains of its own', points: line(({ forking }) => forking), style: 'line', colour: 'green' },
    { name: 'Capstan: forged certificates', points: line(({ plain }) => plain), style: 'line', colour: 'blue' },
    { name: "Sawtooth's z-test", points: line(({ zTest }) => zTest), style: 'line', colour: 'orange' },
  ];
  return {
    title: 'Blocks of a forged group, 100 members',
    subtitle: 'withheld seeds are added; from a third on a group can keep everything from being final',
    x: { label: 'forged members, %', min: 0, max: 60, ticks: [0, 10, 20, 30, 40, 50, 60] },
    y: { label: 'share of blocks, %', min: 0, max: 100, ticks: [0, 25, 50, 75, 100] },
    series: [
      ...measured.filter(({ points }) => points.length > 0),
      { name: 'fair', points: [[0, 0], [60, 60]], style: 'dashed', colour: 'grey' }, // prettier-ignore
      { name: 'half of the blocks', points: [[0, 50], [60, 50]], style: 'dashed', colour: 'grey' }, // prettier-ignore
    ],
  };
}

/** As the firmware has it. */
function toleranceShareOf(targetIntervalMs: number): number {
  return toleranceOf(targetIntervalMs) / targetIntervalMs;
}
