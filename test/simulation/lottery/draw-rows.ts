/** Rows on the draws themselves: their law, near-ties, and how soon there is a first block. */
import type { Chance } from '../chance.ts';
import { criticalDistance, distanceFromExponential, modelOutput, nearTieShare, productionDraw } from './distribution.ts';
import { atMost, percent, type Effort, type Part, type Row } from './row.ts';
import { bootstrapS, simulatorUniform } from './sawtooth.ts';
import type { Plot, Series } from './svg-plot.ts';

const drawsCount = 20_000;

export function drawPart({ chances, quick, say }: Effort): Part {
  say('draws');
  const count = quick ? 5_000 : drawsCount;
  const ours = Array.from({ length: count }, (_, index) => productionDraw(modelOutput('law of the draws', index % 100, index)));
  const theirs = sawtoothDraws(count, chances('sawtooth signatures'));
  return {
    rows: [lawRow(ours, theirs), tieRow(chances, quick), firstBlockRow()],
    plots: { draws: lawPlot(ours, theirs) },
  };
}

function sawtoothDraws(count: number, chance: Chance): number[] {
  return Array.from({ length: count }, () => sawtoothDraw(chance));
}

function sawtoothDraw(chance: Chance): number {
  return -Math.log(simulatorUniform(chance.bytes(64)));
}

function lawRow(ours: readonly number[], theirs: readonly number[]): Row {
  const [distance, critical] = [distanceFromExponential(ours), criticalDistance(ours.length)];
  return {
    metric: `distance of ${ours.length} draws from Exp(1) (KS)`,
    ours: distance,
    oursText: distance.toFixed(4),
    target: atMost(distance, critical, `${critical.toFixed(4)} (1 %)`),
    beside: `Sawtooth's simulator ${distanceFromExponential(theirs).toFixed(3)}`,
    note: 'ours by protocol/chain/elapsed-draw.ts',
  };
}

function tieRow(chances: Effort['chances'], quick: boolean): Row {
  const rounds = quick ? 4_000 : 40_000;
  const [honest, biased] = [chances('near-ties'), chances('near-ties of sawtooth')];
  const share = nearTieShare(100, rounds, () => honest.exponential(1));
  const theirs = nearTieShare(100, rounds >> 2, () => sawtoothDraw(biased));
  return {
    metric: 'near-ties: second within 5 % of the mean gap, N = 100',
    ours: share,
    oursText: percent(share),
    target: atMost(share, 0.055, '5.5 %'),
    beside: `Sawtooth's simulator ${percent(theirs, 1)}; law 4.88 %`,
  };
}

/** The shortest of n waits with mean T·n has mean T, so the pace is there from the first block. */
function firstBlockRow(): Row {
  const [targetS, minimumS] = [1, 0.2];
  const late = minimumS - targetS * Math.log(0.001);
  return {
    metric: 'first block, 3 nodes, T = 1 s: all but one in 1,000',
    ours: late,
    oursText: `${late.toFixed(1)} s, mean ${(minimumS + targetS).toFixed(1)} s`,
    target: atMost(late, 10, '10 s'),
    beside: `Sawtooth: 50 blocks of bootstrap ${(bootstrapS(3, 50) / 3_600).toFixed(1)} h; ours ${(50 * (minimumS + targetS)).toFixed(0)} s`,
    note: 'computed; at T = 20 s the mean of the first block is 20 s',
  };
}

function lawPlot(ours: readonly number[], theirs: readonly number[]): Plot {
  const law = Array.from({ length: 101 }, (_, index) => [index / 20, Math.exp(-index / 20)] as const);
  return {
    title: 'Waits over their mean: density',
    subtitle: `${ours.length} draws by the production's integer logarithm; Sawtooth's simulator reads hexadecimal as base64`,
    x: { label: 'wait / mean', min: 0, max: 5, ticks: [0, 1, 2, 3, 4, 5] },
    y: { label: 'density', min: 0, max: 1.25, ticks: [0, 0.25, 0.5, 0.75, 1, 1.25], tickText: (value) => value.toFixed(2) },
    series: [
      histogram('Capstan', ours, 'blue'),
      histogram("Sawtooth's simulator", theirs, 'orange'),
      { name: 'Exp(1)', points: law, style: 'dashed', colour: 'grey' },
    ],
  };
}

function histogram(name: string, draws: readonly number[], colour: Series['colour']): Series {
  const [width, bins] = [0.25, 20];
  const counts = new Array<number>(bins).fill(0);
  for (const draw of draws) if (draw < bins * width) counts[Math.floor(draw / width)] = (counts[Math.floor(draw / width)] ?? 0) + 1;
  const points = counts.map((count, bin) => [(bin + 1) * width, count / draws.length / width] as const);
  return { name, points: [[0, points[0]?.[1] ?? 0], ...points], style: 'steps', colour };
}
