/** The grid's first device, started by a benchmark in place of the grid: from source or as a bundle, over the same state. */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bundleFiles, makeBundles } from '../bundle.ts';
import { type Grid } from '../grid/grid.ts';
import { GRID_CLIENT } from '../grid/layout.ts';
import { supervise } from '../grid/supervisor.ts';
import { birthOn, clientUrl, connectToGrid, type GridConnection } from './grid-connection.ts';

export type Build = 'from source' | 'bundle';

export interface StartedDevice {
  readonly processId: number;
  /** From the start of the process until a client had its first birth. */
  readonly birthMs: number;
  stop(): Promise<void>;
}

const birthMaxMs = 30_000;
const lookAgainMs = 5;
const sourceFile = fileURLToPath(new URL('../../device/main.ts', import.meta.url));

/** Stops the grid's own process of that device for the rest of the run; its TPM goes on. */
export async function takeOver(grid: Grid): Promise<void> {
  await grid.devices.find(({ name }) => name === GRID_CLIENT.device)?.supervisor.stop();
}

/** After {@link takeOver}. @throws Error when there is no birth in time; the process is stopped then */
export async function startDevice(grid: Grid, build: Build): Promise<StartedDevice> {
  const program = await programOf(build);
  const state = grid.layout.device(GRID_CLIENT.device);
  const startedAt = performance.now();
  const startedAtMs = Date.now();
  const device = supervise({
    name: GRID_CLIENT.device,
    arguments: [program, 'run', '--state', state],
    logFile: join(grid.layout.logs, 'benchmark.log'),
    processIdFile: grid.layout.processId('benchmark'),
    onEnd: () => undefined,
  });
  const ended = new AbortController();
  const comesUp = device.waitForLine('deviceStarted', birthMaxMs).catch((error: unknown) => {
    ended.abort(error);
  });
  try {
    const { connection } = await connectWhenOpen(grid, ended.signal);
    await birthOn(connection, grid, ({ sinceMs }) => sinceMs >= startedAtMs, birthMaxMs);
    const birthMs = performance.now() - startedAt;
    await connection.close();
    return { processId: device.processId ?? 0, birthMs, stop: () => device.stop() };
  } catch (error) {
    await device.stop();
    await comesUp;
    throw error;
  }
}

/** The file of the firmware; a bundle that is missing is made. */
export async function programOf(build: Build): Promise<string> {
  if (build === 'from source') return sourceFile;
  if (!existsSync(bundleFiles.device)) await makeBundles();
  return bundleFiles.device;
}

/** A connection that finds no broker waits longer and longer before it tries again, so the port is watched first. */
async function connectWhenOpen(grid: Grid, ended: AbortSignal): Promise<GridConnection> {
  const port = Number(new URL(await clientUrl(grid)).port);
  while (!(await accepts(port))) {
    ended.throwIfAborted();
    await sleep(lookAgainMs);
  }
  return connectToGrid(grid);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect(port, '127.0.0.1');
    attempt
      .once('error', () => resolve(false))
      .once('connect', () => {
        attempt.destroy();
        resolve(true);
      });
  });
}
