/**
 * What it costs a device to sample a box ten times a second: its own sampler on the simulated board, 16 sensors, over its wires, beside a
 * process with a bare timer; and which rate is reached.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { NODE_FLAGS, nodeEnvironment } from '../grid/node-process.ts';
import { startOwnRack } from '../rack/own-rack.ts';
import type { Benchmark, Measured, Row } from './benchmark.ts';
import type { Sampled } from './sensor-sampler.ts';

const program = fileURLToPath(new URL('sensor-sampler.ts', import.meta.url));
/** Of the bare timer, and of the sampling, in each round. */
const seconds = { full: 5, quick: 2 } as const;
const megabyte = 1e6;

export const sensors: Benchmark = {
  name: 'sensors',
  summary: 'processor time, memory and rate of sampling 16 sensors of a box ten times a second, beside a bare timer',
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
  const line = [...NODE_FLAGS, program, wires, String(lastsSeconds)];
  const child = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'inherit'], env: nodeEnvironment(program) });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`the sampler ended with status ${String(status)}`);
  return JSON.parse(said) as Sampled;
}

function rowsOf(all: readonly Sampled[]): Row[] {
  const [first] = all;
  if (!first || all.some(({ good, sensors: count }) => good < count)) throw new Error('not every sensor gave good readings');
  const row = (
    { what, unit, better }: { what: string; unit: string; better: Measured['better'] },
    ours: (one: Sampled) => number,
    bare: (one: Sampled) => number,
  ): Measured => ({
    ...{ status: 'measured', metric: `${first.sensors} sensors at 10 Hz, ${what}`, unit, better, ours: all.map(ours) },
    floor: { name: 'bare timer of 10 Hz', samples: all.map(bare) },
    note: 'simulated board; 14 sensors are read ten times a second, disk and intrusion come by their edges; the floor is the same process before',
  });
  return [
    row(
      { what: 'processor', unit: ' %', better: 'lower' },
      ({ cpuPercent }) => cpuPercent,
      ({ bareCpuPercent }) => bareCpuPercent,
    ),
    row(
      { what: 'memory', unit: ' MB', better: 'lower' },
      ({ residentBytes }) => residentBytes / megabyte,
      ({ bareResidentBytes }) => bareResidentBytes / megabyte,
    ),
    row(
      { what: 'rate reached', unit: '/s', better: 'higher' },
      ({ perSecond }) => perSecond,
      ({ bareTicksPerSecond }) => bareTicksPerSecond,
    ),
  ];
}
