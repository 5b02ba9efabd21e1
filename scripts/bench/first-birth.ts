/** From the start of a device's process to its first birth on MQTT (specification §5.5), seen by a client, beside a bare Node. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Grid } from '../grid/grid.ts';
import type { BenchContext, Benchmark, Row } from './benchmark.ts';
import { startDevice, takeOver, type Build } from './device-start.ts';
import { inTurns } from './rounds.ts';

export const firstBirth: Benchmark = {
  name: 'birth',
  summary: 'start of a device to its first MQTT birth, from source and as a bundle, beside the start of a bare Node',
  metric: 'start to first MQTT birth',
  run: async (context) => {
    const grid = await context.grid.take();
    await takeOver(grid);
    return [await measureStarts(grid, context, 'from source'), await measureStarts(grid, context, 'bundle')];
  },
};

async function measureStarts(grid: Grid, { quick, rounds }: BenchContext, build: Build): Promise<Row> {
  const metric = `start to first MQTT birth, ${build}`;
  try {
    const { ours, floor } = await inTurns(quick ? 1 : rounds, () => birthMs(grid, build), bareStartMs);
    return {
      status: 'measured',
      metric,
      unit: ' ms',
      better: 'lower',
      ours,
      floor: { name: 'start of a bare Node', samples: floor },
      target: { text: '≤ 1,500 ms', isMet: (medians) => medians.ours <= 1_500 },
      note: 'by the clock, with a software TPM and the state of earlier starts; until a client over mutual TLS has the retained status of this start',
    };
  } catch (error) {
    return { status: 'not-measured', metric, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function birthMs(grid: Grid, build: Build): Promise<number> {
  const device = await startDevice(grid, build);
  await device.stop();
  return device.birthMs;
}

async function bareStartMs(): Promise<number> {
  const startedAt = performance.now();
  await promisify(execFile)(process.execPath, ['--eval', '0']);
  return performance.now() - startedAt;
}
