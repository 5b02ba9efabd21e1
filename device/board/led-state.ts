/**
 * What a power LED says: dark is off, lit is on, blinking slowly (0.2 to 3 Hz) is asleep. Pure. Specification §16.2.
 *
 * Three rising edges in a row, each 0.33 to 5 s after the one before, are a blink; one that does not come in time ends it. What flickers
 * faster is lit.
 */
import type { Edge, Level } from './devices.ts';
import type { PowerState } from './ports.ts';

const FASTEST_NS = 333_000_000n; // 3 Hz
const SLOWEST_NS = 5_000_000_000n; // 0.2 Hz
const RISES = 3;

export interface LedState {
  readonly level: Level;
  readonly lastNs: bigint;
  /** The latest rising edges, oldest first. */
  readonly rises: readonly bigint[];
}

export function firstSeen(level: Level, atNs: bigint): LedState {
  return { level, lastNs: atNs, rises: [] };
}

export function afterLedEdge(state: LedState, { level, atNs }: Edge): LedState {
  return { level, lastNs: atNs, rises: level === 1 ? [...state.rises, atNs].slice(-RISES) : state.rises };
}

/** @returns the state, and when it has to be looked at again although no edge comes */
export function powerOf(state: LedState, nowNs: bigint): { readonly power: PowerState; readonly reviewNs?: bigint } {
  const latest = state.rises.at(-1);
  const periods = state.rises.slice(1).map((rise, index) => rise - (state.rises[index] ?? rise));
  if (latest === undefined || periods.length === 0) return steady(state);
  const longest = periods.reduce((most, period) => (period > most ? period : most), 0n);
  const overdueNs = latest + longest + longest / 4n;
  if (periods.every((period) => period < FASTEST_NS) && nowNs - latest < FASTEST_NS) return { power: 'on', reviewNs: latest + FASTEST_NS };
  const isBlinking = periods.length === RISES - 1 && periods.every((period) => period >= FASTEST_NS && period <= SLOWEST_NS);
  return isBlinking && nowNs < overdueNs ? { power: 'sleeping', reviewNs: overdueNs } : steady(state);
}

function steady({ level }: LedState): { readonly power: PowerState } {
  return { power: level === 1 ? 'on' : 'off' };
}
