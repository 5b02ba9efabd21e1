/** How often a member at rest waits for its disk: a day of a network of four at the default interval, by the records that the core has stored. */
import { join } from 'node:path';
import type { ChainRecord } from '../../../device/consensus/events.ts';
import { openChainStore } from '../../../device/store/chain-store.ts';
import type { Benchmark } from '../../../scripts/bench/benchmark.ts';
import type { Host, Seen } from '../host.ts';
import { scenarioOf } from '../scenario.ts';
import { World } from '../world.ts';

export const diskWrites: Benchmark = {
  name: 'disk',
  summary: 'durable writes a day of one of four members at rest, a block every 20 s',
  metric: 'durable writes a day',
  run: ({ quick, folder }) => {
    const hours = quick ? 0.25 : 2;
    const persists = persistsOf(hours);
    const durable = persists.filter(isDurable).length;
    const store = openChainStore(join(folder, 'chain.sqlite'), () => undefined);
    try {
      for (const records of persists) store.persist(records);
    } finally {
      store.close();
    }
    const perDay = (durable * 24) / hours;
    return Promise.resolve([
      {
        status: 'measured',
        metric: 'durable writes a day at rest',
        unit: '',
        better: 'lower',
        ours: [perDay],
        target: { text: '≤ 20,000', isMet: (medians) => medians.ours <= 20_000 },
        note: `${durable} of ${persists.length} transactions in ${hours} simulated hours hold own votes or blocks and wait for one fsync each; all were taken by the real store`,
      },
    ]);
  },
};

const defaultIntervalMs = 20_000;

function isDurable(records: readonly ChainRecord[]): boolean {
  return records.some((one) => one.record === 'votes' || (one.record === 'block' && one.own));
}

function persistsOf(hours: number): (readonly ChainRecord[])[] {
  const drawn = scenarioOf(1, { members: 4, cheats: new Map(), promised: 'agreement-and-progress', signatures: 'pretended' });
  const quiet = { faults: new Set<never>(), joiners: 0, leavers: 0, minimumWaitMs: defaultIntervalMs / 4, epochHeights: 1_000 };
  const world = new WritingWorld({ ...drawn, ...quiet, targetIntervalMs: defaultIntervalMs });
  world.begin();
  world.runUntil(hours * 3_600_000);
  return world.persists;
}

class WritingWorld extends World {
  readonly persists: (readonly ChainRecord[])[] = [];

  override watch(host: Host, seen: Seen): void {
    if (host.index === 0 && seen.seen === 'effect' && seen.effect.effect === 'persist') this.persists.push(seen.effect.records);
  }
}
