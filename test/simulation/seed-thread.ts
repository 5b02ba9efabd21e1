/** A thread that runs the seeds it is given. */
import process from 'node:process';
import { parentPort } from 'node:worker_threads';
import type { Assignment, Delivery } from './many-seeds.ts';
import { runSeed } from './run-seed.ts';
import { scenarioOf } from './scenario.ts';

parentPort?.on('message', ({ seed, wishes }: Assignment) => {
  const begun = process.threadCpuUsage();
  const outcome = runSeed(scenarioOf(seed, wishes));
  const spent = process.threadCpuUsage(begun);
  const delivery: Delivery = { outcome, cpuSeconds: (spent.user + spent.system) / 1e6 };
  parentPort?.postMessage(delivery);
});
