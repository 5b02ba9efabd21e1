/** What a benchmark is: one or more metrics of ours, each measured beside its floor or a peer in the same run. */
import type { GridLoan } from './grid-loan.ts';

/** `higher` is better for rates, `lower` for times, memory and sizes. */
export type Better = 'higher' | 'lower';

export interface Target {
  readonly text: string;
  /** Decides from the medians. */
  readonly isMet: (medians: Medians) => boolean;
}

export interface Medians {
  readonly ours: number;
  /** Of a metric without a floor: 0. */
  readonly floor: number;
  /** Median over the rounds of ours / floor, each pair measured side by side; 0 without a floor. */
  readonly ratio: number;
}

export interface Measured {
  readonly status: 'measured';
  readonly metric: string;
  /** Behind the number: `/s`, ` ms`, ` MB`. */
  readonly unit: string;
  readonly better: Better;
  /** One number a round. */
  readonly ours: readonly number[];
  readonly floor?: { readonly name: string; readonly samples: readonly number[] };
  /** Absent where the number only informs. */
  readonly target?: Target;
  /** What the number is of, for whoever reads the JSON or wonders. */
  readonly note?: string;
}

/** A number that this machine could not give, and why. */
export interface NotMeasured {
  readonly status: 'not-measured';
  readonly metric: string;
  readonly reason: string;
}

export type Row = Measured | NotMeasured;

export interface BenchContext {
  /** Fewer and shorter rounds: to see that it works, not to compare. */
  readonly quick: boolean;
  readonly rounds: number;
  /** An empty folder on the disk that the state of a device would lie on. */
  readonly folder: string;
  /** A bench grid, started when it is first asked for. */
  readonly grid: GridLoan;
  /** Says how far a long measurement is. */
  readonly progress: (text: string) => void;
}

export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  /** What a row is called when the whole benchmark fails. */
  readonly metric: string;
  run(context: BenchContext): Promise<Row[]>;
}
