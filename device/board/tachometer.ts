/**
 * Revolutions of a fan from the edges of its tachometer. Pure. Specification §16.3.
 *
 * A rising edge and the next one are two edges apart, so the count that the kernel gives each edge says how many pulses lie
 * between two rising edges, also where it had to drop some; the kernel's time says how long they took.
 */
import type { Edge } from './devices.ts';

export interface TachometerState {
  /** The last rising edge of the reading before: the next one begins there. */
  readonly from: Edge | undefined;
  readonly last: Edge | undefined;
  /** Edges that the kernel dropped since the beginning. */
  readonly dropped: number;
  readonly sequence: number | undefined;
}

export const STILL: TachometerState = { from: undefined, last: undefined, dropped: 0, sequence: undefined };

export function afterEdge(state: TachometerState, edge: Edge): TachometerState {
  const missing = state.sequence === undefined ? 0 : Math.max(0, edge.sequence - state.sequence - 1);
  const next = { ...state, dropped: state.dropped + missing, sequence: edge.sequence };
  if (edge.level === 0) return next;
  return state.from === undefined ? { ...next, from: edge, last: edge } : { ...next, last: edge };
}

/**
 * @param nowNs on the clock of the edges
 * @param stillNs a fan whose last pulse is older stands still
 * @returns revolutions a minute since the reading before
 */
export function rpmOf(
  state: TachometerState,
  pulsesPerRevolution: number,
  nowNs: bigint,
  stillNs: bigint,
): { readonly rpm: number; readonly state: TachometerState } {
  const { from, last } = state;
  if (!from || !last || nowNs - last.atNs > stillNs) return { rpm: 0, state: { ...state, from: undefined, last: undefined } };
  const pulses = (last.sequence - from.sequence) / 2;
  const spanNs = Number(last.atNs - from.atNs);
  const rpm = spanNs > 0 ? Math.round((pulses * 60_000_000_000) / (spanNs * pulsesPerRevolution)) : 0;
  return { rpm, state: { ...state, from: last } };
}
