/** The lottery's model against the production's rules, and the rules that its statistics must show. Specification §11.5, §12. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { emptyGathering, gather, genesisSeed, nextSeed } from '#protocol/chain/epoch-seed.ts';
import { drawAlpha, waitMsOf } from '#protocol/chain/elapsed-draw.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { anchorOf, toleranceOf } from '../../device/consensus/due.ts';
import { backedBlock } from '../../device/consensus/endorsing.ts';
import type { ChainArchive } from '../../device/consensus/events.ts';
import { isBetter } from '../../device/consensus/fork-choice.ts';
import type { Finality } from '../../device/consensus/state.ts';
import { growTree, plantTree, type TakenBlock } from '../../device/consensus/tree.ts';
import { chancesOf } from './chance.ts';
import { modelDraw, modelOutput, productionDraw } from './lottery/distribution.ts';
import { lotteryParts } from './lottery/main.ts';
import { blockOf, type RaceBlock } from './lottery/race-block.ts';
import { RaceEndorsements } from './lottery/race-endorsements.ts';
import { dueOf, prefers } from './lottery/race-rules.ts';
import { staleFormula, usualRace } from './lottery/race-rows.ts';
import type { Row } from './lottery/row.ts';
import { bootstrapS, localMeanS, populationEstimate, simulatorUniform } from './lottery/sawtooth.ts';
import { expectedWins, inverseNormal, privateTreeSpeed, seedChoices } from './lottery/seed-attacks.ts';
import { svgOf } from './lottery/svg-plot.ts';

const parts = lotteryParts({ chances: chancesOf(1), quick: true, say: () => undefined });
const rows = parts.flatMap((part) => part.rows);

type HalfFigures = Readonly<Record<'forking' | 'forkingThen', readonly { readonly forged: number; readonly share: number }[]>>;

function rowOf(metric: string): Row {
  const row = rows.find((one) => one.metric.startsWith(metric));
  assert.ok(row, `there is no row ${metric}`);
  return row;
}

test('the model draws what the production draws (§12.2)', () => {
  for (let index = 0; index < 2_000; index += 1) {
    const output = modelOutput('both', index, 0);
    assert.ok(Math.abs(productionDraw(output) - modelDraw(output)) < 2 ** -33, `draw ${index}`);
  }
});

test('the model and the production name the same winner of every height (§12.2)', () => {
  const parameters = { targetIntervalMs: 20_000, minimumWaitMs: 500 };
  const first = (waits: readonly number[]): number => waits.indexOf(Math.min(...waits));
  for (let height = 0; height < 60; height += 1) {
    const outputs = Array.from({ length: 20 }, (_, member) => modelOutput('winner', member, height));
    assert.equal(
      first(outputs.map((output) => waitMsOf(output, 20, parameters))),
      first(outputs.map((output) => 500 + 400_000 * modelDraw(output))),
    );
  }
});

/** A block as the production has it, with the times that one node of the model noted. */
function takenOf(block: RaceBlock, node: number): TakenBlock {
  return {
    key: `${block.leader}`,
    parent: `${block.parent?.leader ?? ''}`,
    position: { height: block.height } as TakenBlock['position'],
    block: undefined,
    waitMs: block.waitMs,
    ...{ seenMs: block.seenMs[node] ?? 0, earliestMs: block.earliestMs[node] ?? 0, anchorMs: block.anchors[node] ?? 0 },
  };
}

test('the model holds blocks as the production does (§12.4)', () => {
  const chance = chancesOf(2)('holds');
  for (let index = 0; index < 500; index += 1) {
    const [parentAnchorMs, waitMs, seenMs] = [chance.below(1_000), chance.below(1_000), chance.below(3_000)];
    for (const fromMs of [seenMs, Math.min(seenMs, chance.below(3_000))]) {
      const model = dueOf(parentAnchorMs, waitMs, fromMs, toleranceOf(1_000));
      assert.equal(model.earliestMs, parentAnchorMs + waitMs);
      assert.equal(model.anchorMs, anchorOf(model.earliestMs, fromMs, toleranceOf(1_000)));
    }
  }
});

test('the model chooses among blocks as the production does (§12.7)', () => {
  const chance = chancesOf(3)('forks');
  const lead = (leader: number): RaceBlock => blockOf(undefined, { leader, waitMs: chance.below(50), madeMs: 0, isForged: false }, 1);
  const roots = [lead(1), lead(2)];
  for (let index = 0; index < 2_000; index += 1) {
    const [head, block] = [3, 4].map((leader) => {
      const made = blockOf(chance.pick(roots), { leader, waitMs: chance.below(50), madeMs: 0, isForged: false }, 1);
      const above = chance.happens(0.3)
        ? blockOf(made, { leader: leader + 2, waitMs: chance.below(50), madeMs: 0, isForged: false }, 1)
        : made;
      [above.seenMs[0], above.earliestMs[0]] = [chance.below(100), chance.below(100)];
      return above;
    });
    assert.ok(head && block);
    // At the very moment the production says yes and the model no: it has no measure in continuous time.
    if (block.seenMs[0] === (head.earliestMs[0] ?? 0) + 5) continue;
    assert.equal(prefers(block, head, 0, 5), isBetter(takenOf(block, 0), takenOf(head, 0), 5));
  }
});

