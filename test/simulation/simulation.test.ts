/** Seeds of the simulation that are kept, and some others, at every `npm test`. `npm run simulate -- --seeds N` runs more. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { faultyMax, FAULTS, scenarioOf } from './scenario.ts';
import { runSeed } from './run-seed.ts';
import { enumeratedTwins, twinsOf } from './adversary/enumerated-twins.ts';
import { runMutations } from './adversary/mutated-messages.ts';
import { runTwins, voteScenarioOf } from './twins.ts';
import { runVotes } from './vote-world.ts';

const corpus = JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')) as {
  seed: number;
  /** Where a shorter run shows it. */
  heights?: number;
  kept: string;
}[];
const others = [51, 52, 53, 54];
/** Shorter than what the command runs. */
const heights = 20;

function brokenBy(seed: number, length?: number): string {
  const { broken } = runSeed(scenarioOf(seed, length === undefined ? {} : { heights: length }));
  return broken?.detail ?? '';
}

describe('a kept seed breaks no rule', () => {
  for (const { seed, heights: length, kept } of corpus) test(`${seed}: ${kept}`, () => assert.equal(brokenBy(seed, length), ''));
});

describe('a seed breaks no rule', () => {
  for (const seed of others) test(String(seed), () => assert.equal(brokenBy(seed, heights), ''));
});

test('a seed has the same transcript each time', () => {
  const [first, second] = [runSeed(scenarioOf(43, { heights })), runSeed(scenarioOf(43, { heights }))];
  assert.equal(first.digest, second.digest);
  assert.ok(first.figures.events > 500);
});

test('a fault that is switched off leaves what is drawn for the others as it was', () => {
  const [whole, without] = [scenarioOf(43), scenarioOf(43, { without: ['loss'] })];
  assert.deepEqual(
    { ...without, faults: [...whole.faults].filter((fault) => fault !== 'loss') },
    { ...whole, faults: [...without.faults] },
  );
});

test('twins, at most f of them, break no rule whoever hears whom (§13.5)', () => {
  const broken = Array.from({ length: 12 }, (_, seed) => runTwins(seed).broken?.detail ?? '').filter((detail) => detail !== '');
  assert.deepEqual(broken, []);
});

test('of every kind of partition in four phases some decisions with twins break no rule; each index is another (§13.5)', () => {
  const scenarios = Array.from({ length: 1_000 }, (_, index) => twinsOf(index));
  assert.deepEqual(
    scenarios.flatMap((scenario) => runVotes(scenario).broken ?? []),
    [],
  );
  const scripts = Array.from({ length: 1 << 16 }, (_, index) => JSON.stringify(twinsOf(index * (enumeratedTwins >> 16)).script));
  assert.equal(new Set(scripts).size, 1 << 16);
});

test('changed messages beside the proper ones change nothing (§14.3)', () => {
  const { outcome, bytes, signed } = runMutations(1);
  assert.equal(outcome.broken, undefined);
  assert.ok(bytes > 1_000 && signed > 10, `${bytes} with changed bytes, ${signed} signed again`);
});

test('decisions with twins, restarts and mutated ballots are one value for all, and come to an end (§13.3)', () => {
  const broken = Array.from({ length: 1_000 }, (_, seed) => ({ seed, broken: runVotes(voteScenarioOf(seed)).broken }));
  assert.deepEqual(
    broken.filter((outcome) => outcome.broken !== undefined),
    [],
  );
});

test('more than f that contradict themselves: a fork of certificates names f + 1 of them (§13.5)', () => {
  const members = 4;
  const cheats = new Map(Array.from({ length: faultyMax(members) + 1 }, (_, index) => [index, ['twins'] as const]));
  const outcomes = Array.from({ length: 6 }, (_, seed) =>
    runSeed(
      scenarioOf(seed + 1, {
        members,
        cheats,
        heights,
        promised: 'accountability',
        signatures: 'pretended',
        without: FAULTS.filter((fault) => fault !== 'partition'),
      }),
    ),
  );
  assert.deepEqual(
    outcomes.flatMap(({ broken }) => (broken ? [broken.detail] : [])),
    [],
  );
});
