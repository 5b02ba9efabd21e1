/** From the start of a device's process to its first birth on MQTT (specification §5.5), seen by a client, beside a bare Node. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HOLDER_FILES } from '../../hpc-agent/pairing.ts';
import { GRID_CLIENT, type Grid } from '../grid/grid.ts';
import { supervise } from '../grid/supervisor.ts';
import { bundleFiles, makeBundles } from '../bundle.ts';
import type { BenchContext, Benchmark, Row } from './benchmark.ts';
import { birthOn, connectToGrid } from './grid-connection.ts';
import { inTurns } from './rounds.ts';

export const firstBirth: Benchmark = {
  name: 'birth',
  summary: 'start of a device to its first MQTT birth, from source and as a bundle, beside the start of a bare Node',
  metric: 'start to first MQTT birth',
  run: async (context) => {
    const grid = await context.grid.take();
    await stopDevice(grid);
    return [await measureStarts(grid, context, 'from source', sourceFile), await measureBundle(grid, context)];
  },
};

const sourceFile = fileURLToPath(new URL('../../device/main.ts', import.meta.url));
const birthMaxMs = 30_000;
const lookAgainMs = 5;

/** The TPM keeps running; the device's state lies ready, as after an update of the firmware. */
async function stopDevice(grid: Grid): Promise<void> {
  await grid.devices.find(({ name }) => name === GRID_CLIENT.device)?.supervisor.stop();
}

async function measureBundle(grid: Grid, context: BenchContext): Promise<Row> {
  try {
    if (!existsSync(bundleFiles.device)) await makeBundles();
    return await measureStarts(grid, context, 'bundle', bundleFiles.device);
  } catch (error) {
    return { status: 'not-measured', metric: 'start to first MQTT birth (bundle)', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function measureStarts(grid: Grid, { quick }: BenchContext, what: string, program: string): Promise<Row> {
  const { ours, floor } = await inTurns(quick ? 1 : 5, () => birthMs(grid, program), bareStartMs);
  return {
    status: 'measured',
    metric: `start to first MQTT birth (${what})`,
    unit: ' ms',
    better: 'lower',
    ours,
    floor: { name: 'start of a bare Node', samples: floor },
    target: { text: '≤ 1,500 ms', isMet: (medians) => medians.ours <= 1_500 },
    note: 'by the clock, with a software TPM; until a client over mutual TLS has the retained status of this start',
  };
}

async function birthMs(grid: Grid, program: string): Promise<number> {
  const startedAt = performance.now();
  const startedAtMs = Date.now();
  const state = grid.layout.device(GRID_CLIENT.device);
  const device = supervise({ name: GRID_CLIENT.device, arguments: [program, 'run', '--state', state], logFile: join(grid.layout.logs, 'birth.log'), onEnd: () => undefined });
  try {
    const connection = await connectWhenOpen(grid, startedAt);
    await birthOn(connection, grid, ({ sinceMs }) => sinceMs >= startedAtMs, birthMaxMs);
    const passedMs = performance.now() - startedAt;
    await connection.close();
    return passedMs;
  } finally {
    await device.stop();
  }
}

/** A connection that finds no broker waits longer and longer before it tries again, so the port is watched first. */
async function connectWhenOpen(grid: Grid, startedAt: number) {
  const port = await clientPort(grid);
  while (!(await accepts(port))) {
    if (performance.now() - startedAt > birthMaxMs) throw new Error(`the device opened no port for clients within ${birthMaxMs / 1_000} s`);
    await sleep(lookAgainMs);
  }
  return (await connectToGrid(grid)).connection;
}

async function clientPort(grid: Grid): Promise<number> {
  const { device, name } = GRID_CLIENT;
  const { url } = JSON.parse(await readFile(join(grid.layout.client(device, name), HOLDER_FILES.connection), 'utf8')) as { url: string };
  return Number(new URL(url).port);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect(port, '127.0.0.1');
    attempt.once('error', () => resolve(false)).once('connect', () => {
      attempt.destroy();
      resolve(true);
    });
  });
}

async function bareStartMs(): Promise<number> {
  const startedAt = performance.now();
  await promisify(execFile)(process.execPath, ['--eval', '0']);
  return performance.now() - startedAt;
}
