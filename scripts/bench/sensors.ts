/** What it costs a device to sample a box ten times a second: the components of the simulated board, 16 sensors, over its wires. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { NODE_FLAGS, nodeEnvironment } from '../grid/node-process.ts';
import { startOwnRack } from '../rack/own-rack.ts';
import type { Benchmark, Row } from './benchmark.ts';

const sampler = fileURLToPath(new URL('sensor-sampler.ts', import.meta.url));
const seconds = { full: 10, quick: 3 } as const;
const megabyte = 1e6;

/** What the sampler prints. */
interface Sampled {
  readonly sensors: number;
  readonly good: number;
  readonly samples: number;
  readonly cpuPercent: number;
  readonly bareCpuPercent: number;
  readonly residentBytes: number;
  readonly bareResidentBytes: number;
}

export const sensors: Benchmark = {
  name: 'sensors',
  summary: 'processor time and memory of sampling 16 sensors of a box ten times a second',
  metric: 'sampling of sensors',
  run: async ({ quick, rounds, progress }) => {
    const rack = await startOwnRack({ afterMains: 'on' });
    try {
      const all: Sampled[] = [];
      for (let round = 0; round < rounds; round += 1) {
        progress(`round ${round + 1} of ${rounds}`);
        all.push(await sample(rack.wires, quick ? seconds.quick : seconds.full));
      }
      return rowsOf(all);
    } finally {
      await rack.stop();
    }
  },
};

/** In a process of its own, whose processor time and memory are nobody else's. */
async function sample(wires: string, lastsSeconds: number): Promise<Sampled> {
  const line = [...NODE_FLAGS, sampler, wires, String(lastsSeconds)];
  const child = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'inherit'], env: nodeEnvironment(sampler) });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`the sampler ended with status ${String(status)}`);
  return JSON.parse(said) as Sampled;
}

function rowsOf(all: readonly Sampled[]): Row[] {
  const [first] = all;
  if (!first || all.some(({ good, sensors: count }) => good < count)) throw new Error('not every sensor gave good readings');
  const note = `${first.sensors} sensors of the simulated board, every reader at its own period, ten samples a second; the floor is the same process before`;
  return [
    {
      status: 'measured',
      metric: `sampling ${first.sensors} sensors at 10 Hz, processor`,
      unit: ' %',
      better: 'lower',
      ours: all.map(({ cpuPercent }) => cpuPercent),
      floor: { name: 'idle, wires open', samples: all.map(({ bareCpuPercent }) => bareCpuPercent) },
      note,
    },
    {
      status: 'measured',
      metric: `sampling ${first.sensors} sensors at 10 Hz, memory`,
      unit: ' MB',
      better: 'lower',
      ours: all.map(({ residentBytes }) => residentBytes / megabyte),
      floor: { name: 'before the board was opened', samples: all.map(({ bareResidentBytes }) => bareResidentBytes / megabyte) },
      note,
    },
  ];
}
