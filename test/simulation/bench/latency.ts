/**
 * How long a block takes to become final where more members take part than this machine has processors for: simulated members, each with a
 * machine of its own, where a message takes one measured hop through a broker, every judgement what it takes this processor, and every
 * durable write what the store takes on this disk. Specification §13.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openChainStore } from '../../../device/store/chain-store.ts';
import type { Benchmark, Row } from '../../../scripts/bench/benchmark.ts';
import { startEchoDevice } from '../../../scripts/bench/mqtt-round-trip.ts';
import { median, percentile, perCpuSecond } from '../../../scripts/bench/rounds.ts';
import type { Host, Seen } from '../host.ts';
import type { Parcel } from '../links.ts';
import { scenarioOf } from '../scenario.ts';
import { World } from '../world.ts';
import { ballotCheck } from './ballot-check.ts';
import { blockCheck } from './blocks.ts';

export const latency: Benchmark = {
  name: 'latency',
  summary: 'finality of 7 and 31 simulated members, with hop, judgement and durable write as measured here',
  metric: 'finality latency, simulated',
  run: async ({ quick, folder }) => {
    const costs = await measureCosts(folder, quick);
    return [7, 31].flatMap((members) => rowsOf(members, finalityOf(members, quick ? 4 : 16, costs), costs));
  },
};

interface Costs {
  readonly hopMs: number;
  readonly blockMs: number;
  readonly ballotMs: number;
  readonly writeMs: number;
}

async function measureCosts(folder: string, quick: boolean): Promise<Costs> {
  const durationMs = quick ? 200 : 1_000;
  const echo = await startEchoDevice(join(folder, 'echo'));
  const roundTrips: number[] = [];
  for (let index = 0; index < (quick ? 40 : 200); index += 1) roundTrips.push(await echo.roundTripMs(new Uint8Array(randomBytes(270))));
  await echo.stop();
  const block = blockCheck();
  return {
    hopMs: median(roundTrips) / 2,
    blockMs: 1_000 / perCpuSecond(block, durationMs),
    ballotMs: 1_000 / perCpuSecond(ballotCheck(), durationMs),
    writeMs: median(writeTimes(join(folder, 'chain.sqlite'), quick ? 40 : 200)),
  };
}

function writeTimes(file: string, count: number): number[] {
  const store = openChainStore(file, () => undefined);
  try {
    return Array.from({ length: count }, () => {
      const startedAt = performance.now();
      store.persist([{ record: 'votes', instance: new Uint8Array(randomBytes(32)), votes: new Uint8Array(randomBytes(200)) }]);
      return performance.now() - startedAt;
    });
  } finally {
    store.close();
  }
}

/** ms from each block's being said to the last member's certificate. */
function finalityOf(members: number, blocks: number, costs: Costs): number[] {
  const drawn = scenarioOf(1, { members, cheats: new Map(), promised: 'agreement-and-progress', signatures: 'pretended' });
  const quiet = { faults: new Set<never>(), joiners: 0, leavers: 0, targetIntervalMs: 5_000, minimumWaitMs: 1_000, epochHeights: 1_000 };
  const world = new TimedWorld({ ...drawn, ...quiet, tpmMinMs: 1, tpmMaxMs: 5 }, costs);
  world.begin();
  while (world.latencies().length < blocks + warmUpBlocks) world.runUntil(world.queue.nowMs + 5_000);
  return world.latencies().slice(warmUpBlocks);
}

/** While vouchers go round. */
const warmUpBlocks = 2;

class TimedWorld extends World {
  readonly #costs: Costs;
  readonly #busyUntilMs = new Map<number, number>();
  /** Who said these bytes first: copies are passed on only after a while, when nothing is decided (§14.1). */
  readonly #saidBy = new WeakMap<Uint8Array, number>();
  readonly #made = new Map<string, number>();
  readonly #final = new Map<string, number[]>();

  constructor(scenario: World['scenario'], costs: Costs) {
    super(scenario, { intercept: (parcel, nowMs) => this.#carry(parcel, nowMs) });
    this.#costs = costs;
  }

  latencies(): number[] {
    return [...this.#final].flatMap(([block, atMs]) => {
      const madeMs = this.#made.get(block);
      return madeMs === undefined || atMs.length < this.hosts.length ? [] : [Math.max(...atMs) - madeMs];
    });
  }

  /** Without the checkers: they take time, and break nothing here. */
  override watch(host: Host, seen: Seen): void {
    if (seen.seen !== 'effect') return;
    const { effect } = seen;
    const freeMs = Math.max(this.queue.nowMs, this.#busyUntilMs.get(host.index) ?? 0);
    if (effect.effect === 'persist' && effect.records.some(({ record }) => record === 'votes'))
      this.#busyUntilMs.set(host.index, freeMs + this.#costs.writeMs);
    if (effect.effect !== 'report') return;
    const { report } = effect;
    if (report.report === 'blockMade') this.#made.set(report.block.id.toHex(), freeMs);
    if (report.report === 'checkpointFinalised') {
      const block = report.certificate.block.toHex();
      this.#final.set(block, [...(this.#final.get(block) ?? []), this.queue.nowMs]);
    }
  }

  #carry(parcel: Parcel, nowMs: number): true {
    const { from, to, kind, payload } = parcel;
    const author = this.#saidBy.get(payload) ?? from;
    this.#saidBy.set(payload, author);
    if (author !== from) return true;
    const arrivesMs = Math.max(nowMs, this.#busyUntilMs.get(from) ?? 0) + this.#costs.hopMs;
    this.queue.at(arrivesMs, () => {
      const doneMs = Math.max(arrivesMs, this.#busyUntilMs.get(to) ?? 0) + this.#judgementMs(kind);
      this.#busyUntilMs.set(to, doneMs);
      this.queue.at(doneMs, () => this.hosts[to]?.receive(this.hosts[from]?.node ?? '', kind, payload));
    });
    return true;
  }

  #judgementMs(kind: Parcel['kind']): number {
    if (kind === 'block') return this.#costs.blockMs;
    return kind === 'ballot' ? this.#costs.ballotMs : 0;
  }
}

function rowsOf(members: number, latencies: readonly number[], { hopMs, blockMs, ballotMs, writeMs }: Costs): Row[] {
  const parts = `hop ${hopMs.toFixed(2)} ms, block ${blockMs.toFixed(2)} ms, ballot ${ballotMs.toFixed(2)} ms, durable write ${writeMs.toFixed(2)} ms`;
  const row = (name: string, share: number): Row => ({
    status: 'measured',
    metric: `finality SIMULATED, n = ${members}, ${name}`,
    unit: ' ms',
    better: 'lower',
    ours: [percentile(latencies, share)],
    ...(members === 31 && name === 'p50' && { target: { text: '≤ 150 ms', isMet: ({ ours }: { readonly ours: number }) => ours <= 150 } }),
    note: `${latencies.length} blocks; every member has a machine of its own; measured here and put in: ${parts}`,
  });
  return [row('p50', 0.5), row('p99', 0.99)];
}
