/** Many seeds on two threads: each asks for the next seed when it is done with one. */
import { Worker } from 'node:worker_threads';
import type { Tally } from './account.ts';
import type { Outcome } from './run-seed.ts';
import type { Wishes } from './scenario.ts';

export interface Assignment {
  readonly seed: number;
  readonly wishes: Wishes;
}

export interface Delivery {
  readonly outcome: Outcome;
  readonly cpuSeconds: number;
}

const threads = 2;

export async function runMany(
  from: number,
  count: number,
  wishes: Wishes,
  onProgress: (outcome: Outcome, done: number, nodeHoursPerCpuSecond: number) => void,
): Promise<Tally> {
  const outcomes: Outcome[] = [];
  let [next, cpuSeconds, nodeHours] = [from, 0, 0];
  const take = ({ outcome, cpuSeconds: spent }: Delivery): void => {
    outcomes.push(outcome);
    cpuSeconds += spent;
    nodeHours += outcome.figures.nodeHours;
    onProgress(outcome, outcomes.length, nodeHours / Math.max(cpuSeconds, 0.001));
  };
  const assign = (): Assignment | undefined => (next < from + count ? { seed: next++, wishes } : undefined);
  await Promise.all(Array.from({ length: Math.min(threads, count) }, () => runThread(assign, take)));
  return { outcomes: outcomes.toSorted((left, right) => left.seed - right.seed), cpuSeconds };
}

function runThread(assign: () => Assignment | undefined, take: (delivery: Delivery) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('seed-thread.ts', import.meta.url));
    const give = (): void => {
      const assignment = assign();
      if (assignment) worker.postMessage(assignment);
      else void worker.terminate().then(() => resolve());
    };
    worker.on('message', (delivery: Delivery) => {
      take(delivery);
      give();
    });
    worker.on('error', reject);
    give();
  });
}
