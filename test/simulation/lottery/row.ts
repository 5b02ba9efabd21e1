/** What the statistics of the lottery are told in: rows of figures beside targets and Sawtooth, and plots. */
import type { Chances } from '../chance.ts';
import type { Plot } from './svg-plot.ts';

export interface Row {
  readonly metric: string;
  readonly ours: number;
  readonly oursText: string;
  readonly target?: { readonly text: string; readonly isMet: boolean };
  /** Sawtooth's rules on the same draws, or what ours would be without one of its rules. */
  readonly beside?: string;
  readonly note?: string;
}

export interface Part {
  readonly rows: readonly Row[];
  readonly plots: Readonly<Record<string, Plot>>;
  /** More figures for whoever reads the JSON. */
  readonly figures?: Readonly<Record<string, unknown>>;
}

export interface Effort {
  readonly chances: Chances;
  /** Seconds instead of minutes, with wider errors. */
  readonly quick: boolean;
  readonly say: (what: string) => void;
}

export function percent(share: number, digits = 2): string {
  return `${(share * 100).toFixed(digits)} %`;
}

export function atMost(value: number, limit: number, text: string): { readonly text: string; readonly isMet: boolean } {
  return { text: `≤ ${text}`, isMet: value <= limit };
}

export function atLeast(value: number, limit: number, text: string): { readonly text: string; readonly isMet: boolean } {
  return { text: `≥ ${text}`, isMet: value >= limit };
}
