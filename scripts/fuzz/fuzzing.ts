/** Mutations of a target's seeds, until enough were tried, the time is over or a fault is found. */
import { mutated } from './mutation.ts';
import { drawFrom, seedOf } from './random.ts';
import { heapAfterCollection, tryInput, type Fault, type FuzzTarget } from './trial.ts';

export interface FuzzPlan {
  readonly seed: number;
  readonly runsMax: number;
  readonly secondsMax: number;
  /** Told now and then. */
  readonly onProgress?: (runs: number) => void;
}

export interface FuzzReport {
  readonly target: string;
  readonly runs: number;
  readonly seconds: number;
  readonly slowestMs: number;
  /** Memory that is alive after the runs and was not before them. */
  readonly grownBytes: number;
  readonly fault?: Fault & { readonly input: Uint8Array; readonly run: number };
}

const progressEvery = 256;

/** The same seed tries the same inputs in the same order, the seeds themselves first. */
export function fuzz(target: FuzzTarget, plan: FuzzPlan): FuzzReport {
  const draw = drawFrom(seedOf(plan.seed, target.name));
  const heapBefore = heapAfterCollection();
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1_000;
  let [slowestMs, run] = [0, 0];
  for (; run < plan.runsMax && (run <= target.seeds.length || run % 16 !== 0 || elapsed() < plan.secondsMax); run++) {
    const input = target.seeds[run] ?? mutated(target.seeds, draw);
    const { fault, tookMs } = tryInput(target, input);
    slowestMs = Math.max(slowestMs, tookMs);
    if (fault)
      return {
        target: target.name,
        runs: run + 1,
        seconds: elapsed(),
        slowestMs,
        grownBytes: heapAfterCollection() - heapBefore,
        fault: { ...fault, input, run },
      };
    if (run % progressEvery === 0) plan.onProgress?.(run);
  }
  return { target: target.name, runs: run, seconds: elapsed(), slowestMs, grownBytes: heapAfterCollection() - heapBefore };
}
