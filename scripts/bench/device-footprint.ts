/** Memory and idle processor time of a device's process and its broker, from source and as a bundle, beside a Node that does nothing. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import type { Grid } from '../grid/grid.ts';
import type { BenchContext, Benchmark, Row } from './benchmark.ts';
import { acceptanceMs, openGridClient } from './bench-capsule.ts';
import { startDevice, takeOver, type Build } from './device-start.ts';
import { familyOf, proportionalBytesOf, usageOf } from './process-usage.ts';

export const deviceFootprint: Benchmark = {
  name: 'footprint',
  summary: 'memory and idle processor time of a device and its broker, beside a bare Node',
  metric: 'device memory and idle CPU',
  run: async (context) => {
    const grid = await context.grid.take();
    await takeOver(grid);
    const bare = await startBareNode();
    try {
      return [
        ...(await measureBuild(grid, 'bundle', bare.processId, context)),
        ...(await measureBuild(grid, 'from source', bare.processId, context)),
      ];
    } finally {
      bare.stop();
    }
  },
};

/** After its start a device makes credentials and evidence, judges its peers, asks for the blocks it missed and gets warm. */
const settleMs = 15_000;
const clientsAtOnce = 4;
const megabyte = 1e6;

async function measureBuild(grid: Grid, build: Build, bare: number, context: BenchContext): Promise<Row[]> {
  const device = await startDevice(grid, build);
  try {
    const processes = familyOf(device.processId);
    const idle = await watchIdle(processes, bare, context);
    const peaks = await watchUnderLoad(grid, processes, context);
    const floor = idle.bareMegabytes;
    return [
      memoryRow(`idle, ${build}`, idle.megabytes, floor),
      proportionalRow(build, idle.proportional, idle.bareProportional),
      memoryRow(`under load, ${build}`, peaks, floor),
      cpuRow(build, idle.percent, idle.barePercent),
    ];
  } finally {
    await device.stop();
  }
}

interface Idle {
  readonly megabytes: readonly number[];
  readonly proportional: readonly number[];
  readonly percent: readonly number[];
  readonly bareMegabytes: readonly number[];
  readonly bareProportional: readonly number[];
  readonly barePercent: readonly number[];
}

async function watchIdle(device: readonly number[], bare: number, { rounds, quick }: BenchContext): Promise<Idle> {
  await sleep(settleMs);
  const seen = {
    ...{ megabytes: [] as number[], proportional: [] as number[], percent: [] as number[] },
    ...{ bareMegabytes: [] as number[], bareProportional: [] as number[], barePercent: [] as number[] },
  };
  const windowMs = quick ? 500 : 2_000;
  for (let round = 0; round < rounds; round += 1) {
    const before = { device: usageOf(device), bare: usageOf([bare]), at: performance.now() };
    await sleep(windowMs);
    const seconds = (performance.now() - before.at) / 1_000;
    const after = { device: usageOf(device), bare: usageOf([bare]) };
    seen.megabytes.push(after.device.residentBytes / megabyte);
    seen.proportional.push(proportionalBytesOf(device) / megabyte);
    seen.bareProportional.push(proportionalBytesOf([bare]) / megabyte);
    seen.percent.push(((after.device.cpuSeconds - before.device.cpuSeconds) * 100) / seconds);
    seen.bareMegabytes.push(after.bare.residentBytes / megabyte);
    seen.barePercent.push(((after.bare.cpuSeconds - before.bare.cpuSeconds) * 100) / seconds);
  }
  return seen;
}

/** The highest memory of each second while clients submit and cancel as fast as they are answered. */
async function watchUnderLoad(grid: Grid, device: readonly number[], { rounds, quick }: BenchContext): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: clientsAtOnce }, () => openGridClient(grid)));
  const load = { isOver: false };
  const watch = async (): Promise<number[]> => {
    const peaks: number[] = [];
    for (let round = 0; round < rounds; round += 1) peaks.push(await peakMegabytes(device, quick ? 300 : 1_000));
    load.isOver = true;
    return peaks;
  };
  try {
    const [peaks] = await Promise.all([watch(), ...clients.map((client) => submitUntil(load, client))]);
    return peaks;
  } finally {
    load.isOver = true;
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function submitUntil(load: { readonly isOver: boolean }, client: Client): Promise<void> {
  while (!load.isOver) await acceptanceMs(client);
}

async function peakMegabytes(device: readonly number[], durationMs: number): Promise<number> {
  let peak = 0;
  for (const until = performance.now() + durationMs; performance.now() < until;) {
    peak = Math.max(peak, usageOf(device).residentBytes);
    await sleep(20);
  }
  return peak / megabyte;
}

async function startBareNode(): Promise<{ processId: number; stop: () => void }> {
  const program = 'setInterval(() => undefined, 1000); process.stdin.once("end", () => process.exit()).resume()';
  const child = spawn(process.execPath, ['--eval', program], { stdio: ['pipe', 'ignore', 'ignore'] });
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  return { processId: child.pid ?? 0, stop: () => child.kill() };
}

function memoryRow(when: string, ours: readonly number[], floor: readonly number[]): Row {
  return {
    status: 'measured',
    metric: `device memory, ${when}`,
    unit: ' MB',
    better: 'lower',
    ours,
    floor: { name: 'bare Node, idle', samples: floor },
    target: { text: '≤ 100 MB', isMet: (medians) => medians.ours <= 100 },
    note: "resident set of the device's process and its broker, pages of programs included; the software TPM, which stands for a chip, left out",
  };
}

function proportionalRow(build: Build, ours: readonly number[], floor: readonly number[]): Row {
  return {
    status: 'measured',
    metric: `device PSS, idle, ${build}`,
    unit: ' MB',
    better: 'lower',
    ours,
    floor: { name: 'bare Node, idle', samples: floor },
    note: 'the same processes, each page divided among all that have it; four devices and their agents run on this machine',
  };
}

function cpuRow(build: Build, ours: readonly number[], floor: readonly number[]): Row {
  const mean = (samples: readonly number[]): number => samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  return {
    status: 'measured',
    metric: `device idle CPU, ${build}`,
    unit: ' %',
    better: 'lower',
    ours: [mean(ours)],
    floor: { name: 'bare Node', samples: [mean(floor)] },
    target: { text: '≤ 1 %', isMet: (medians) => medians.ours <= 1 },
    note: 'of one core, device and broker, in a chain of four with a block a second, mean of the whole watch: the kernel counts in ticks of 10 ms',
  };
}
