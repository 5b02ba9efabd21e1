/**
 * Small worlds in which some members run on two machines at once, and who hears whom is drawn anew for each moment: double
 * blocks, double votes and forgotten locks by nothing but honest programs. Twins: Bano and others, OPODIS 2021.
 */
import process from 'node:process';
import { chancesOf } from './chance.ts';
import { runSeed, type Outcome } from './run-seed.ts';
import { faultyMax, scenarioOf, type Behaviour, type Scenario } from './scenario.ts';
import { runVotes, type VoteScenario } from './vote-world.ts';
import type { World } from './world.ts';

export interface TwinsReport {
  readonly broken: boolean;
  readonly lines: readonly string[];
}

/** Decisions alone, for each world with blocks: they are so much quicker. */
const decisionsPerWorld = 50;
const heights = 10;

export function twinsReport(from: number, worlds: number, onProgress: (done: number, perSecond: number) => void): TwinsReport {
  const began = process.hrtime.bigint();
  const counts = { worlds: 0, decisions: 0, mutations: 0 };
  const failures: string[] = [];
  for (let seed = from; seed < from + worlds; seed += 1) {
    const { broken } = runTwins(seed);
    counts.worlds += 1;
    if (broken) failures.push(`world of seed ${seed}: ${broken.detail}`);
    for (let index = 0; index < decisionsPerWorld; index += 1) {
      const scenario = voteScenarioOf(seed * decisionsPerWorld + index);
      const outcome = runVotes(scenario);
      counts.decisions += 1;
      counts.mutations += outcome.mutations;
      if (outcome.broken) failures.push(`decision of seed ${scenario.seed}: ${outcome.broken}`);
    }
    if (seed % 10 === 0) onProgress(counts.worlds + counts.decisions, perSecond(began, counts.worlds + counts.decisions));
  }
  const total = counts.worlds + counts.decisions;
  return {
    broken: failures.length > 0,
    lines: [
      `${counts.worlds} worlds with twins, ${counts.decisions} decisions with twins or mutated ballots (${counts.mutations}), ${perSecond(began, total).toFixed(0)} scenarios a second`,
      `${failures.length} broke a rule`,
      ...failures.slice(0, 20),
    ],
  };
}

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

function perSecond(began: bigint, count: number): number {
  return count / (Number(process.hrtime.bigint() - began) / 1e9);
}