test('the model counts endorsements as the production does (§12.8)', () => {
  const chance = chancesOf(7)('endorsements');
  for (let repeat = 0; repeat < 60; repeat += 1) {
    const voters = 7;
    const root = blockOf(undefined, { leader: 0, waitMs: 0, madeMs: 0, isForged: false }, 1);
    const blocks = [root];
    for (let leader = 1; leader < 14; leader += 1)
      blocks.push(blockOf(chance.pick(blocks.slice(-3)), { leader, waitMs: 1, madeMs: 0, isForged: false }, 1));
    const model = new RaceEndorsements(root, voters, 0);
    const plain = { sinceNumber: 0, ownHeight: 0, contradicted: new Set<string>(), said: new Map<string, Map<number, string>>() };
    const tree = plantTree(takenOf(root, 0), {} as ChainArchive);
    for (const block of blocks.slice(1)) growTree(tree, takenOf(block, 0));
    const weights = new Map(Array.from({ length: voters }, (_, node) => [`${node}`, 1]));
    const finality = { decision: { setup: { voters: { weights, total: voters } } }, last: { number: 0 } } as unknown as Finality;
    for (let said = 0; said < 30; said += 1) {
      const [node, block] = [chance.below(voters), chance.pick(blocks.slice(1))];
      const before = plain.said.get(`${node}`) ?? new Map<number, string>();
      if (block.height <= Math.max(0, ...before.keys())) continue;
      plain.said.set(`${node}`, before.set(block.height, `${block.leader}`));
      model.endorse(node, block);
      const half = blocks.slice(1).filter((one) => model.hasHalf(one));
      const highest = half.reduce<RaceBlock | undefined>((one, other) => (one && one.height > other.height ? one : other), undefined);
      assert.equal(backedBlock({ tree, endorsements: plain, finality })?.key, highest && `${highest.leader}`);
    }
  }
});

test('what a group withholds changes the seed two epochs later by the production functions as well (§12.1)', () => {
  const [members, heights, group] = [10, 24, 4];
  const network = blobDigest(new TextEncoder().encode('a network'));
  const outputOf = (seed: Uint8Array, member: number, height: number): Uint8Array =>
    modelOutput(hex(drawAlpha(network, seed, height)), member, height);
  const orderAt = (seed: Uint8Array, height: number): number[] => {
    const waits = Array.from({ length: members }, (_, member) =>
      waitMsOf(outputOf(seed, member, height), members, { targetIntervalMs: 1_000, minimumWaitMs: 0 }),
    );
    return waits.map((_, member) => member).sort((left, right) => (waits[left] ?? 0) - (waits[right] ?? 0));
  };
  const winsUnder = (seed: Uint8Array): number =>
    Array.from({ length: heights }, (_, height) => orderAt(seed, 2 * heights + height)[0] ?? 0).filter((member) => member < group).length;
  let [plain, chosen] = [0, 0];
  for (let network = 0; network < 40; network += 1) {
    const seed = genesisSeed(blobDigest(Uint8Array.of(network)), []);
    const leaders = Array.from({ length: heights }, (_, height) => orderAt(seed, height));
    const gathered = leaders
      .slice(0, -1)
      .reduce((sum, order, height) => gather(sum, outputOf(seed, order[0] ?? 0, height)), emptyGathering);
    const last = leaders.at(-1) ?? [];
    const honestFrom = last.findIndex((member) => member >= group);
    const choices = last
      .slice(0, honestFrom + 1)
      .map((member) => winsUnder(nextSeed(seed, gather(gathered, outputOf(seed, member, heights - 1)))));
    plain += choices[0] ?? 0;
    chosen += Math.max(...choices);
  }
  // 0.4 of the epochs end with the group's block; then it has two or more binomial draws to choose from.
  assert.ok(chosen > plain, 'withholding is worth nothing, so the model measures nothing');
  assert.ok(chosen - plain < 40 * 4, `withholding is worth ${(chosen - plain) / 40} of ${heights} blocks`);
});

test('a group of nobody has no choice, and choices grow with the group (§12.1)', () => {
  const chance = chancesOf(4)('choices');
  assert.deepEqual(seedChoices(0, 100, chance), [1]);
  const mean = (share: number): number =>
    Array.from({ length: 4_000 }, () => seedChoices(share, 100, chance).length - 1).reduce((sum, one) => sum + one / 4_000, 0);
  assert.ok(Math.abs(mean(0.3) - 0.3 / 0.7) < 0.06);
  assert.ok(expectedWins(0.3, 1_000).mean === 300);
  assert.ok(Math.abs(inverseNormal(0.975) - 1.96) < 0.001);
});

