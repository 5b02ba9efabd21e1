/** The test of the test: bugs planted in the core and in the machine of votes, each caught within a few seeds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DecisionState } from '../../device/votes/machine.ts';
import { twinsOf } from './adversary/enumerated-twins.ts';
import { PLANTED, type Planted } from './planted.ts';
import { runSeed } from './run-seed.ts';
import { FAULTS, scenarioOf, type Scenario } from './scenario.ts';
import { runVotes, type Plant, type VoteOutcome, type VoteScenario } from './vote-world.ts';

const seedsMax = 12;
const heights = 25;

/** A scenario of few faults: the same seed without the bug breaks nothing, so that what is caught is the bug. */
function scenarioFor(planted: Planted, seed: number): Scenario {
  const cheats = new Map(planted.cheats ?? []);
  const promised = planted.promised ?? 'agreement-and-progress';
  const without = FAULTS.filter((fault) => !planted.faults.includes(fault));
  const scenario = scenarioOf(seed, { without, members: 4, heights, cheats, promised, signatures: 'pretended' });
  return {
    ...scenario,
    faults: new Set(planted.faults),
    ...{ joiners: 0, leavers: 0, targetIntervalMs: 5_000, minimumWaitMs: 0, epochHeights: 1_000, faultsEndMs: heights * 5_000 },
    network: { ...scenario.network, lossShare: 0.3, partitionEveryMs: 30_000, partitionMeanMs: 20_000, delayMeanMs: 250 },
    ...{ crashEveryMs: 30_000, downMeanMs: 1_000 },
  };
}

describe('a bug planted in the core is caught', () => {
  for (const planted of PLANTED) {
    test(`${planted.bug}: ${planted.caughtBy.join(' or ')}`, () => {
      const seen: string[] = [];
      for (let seed = 1; seed <= seedsMax; seed += 1) {
        const { broken } = runSeed(scenarioFor(planted, seed), { core: planted.core });
        if (!broken) continue;
        seen.push(`seed ${seed}: ${broken.detail}`);
        if (planted.caughtBy.some((checker) => checker === broken.checker)) return;
      }
      assert.fail(`not caught in ${seedsMax} seeds; ${seen.length === 0 ? 'nothing was noticed' : seen.join('\n')}`);
    });
  }
});

test('without a bug none of these seeds breaks a rule', () => {
  const tried = PLANTED.map((planted) => runSeed(scenarioFor(planted, 1)));
  assert.deepEqual(
    tried.flatMap(({ broken }) => (broken ? [broken.detail] : [])),
    [],
  );
});

const votePlants: readonly { readonly bug: string; readonly caughtBy: VoteOutcome['broken']; readonly plant: Plant }[] = [
  {
    bug: 'half of the weight is a quorum',
    caughtBy: 'agreement',
    plant: { voters: ({ weights, total }) => ({ weights, total: Math.ceil((total * 3) / 4) - 1 }) },
  },
  { bug: 'ballots are counted again when they are repeated', caughtBy: 'agreement', plant: { state: forgetWhoVoted } },
  { bug: 'a restarted voter votes anew', caughtBy: 'one-ballot-a-step', plant: { kept: () => undefined } },
];

describe('a bug planted in the machine of votes is caught', () => {
  for (const { bug, caughtBy, plant } of votePlants) {
    test(`${bug}: ${caughtBy ?? ''}`, () => {
      const broken = Array.from({ length: 3_000 }, (_, seed) => seed).find((seed) => runVotes(twins(seed), plant).broken === caughtBy);
      assert.ok(broken !== undefined, 'not caught in 3,000 decisions');
    });
  }
  test('half of the weight is a quorum: agreement, by enumerated partitions', () => {
    const [{ plant, caughtBy }] = votePlants as [(typeof votePlants)[number]];
    const broken = Array.from({ length: 3_000 }, (_, index) => index).find((index) => runVotes(twinsOf(index), plant).broken === caughtBy);
    assert.ok(broken !== undefined, 'not caught in 3,000 decisions');
  });
  test('without a bug none of these decisions breaks a rule', () => {
    assert.deepEqual(
      Array.from({ length: 300 }, (_, seed) => runVotes(twins(seed)).broken).filter((broken) => broken !== undefined),
      [],
    );
  });
});

function twins(seed: number): VoteScenario {
  return { seed, voters: 4, faulty: 'twins', moments: 25 };
}

/** Of others. */
function forgetWhoVoted({ rounds, self }: DecisionState): void {
  for (const { first } of [...rounds.values()].flatMap(({ prevote, precommit }) => [prevote, precommit])) {
    for (const node of [...first.keys()]) if (node !== self) first.delete(node);
  }
}
