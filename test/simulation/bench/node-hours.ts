/** Simulated hours of members per second of processor time: the pace of the simulation, checkers and faults included. */
import type { Benchmark, Row } from '../../../scripts/bench/benchmark.ts';
import { runSeed } from '../run-seed.ts';
import { scenarioOf, type Scenario } from '../scenario.ts';

export const nodeHours: Benchmark = {
  name: 'node-hours',
  summary: 'simulated node-hours per CPU-second, pretended and real signatures',
  metric: 'simulated node-hours',
  run: ({ rounds, quick }) => {
    const seeds = quick ? 2 : 12;
    return Promise.resolve([row('pretended', rounds, seeds, 500), row('real', rounds, Math.max(1, seeds / 4), 20)]);
  },
};

/** The interval, members and faults are as the seeds draw them: that is what a run of many seeds costs. */
function row(signatures: Scenario['signatures'], rounds: number, seeds: number, least: number): Row {
  const ours: number[] = [];
  const failed: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    let hours = 0;
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { figures, broken } = runSeed(scenarioOf(round * seeds + seed, { signatures }));
      if (broken) failed.push(round * seeds + seed);
      hours += figures.nodeHours;
    }
    const { user, system } = process.cpuUsage(before);
    ours.push(hours / ((user + system) / 1e6));
  }
  return {
    status: 'measured',
    metric: `simulated node-hours per CPU-second, ${signatures} signatures`,
    unit: '',
    better: 'higher',
    ours,
    target: { text: `≥ ${least}`, isMet: (medians) => medians.ours >= least },
    note: `${rounds} rounds of ${seeds} seeds each, other seeds every round; intervals of 1 s to 10 min as drawn${failed.length > 0 ? `; a rule was broken in seeds ${failed.join(', ')}` : ''}`,
  };
}
