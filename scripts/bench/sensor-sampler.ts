/** The process that `sensors` measures: opens the simulated board at the wires that it is given, and samples it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readBoard } from '../../device/board/board-file.ts';
import { simulatedDevices } from '../../device/board/simulated/simulated-devices.ts';
import { openWiredBox } from '../../device/board/wired-box.ts';

const [wires = '', lastsSeconds = '10'] = process.argv.slice(2);
const EVERY_MS = 100;
const SETTLE_MS = 2_000;

const { definition } = await readBoard('simulated');
const bareResidentBytes = process.memoryUsage.rss();
const box = await openWiredBox(definition, simulatedDevices(wires, 'bench'), Date.now);
await box.sample();
await sleep(SETTLE_MS);

const lastsMs = Number(lastsSeconds) * 1_000;
const bareCpuPercent = await cpuPercentDuring(() => sleep(lastsMs));
let samples = 0;
const cpuPercent = await cpuPercentDuring(async () => {
  for (const endMs = performance.now() + lastsMs; performance.now() < endMs; samples += 1) {
    await box.sample();
    await sleep(EVERY_MS);
  }
});
const readings = await box.sample();
const good = readings.filter(({ quality }) => quality === 'good').length;
const residentBytes = process.memoryUsage.rss();
await box.close();
process.stdout.write(
  JSON.stringify({ sensors: readings.length, good, samples, cpuPercent, bareCpuPercent, residentBytes, bareResidentBytes }),
);

async function cpuPercentDuring(work: () => Promise<unknown>): Promise<number> {
  const [before, startedAt] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 10 / (performance.now() - startedAt);
}
