/** Many seeds on two threads, and what came of them. */
import type { Tally } from './account.ts';
import type { Outcome } from './run-seed.ts';
import type { Wishes } from './scenario.ts';
import { shareWork } from './shared-work.ts';

export interface Assignment {
  readonly seed: number;
  readonly wishes: Wishes;
}

export interface Delivery {
  readonly outcome: Outcome;
  readonly cpuSeconds: number;
}

export interface ManySeeds extends Tally {
  readonly end: 'done' | 'interrupted';
}

export async function runMany(
  from: number,
  count: number,
  wishes: Wishes,
  onProgress: (outcome: Outcome, done: number, nodeHoursPerCpuSecond: number) => void,
): Promise<ManySeeds> {
  const outcomes: Outcome[] = [];
  let [next, cpuSeconds, nodeHours] = [from, 0, 0];
  const end = await shareWork<Assignment, Delivery>({
    thread: new URL('seed-thread.ts', import.meta.url),
    next: () => (next < from + count ? { seed: next++, wishes } : undefined),
    take: ({ outcome, cpuSeconds: spent }) => {
      outcomes.push(outcome);
      cpuSeconds += spent;
      nodeHours += outcome.figures.nodeHours;
      onProgress(outcome, outcomes.length, nodeHours / Math.max(cpuSeconds, 0.001));
    },
  });
  return { outcomes: outcomes.toSorted((left, right) => left.seed - right.seed), cpuSeconds, end };
}
