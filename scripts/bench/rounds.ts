/** Rounds of measurement: ours and the floor in turns, so that a noisy neighbour meets both; and what to make of them. */
import type { Measured, Medians } from './benchmark.ts';

export interface Rounds {
  readonly ours: readonly number[];
  readonly floor: readonly number[];
}

/** The middle one, or the mean of the two in the middle; 0 of nothing. */
export function median(samples: readonly number[]): number {
  return (quantile(samples, 0.5, 'floor') + quantile(samples, 0.5, 'ceil')) / 2;
}

/** The sample below which `share` of all lie. */
export function percentile(samples: readonly number[], share: number): number {
  return quantile(samples, share, 'ceil');
}

export function mediansOf({ ours, floor }: Measured): Medians {
  const floors = floor?.samples ?? [];
  const ratios = floors.flatMap((sample, round) => (sample === 0 ? [] : [(ours[round] ?? 0) / sample]));
  return { ours: median(ours), floor: median(floors), ratio: median(ratios) };
}

/** Each round measures one and then the other; every second round in the other order. */
export async function inTurns(
  rounds: number,
  ours: () => Promise<number> | number,
  floor: () => Promise<number> | number,
): Promise<Rounds> {
  const samples = { ours: [] as number[], floor: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 1) samples.floor.push(await floor());
    samples.ours.push(await ours());
    if (round % 2 === 0) samples.floor.push(await floor());
  }
  return samples;
}

/** How often `work` is done in a second of this process's processor time, garbage collection included. */
export function perCpuSecond(work: (index: number) => void, durationMs: number): number {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  let count = 0;
  while (performance.now() - startedAt < durationMs) {
    for (let index = 0; index < 64; index += 1) work(count + index);
    count += 64;
  }
  const { user, system } = process.cpuUsage(before);
  return count / ((user + system) / 1e6);
}

function quantile(samples: readonly number[], share: number, round: 'floor' | 'ceil'): number {
  const ascending = [...samples].sort((left, right) => left - right);
  return ascending[Math[round]((ascending.length - 1) * share)] ?? 0;
}
