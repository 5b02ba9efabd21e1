/**
 * How long a block takes to become final: from its leader taking it to the certificate known at every member. Real device
 * processes with software TPMs and brokers of their own on this machine, a block a second. Specification §13.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SoftwareTpm } from '../../device/tpm/swtpm.ts';
import { openNetwork, startDeviceProcess, startTpm, type GridDevice } from '../grid/devices.ts';
import { gridLayout, type GridLayout } from '../grid/layout.ts';
import type { BenchContext, Benchmark, Row } from './benchmark.ts';
import { startEtcd } from './etcd.ts';
import { percentile } from './rounds.ts';

export const finality: Benchmark = {
  name: 'finality',
  summary: 'from a block to its certificate at every member, four and seven device processes; beside a put to three etcd',
  metric: 'finality latency',
  run: async ({ quick, folder, progress }) => {
    progress('puts to etcd');
    const peer = await etcdPuts(join(folder, 'peer'), quick ? 100 : 400);
    const rows: Row[] = [];
    for (const members of [4, 7]) {
      const latencies = await measure(join(folder, `finality-${members}`), members, quick ? 10 : 60, progress);
      rows.push(...rowsOf(members, latencies, peer));
    }
    return rows;
  },
};

const NAMES = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf'];
const startMaxMs = 60_000;
const blockMaxMs = 3_000;
/** The first blocks come while the devices vouch for one another, and while their code is new to the engine. */
const warmUpHeights = 20;

/** Milliseconds each; none where there is no etcd. It does not run beside the devices, which need all processors. */
async function etcdPuts(folder: string, count: number): Promise<number[]> {
  const etcd = await startEtcd(folder).catch(() => undefined);
  const puts: number[] = [];
  for (let index = 0; etcd && index < count; index += 1) puts.push(await etcd.putMs());
  await etcd?.stop();
  return puts;
}

async function measure(folder: string, members: number, blocks: number, progress: BenchContext['progress']): Promise<number[]> {
  progress(`${members} devices start`);
  const names = NAMES.slice(0, members);
  const layout = gridLayout(folder);
  mkdirSync(layout.logs, { recursive: true });
  const tpms = new Map<string, SoftwareTpm>();
  const devices: GridDevice[] = [];
  try {
    for (const name of names) tpms.set(name, await startTpm(layout, name));
    await openNetwork(layout, tpms);
    for (const [name, tpm] of tpms) devices.push(startDeviceProcess(layout, name, tpm, () => undefined));
    await Promise.all(devices.map(({ supervisor }) => supervisor.waitForLine('checkpointFinalised', startMaxMs)));
    const giveUpAt = performance.now() + (blocks + warmUpHeights) * blockMaxMs;
    let latencies: number[] = [];
    while ((latencies = latenciesIn(layout, names)).length < blocks && performance.now() < giveUpAt) {
      const median = latencies.length > 0 ? `, p50 ${percentile(latencies, 0.5)} ms so far` : `, after ${warmUpHeights} to warm up`;
      progress(`${members} devices, ${latencies.length} of ${blocks} blocks${median}`);
      await sleep(1_000);
    }
    return latencies;
  } finally {
    await Promise.all(devices.map((device) => device.stop()));
    await Promise.all([...tpms.values()].map((tpm) => tpm.stop()));
  }
}

/**
 * ms from the block at its leader to the last member's `checkpointFinalised`, of each block that every member finalised. The
 * leader's line says that the block is its own, and how long it had it when the certificate came.
 */
function latenciesIn(layout: GridLayout, names: readonly string[]): number[] {
  const made = new Map<string, number>();
  const finalised = new Map<string, number[]>();
  for (const name of names) {
    for (const line of readFileSync(join(layout.logs, `${name}.log`), 'utf8').split('\n')) {
      const [at = '', event] = line.split(' ');
      const block = wordIn(line, 'block');
      if (event !== 'checkpointFinalised' || block === undefined || Number(wordIn(line, 'height') ?? 0) <= warmUpHeights) continue;
      if (wordIn(line, 'own') === 'yes') made.set(block, Date.parse(at) - Number(wordIn(line, 'ms')));
      finalised.set(block, [...(finalised.get(block) ?? []), Date.parse(at)]);
    }
  }
  return [...finalised].flatMap(([block, atMs]) => {
    const madeMs = made.get(block);
    return madeMs === undefined || atMs.length < names.length ? [] : [Math.max(...atMs) - madeMs];
  });
}

function wordIn(line: string, field: string): string | undefined {
  return new RegExp(`\\b${field}=(\\S+)`).exec(line)?.[1];
}

function rowsOf(members: number, latencies: readonly number[], puts: readonly number[]): Row[] {
  const metric = `finality, n = ${members}`;
  if (latencies.length === 0) return [{ status: 'not-measured', metric, reason: 'no block became final at every member' }];
  const row = (name: string, share: number, targetMs: number): Row => ({
    status: 'measured',
    metric: `${metric}, ${name}`,
    unit: ' ms',
    better: 'lower',
    ours: [percentile(latencies, share)],
    ...(puts.length > 0 && { floor: { name: `etcd x3, put 256 B, ${name}`, samples: [percentile(puts, share)] } }),
    ...(members === 7 && { target: { text: `≤ ${targetMs} ms`, isMet: ({ ours }: { ours: number }) => ours <= targetMs } }),
    note: `${latencies.length} blocks, from the block at its leader to the last checkpointFinalised in a log, milliseconds of one clock; all devices on this one machine. etcd crashes safely but trusts every member`,
  });
  return [row('p50', 0.5, 25), row('p99', 0.99, 100)];
}
