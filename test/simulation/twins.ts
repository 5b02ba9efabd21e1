/**
 * Small worlds in which some members run on two machines at once, and who hears whom is drawn anew for each moment: double
 * blocks, double votes and forgotten locks by nothing but honest programs. Twins: Bano and others, OPODIS 2021.
 */
import { chancesOf } from './chance.ts';
import { runSeed, type Outcome } from './run-seed.ts';
import { faultyMax, scenarioOf, type Behaviour, type Scenario } from './scenario.ts';
import type { VoteScenario } from './vote-world.ts';
import type { World } from './world.ts';

const heights = 10;

export function voteScenarioOf(seed: number): VoteScenario {
  const chance = chancesOf(seed)('vote scenario');
  return { seed, voters: chance.pick([4, 4, 7]), faulty: chance.pick(['twins', 'mutating']), moments: 5 + chance.below(25) };
}

/** At most f members run twice. */
export function twinScenario(seed: number): Scenario {
  const chance = chancesOf(seed)('twin scenario');
  const members = chance.pick([4, 4, 7]);
  const twins = 1 + chance.below(faultyMax(members));
  const cheats = new Map(Array.from({ length: twins }, (_, index) => [index, ['twins'] as readonly Behaviour[]]));
  const scenario = scenarioOf(seed, { members, cheats, heights, promised: 'agreement-and-progress', signatures: 'pretended' });
  return { ...scenario, joiners: 0, leavers: 0, targetIntervalMs: 2_000, faultsEndMs: heights * 2_000, faults: new Set() };
}

/** The links between groups are cut and mended all the time. */
export function runTwins(seed: number): Outcome {
  const scenario = twinScenario(seed);
  return runSeed(scenario, { disturb: playMoments });
}

function playMoments(world: World): void {
  const { queue, chances, scenario, links, hosts } = world;
  const chance = chances('moments');
  const next = (): void => {
    if (queue.nowMs >= scenario.faultsEndMs) return;
    const group = hosts.map(() => chance.below(3));
    for (const from of hosts.keys()) {
      for (const to of hosts.keys()) {
        const apart = group[from] !== group[to];
        if (apart) links.cut(from, to);
        else links.mend(from, to);
      }
    }
    queue.after(chance.exponential(scenario.targetIntervalMs / 2), next);
  };
  next();
}
