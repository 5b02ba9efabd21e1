/** From `submit` to the signed acceptance of a capsule that is on the disk (specification §7.3), beside a bare MQTT round trip. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Benchmark, Row } from './benchmark.ts';
import { acceptanceMs, openGridClient } from './bench-capsule.ts';
import { startEchoDevice } from './mqtt-round-trip.ts';
import { inTurns, median, percentile } from './rounds.ts';

export const submission: Benchmark = {
  name: 'submit',
  summary: 'submission to durable, signed acceptance at a device of the grid, beside a bare MQTT round trip',
  metric: 'submit to durable acceptance',
  run: async ({ rounds, quick, folder, grid }) => {
    const client = await openGridClient(await grid.take());
    const echo = await startEchoDevice(join(folder, 'echo'));
    const each = quick ? 15 : 60;
    try {
      await gather(20, () => acceptanceMs(client));
      await gather(20, () => echo.roundTripMs(payload));
      const batches = { ours: [] as number[][], floor: [] as number[][] };
      const batch = async (into: number[][], measure: () => Promise<number>): Promise<number> => {
        const samples = await gather(each, measure);
        into.push(samples);
        return median(samples);
      };
      const medians = await inTurns(
        rounds,
        () => batch(batches.ours, () => acceptanceMs(client)),
        () => batch(batches.floor, () => echo.roundTripMs(payload)),
      );
      return [medianRow(medians.ours, medians.floor), tailRow(batches.ours.flat(), batches.floor.flat())];
    } finally {
      await echo.stop();
      await client.close();
    }
  },
};

/** As long as a submission with one file. */
const payload = new Uint8Array(randomBytes(450));

async function gather(count: number, measure: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) samples.push(await measure());
  return samples;
}

function medianRow(ours: readonly number[], floor: readonly number[]): Row {
  return {
    status: 'measured',
    metric: 'submit to durable acceptance, p50',
    unit: ' ms',
    better: 'lower',
    ours,
    floor: { name: 'MQTT round trip, p50', samples: floor },
    target: { text: '≤ 5 ms', isMet: (medians) => medians.ours <= 5 },
    note: 'by the clock, one after another: mutual TLS, judgement, signature, SQLite commit, answer, signature checked by the client',
  };
}

function tailRow(ours: readonly number[], floor: readonly number[]): Row {
  return {
    status: 'measured',
    metric: 'submit to durable acceptance, p99',
    unit: ' ms',
    better: 'lower',
    ours: [percentile(ours, 0.99)],
    floor: { name: 'MQTT round trip, p99', samples: [percentile(floor, 0.99)] },
    target: { text: '≤ 25 ms', isMet: (medians) => medians.ours <= 25 },
    note: `of ${ours.length} submissions, all rounds together`,
  };
}
