/**
 * Whether a device's memory climbs: a chain of four, two devices of the bundle and two from source, their resident memory after
 * the first blocks and after five hundred. Blocks come five a second, so that it takes two minutes.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Network } from '#protocol/network.ts';
import type { SoftwareTpm } from '../../device/tpm/swtpm.ts';
import { openNetwork, startTpm } from '../grid/devices.ts';
import { gridLayout, type GridLayout } from '../grid/layout.ts';
import { writeNetworkFile } from '../grid/network.ts';
import { supervise, type Supervisor } from '../grid/supervisor.ts';
import type { BenchContext, Benchmark, Row } from './benchmark.ts';
import { programOf, type Build } from './device-start.ts';
import { familyOf, proportionalBytesOf, usageOf } from './process-usage.ts';

export const deviceGrowth: Benchmark = {
  name: 'growth',
  summary: 'memory of devices of a chain of four after 20 blocks and after 500, as a bundle and from source',
  metric: 'device memory after 500 blocks',
  run: async (context) => {
    const grown = await measure(join(context.folder, 'growth'), context);
    return (['bundle', 'from source'] as const).flatMap((build) => rowsOf(build, grown));
  },
};

const DEVICES: readonly (readonly [string, Build])[] = [
  ['alpha', 'bundle'],
  ['bravo', 'from source'],
  ['charlie', 'bundle'],
  ['delta', 'from source'],
];
const FAST = { targetIntervalMs: 200, minimumWaitMs: 20 };
const blockMaxMs = 3_000;
const startMaxMs = 60_000;
const firstHeight = 20;
const megabyte = 1e6;

interface Sample {
  readonly height: number;
  readonly residentMegabytes: number;
  readonly proportionalMegabytes: number;
}

interface Grown {
  readonly build: Build;
  readonly before: Sample;
  readonly after: Sample;
}

async function measure(folder: string, { quick, progress }: BenchContext): Promise<Grown[]> {
  const layout = gridLayout(folder);
  mkdirSync(layout.logs, { recursive: true });
  const tpms = new Map<string, SoftwareTpm>();
  const devices: { name: string; build: Build; supervisor: Supervisor }[] = [];
  try {
    progress('four devices start');
    for (const [name] of DEVICES) tpms.set(name, await startTpm(layout, name));
    hasten(layout, await openNetwork(layout, tpms));
    for (const [name, build] of DEVICES) devices.push({ name, build, supervisor: await start(layout, name, build) });
    await Promise.all(devices.map(({ supervisor }) => supervisor.waitForLine('checkpointFinalised', startMaxMs)));
    const sampleAt = async (height: number): Promise<Sample[]> => {
      await untilHeight(layout, height, progress);
      return devices.map(({ name, supervisor }) => sample(heightOf(layout, name), supervisor.processId ?? 0));
    };
    const [before, after] = [await sampleAt(firstHeight), await sampleAt(quick ? 60 : 500)];
    return devices.map(({ build }, index) => ({ build, before: before[index] as Sample, after: after[index] as Sample }));
  } finally {
    await Promise.all(devices.map(({ supervisor }) => supervisor.stop()));
    await Promise.all([...tpms.values()].map((tpm) => tpm.stop()));
  }
}

/** The same network with less time between blocks, for devices that have not started yet. */
function hasten(layout: GridLayout, network: Network): void {
  const { genesis } = network;
  const fast = { ...network, genesis: { ...genesis, consensus: { ...genesis.consensus, ...FAST } } };
  for (const [name] of DEVICES) writeNetworkFile(join(layout.device(name), 'network.cbor'), fast);
}

async function start(layout: GridLayout, name: string, build: Build): Promise<Supervisor> {
  return supervise({
    name,
    arguments: [await programOf(build), 'run', '--state', layout.device(name)],
    logFile: join(layout.logs, `${name}.log`),
    processIdFile: layout.processId(name),
    onEnd: () => undefined,
  });
}

/** @throws Error when the chain stands still */
async function untilHeight(layout: GridLayout, height: number, progress: BenchContext['progress']): Promise<void> {
  const lowest = (): number => Math.min(...DEVICES.map(([name]) => heightOf(layout, name)));
  for (let [now, movedAt] = [lowest(), performance.now()]; now < height;) {
    progress(`block ${now} of ${height}`);
    await sleep(500);
    if (lowest() > now) [now, movedAt] = [lowest(), performance.now()];
    else if (performance.now() - movedAt > blockMaxMs * 10) throw new Error(`no checkpoint came after block ${now}`);
  }
}

/** Of the last checkpoint that a device has logged. */
function heightOf(layout: GridLayout, name: string): number {
  const lines = readFileSync(join(layout.logs, `${name}.log`), 'utf8').split('\n');
  const last = lines.findLast((line) => line.includes(' checkpointFinalised '));
  return Number(/\bheight=(\d+)/.exec(last ?? '')?.[1] ?? 0);
}

function sample(height: number, processId: number): Sample {
  const processes = familyOf(processId);
  return {
    height,
    residentMegabytes: usageOf(processes).residentBytes / megabyte,
    proportionalMegabytes: proportionalBytesOf(processes) / megabyte,
  };
}

function rowsOf(build: Build, all: readonly Grown[]): Row[] {
  const grown = all.filter((one) => one.build === build);
  const blocks = Math.min(...grown.map(({ after }) => after.height));
  const row = (kind: string, of: (sample: Sample) => number): Row => ({
    status: 'measured',
    metric: `device ${kind}, after ${blocks} blocks, ${build}`,
    unit: ' MB',
    better: 'lower',
    ours: grown.map(({ after }) => of(after)),
    floor: { name: `the same after ${firstHeight}`, samples: grown.map(({ before }) => of(before)) },
    ...(kind === 'memory' && { target: { text: '≤ 100 MB', isMet: ({ ours }: { ours: number }) => ours <= 100 } }),
    note: "of the device's process and its broker, in a chain of four with a block each 200 ms; PSS divides each page among the processes that have it",
  });
  return [row('memory', ({ residentMegabytes }) => residentMegabytes), row('PSS', ({ proportionalMegabytes }) => proportionalMegabytes)];
}