test("Sawtooth's rules give the figures that its sources give", () => {
  assert.equal(localMeanS(0, 10), 20);
  assert.equal(localMeanS(50, 10), 200);
  assert.ok(Math.abs(bootstrapS(3, 50) / 3_600 - 4.6) < 0.1);
  assert.ok(Math.abs(bootstrapS(1, 50) / 3_600 - 13.7) < 0.1);
  assert.equal(populationEstimate(Array.from({ length: 60 }, () => ({ localMean: 200, duration: 21 }))), 10);
  const chance = chancesOf(5)('signatures');
  const leading = new Set(Array.from({ length: 4_000 }, () => Math.floor(simulatorUniform(chance.bytes(64)) * 256)));
  assert.deepEqual([leading.size, Math.min(...leading), Math.max(...leading)], [64, 26, 253]);
});

test('draws follow the exponential law, and near-ties are as rare as it says (§12.2)', () => {
  assert.ok(rowOf('distance of').target?.isMet);
  assert.ok(rowOf('near-ties').ours < 0.06);
});

test('stale blocks follow the formula (§12.7)', () => {
  const figures = parts.flatMap(({ figures: some }) =>
    some?.['stale'] === undefined ? [] : [some['stale'] as { ratio: number; measured: number }[]],
  )[0];
  for (const { ratio, measured } of figures ?? []) {
    const law = staleFormula(ratio, 100);
    // 1,500 heights: four deviations of the sample; the formula's own error at short intervals is 15 % of it.
    assert.ok(Math.abs(measured - law) < 4 * Math.sqrt(law / 1_500) + 0.15 * law, `T = ${ratio} d: ${measured} for ${law}`);
  }
  assert.equal(figures?.length, 6);
});

test('no finalised block is reverted, and no block of an honest member is refused (§13.4, §12.4)', () => {
  assert.equal(rowOf('finalised blocks reverted').ours, 0);
  assert.equal(rowOf('blocks of honest members refused').ours, 0);
});

test('one forged chip of fifty gains at most its tolerance (§12.4)', () => {
  // 4,000 heights: 80 wins, of which the trick wins four; three deviations of those are six.
  assert.ok(rowOf('share of blocks of one forged chip').ours <= 0.02 + 10 / 4_000);
});

test('forty-eight members of a hundred do not have half of the blocks by any trick (§12.4, §12.1, §12.8)', () => {
  for (const trick of ['forging, clocks, seeds', 'private chain', 'every trick'])
    assert.ok(rowOf(`members of 100 for half the blocks: ${trick}`).target?.isMet, trick);
});

test('without endorsements 48 of 100 that fork have more than half, and 36 have not (§12.8)', () => {
  const figures = parts.flatMap(({ figures: some }) => (some?.['half'] === undefined ? [] : [some['half'] as HalfFigures]))[0];
  const halves = (groups: HalfFigures['forking'] = []): string[] => groups.map(({ forged, share }) => `${forged} ${share > 0.5}`);
  assert.deepEqual(halves(figures?.forkingThen), ['36 false', '48 true']);
  assert.deepEqual(halves(figures?.forking), ['42 false', '48 false']);
});

test('the race counts late blocks from when they were seen, as the production does, and not from their dates (§12.4)', () => {
  assert.equal(usualRace.dated, false);
});

test('no target is missed', () => {
  assert.deepEqual(
    rows.filter(({ target }) => target?.isMet === false).map(({ metric }) => metric),
    [],
  );
});

test('withholding at the end of an epoch is worth less than one block in a hundred (§12.1)', () => {
  assert.ok(rowOf('share gained by 45 %').target?.isMet);
});

test('a private tree of forks is as fast as one chain; with a seed for each block it would be twice as fast (§12.1)', () => {
  assert.ok(rowOf('pace of a private tree').target?.isMet);
  const speed = privateTreeSpeed(60, 300, chancesOf(6)('tree'));
  assert.ok(speed > 2 && speed < Math.E, `${speed}`);
});

test('a key that was chosen among many wins no more under a later seed (§11.5)', () => {
  assert.ok(rowOf('wins over the fair share').target?.isMet);
});

test('honest winners are not refused, and reported with at most the stated probability (§12.5)', () => {
  assert.equal(rowOf('honest winners refused').ours, 0);
  assert.ok(rowOf('honest members ever reported').target?.isMet);
});

test('plots are well-formed and stay inside their frame', () => {
  const plots = parts.flatMap((part) => Object.entries(part.plots));
  assert.deepEqual(plots.map(([name]) => name).sort(), ['draws', 'false-alarms', 'share', 'stale', 'withholding']);
  for (const [name, plot] of plots) {
    const svg = svgOf(plot);
    assert.ok(!/NaN|undefined|Infinity/.test(svg), `${name} has a number that is none`);
    assert.equal(svg.match(/<text/g)?.length, svg.match(/<\/text>/g)?.length);
    for (const { name: line, points } of plot.series) assert.ok(points.length > 1, `${name}: ${line} is empty`);
    for (const [, y] of plot.series.flatMap(({ points }) => points))
      assert.ok(y >= plot.y.min && y <= plot.y.max, `${name}: ${y} is off the axis`);
  }
});
