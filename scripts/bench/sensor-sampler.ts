/**
 * The process that `sensors` measures: what a bare timer takes, then what the sampler of a device takes that holds the simulated board,
 * every sensor of it at the rate of the timer.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** What this process prints. */
export interface Sampled {
  readonly sensors: number;
  /** Of these, in the last sample. */
  readonly good: number;
  /** Of the sensor with the fewest new readings among those that are read by their period, a second. */
  readonly perSecond: number;
  readonly bareTicksPerSecond: number;
  readonly cpuPercent: number;
  readonly bareCpuPercent: number;
  readonly residentBytes: number;
  readonly bareResidentBytes: number;
}

const [wires = '', lastsSeconds = '5'] = process.argv.slice(2);
const EVERY_MS = 100;
const SETTLE_MS = 1_000;
const lastsMs = Number(lastsSeconds) * 1_000;

let ticks = 0;
const timer = setInterval(() => (ticks += 1), EVERY_MS);
await sleep(SETTLE_MS);
ticks = 0;
const bareCpuPercent = await cpuPercentDuring(() => sleep(lastsMs));
const bareTicksPerSecond = (ticks * 1_000) / lastsMs;
clearInterval(timer);
const bareResidentBytes = process.memoryUsage.rss();

// Only now, so that what they weigh is not in the memory of the bare process.
const { readBoard } = await import('../../device/board/board-file.ts');
const { simulatedDevices } = await import('../../device/board/simulated/simulated-devices.ts');
const { openWiredBox } = await import('../../device/board/wired-box.ts');
const { startSampler } = await import('../../device/control/sampler.ts');

const { definition } = await readBoard('simulated');
const quick = {
  ...definition,
  sensors: definition.sensors.map((sensor) => ({ ...sensor, periodMs: EVERY_MS })),
  lines: { ...definition.lines, fans: (definition.lines.fans ?? []).map((one) => ({ ...one, periodMs: EVERY_MS })) },
};
const box = await openWiredBox(quick, simulatedDevices(wires, 'bench'), Date.now);
const taken = new Map<string, Set<number>>();
let good = 0;
const sampler = startSampler(
  box,
  (readings) => {
    good = readings.filter(({ quality }) => quality === 'good').length;
    for (const { sensor, atMs } of readings) taken.get(sensor)?.add(atMs);
  },
  () => undefined,
);
sampler.pace(true);
await sleep(SETTLE_MS);
const periodic = box.sensors.filter(({ periodMs }) => periodMs === EVERY_MS);
for (const { name } of periodic) taken.set(name, new Set());
const cpuPercent = await cpuPercentDuring(() => sleep(lastsMs));
const perSecond = Math.min(...[...taken.values()].map(rateOf));
const residentBytes = process.memoryUsage.rss();
sampler.stop();
await box.close();
const sampled: Sampled = {
  ...{ sensors: box.sensors.length, good, perSecond, bareTicksPerSecond },
  ...{ cpuPercent, bareCpuPercent, residentBytes, bareResidentBytes },
};
process.stdout.write(JSON.stringify(sampled));

function rateOf(timesMs: ReadonlySet<number>): number {
  return ((timesMs.size - 1) * 1_000) / (Math.max(...timesMs) - Math.min(...timesMs));
}

async function cpuPercentDuring(work: () => Promise<unknown>): Promise<number> {
  const [before, startedAt] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 10 / (performance.now() - startedAt);
}
