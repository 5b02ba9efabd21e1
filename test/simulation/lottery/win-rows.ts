/** Rows on whom the statistics accuse: honest members, and one that wins twice its share. */
import { judgeWins, noteWin, noWins } from '../../../device/chain/win-statistics.ts';
import type { Chance } from '../chance.ts';
import { orderOf } from './distribution.ts';
import { atMost, percent, type Effort, type Part, type Row } from './row.ts';
import { runZTest } from './sawtooth.ts';
import type { Plot } from './svg-plot.ts';

const falseAlarm = 0.01;
const nodes = 50;

interface Accused {
  /** Members reported at least once, by height, in the mean of the runs, as a share of all. */
  readonly ours: readonly number[];
  readonly zTest: readonly number[];
}

export function winPart(effort: Effort): Part {
  effort.say('honest winners');
  const refusals = [3, 5, 10, 20, 50, 100].map((count) => ({ count, share: refusedShare(effort, count) }));
  const accused = accusedOver(effort, effort.quick ? 600 : 3_000, effort.quick ? 2 : 8);
  effort.say('a member that wins twice its share');
  const delay = medianDelay(effort);
  const last = { ours: accused.ours.at(-1) ?? NaN, zTest: accused.zTest.at(-1) ?? NaN };
  const rows: Row[] = [
    {
      metric: 'honest winners refused',
      ours: 0,
      oursText: '0 % (no rule refuses a winner)',
      target: atMost(0, 0.001, '0.1 %'),
      beside: `Sawtooth's z-test ${refusals.map(({ count, share }) => `${percent(share, 1)} at N = ${count}`).join(', ')}`,
    },
    {
      metric: `honest members ever reported in ${accused.ours.length} heights, N = ${nodes}`,
      ours: last.ours,
      oursText: percent(last.ours),
      target: atMost(last.ours, falseAlarm, `${percent(falseAlarm, 0)}, over any time`),
      beside: `Sawtooth's z-test refuses ${percent(last.zTest, 0)} of them at least once`,
    },
    {
      metric: `heights until a member with twice its share is reported, N = ${nodes}`,
      ours: delay,
      oursText: `${delay} (median)`,
      beside: 'Sawtooth’s z-test does not name it, and lets it go on',
    },
  ];
  return { rows, plots: { 'false-alarms': accusedPlot(accused) }, figures: { refusals, accused: last, delay } };
}

function refusedShare({ chances, quick }: Effort, count: number): number {
  const chance = chances('winners', count);
  const { refused, tries } = runZTest({ nodes: count, forged: 0, heights: quick ? 500 : 2_000, orderAt: () => orderOf(chance, count) });
  return refused / tries;
}

/** The same orders of waits for both. */
function accusedOver({ chances }: Effort, heights: number, runs: number): Accused {
  const ours = new Array<number>(heights).fill(0);
  const zTest = new Array<number>(heights).fill(0);
  for (let run = 0; run < runs; run += 1) {
    const chance = chances('accused', run);
    const orders = Array.from({ length: heights }, () => orderOf(chance, nodes));
    const theirs = runZTest({ nodes, forged: 0, heights, orderAt: (height) => orders[height] ?? [] }).accusedBy;
    const reported = reportedBy(orders.map((order) => order[0] ?? 0));
    for (let height = 0; height < heights; height += 1) {
      ours[height] = (ours[height] ?? 0) + (reported[height] ?? 0) / nodes / runs;
      zTest[height] = (zTest[height] ?? 0) + (theirs[height] ?? 0) / nodes / runs;
    }
  }
  return { ours, zTest };
}

function reportedBy(winners: readonly number[]): number[] {
  const seats = Array.from({ length: nodes }, (_, node) => `${node}`);
  const reported = new Set<string>();
  let statistics = noWins;
  return winners.map((winner) => {
    statistics = noteWin(statistics, { winner: `${winner}`, seats });
    for (const [member, tally] of statistics.members) if (judgeWins(tally, falseAlarm).verdict === 'too-many') reported.add(member);
    return reported.size;
  });
}

function medianDelay({ chances, quick }: Effort): number {
  const delays = Array.from({ length: quick ? 5 : 31 }, (_, run) => delayOf(chances('cheat', run))).sort((left, right) => left - right);
  return delays[delays.length >> 1] ?? NaN;
}

function delayOf(chance: Chance): number {
  const seats = Array.from({ length: nodes }, (_, node) => `${node}`);
  const watched = new Map([['cheat', new Set(['0'])]]);
  let statistics = noWins;
  for (let height = 1; height <= 20_000; height += 1) {
    const winner = chance.happens(2 / nodes) ? '0' : '1';
    statistics = { ...noteWin(statistics, { winner, seats }, watched), members: new Map() };
    const tally = statistics.groups.get('cheat');
    if (tally && judgeWins(tally, falseAlarm).verdict === 'too-many') return height;
  }
  return Infinity;
}

function accusedPlot({ ours, zTest }: Accused): Plot {
  const thinned = (line: readonly number[]): [number, number][] =>
    line.flatMap((share, height): [number, number][] => (height % 10 === 0 || height === line.length - 1 ? [[height, share * 100]] : []));
  const heights = ours.length;
  return {
    title: 'Honest members under suspicion',
    subtitle: `${nodes} honest members; the same draws; the e-process may be looked at after every block`,
    x: { label: 'heights', min: 0, max: heights, ticks: [0, 1, 2, 3, 4, 5, 6].map((part) => Math.round((part * heights) / 6)) },
    y: { label: 'members accused at least once, %', min: 0, max: 100, ticks: [0, 20, 40, 60, 80, 100] },
    series: [
      {
        name: `Capstan: win statistics at ${percent(falseAlarm, 0)} (reported): ${percent(ours.at(-1) ?? NaN, 1)}`,
        points: thinned(ours),
        style: 'line',
        colour: 'blue',
      },
      { name: `Sawtooth's z-test (refused): ${percent(zTest.at(-1) ?? NaN, 1)}`, points: thinned(zTest), style: 'line', colour: 'orange' },
    ],
  };
}
