/** A clock that runs at its own rate, which may change; and a member's two clocks made of one. */
import type { Instant } from '../../device/consensus/events.ts';

export interface DriftingClock {
  /** What it shows at a virtual time. */
  read(virtualMs: number): number;
  /** When, in virtual time, it will show this, if its rate stays. */
  virtualOf(shownMs: number): number;
  setRate(rate: number, virtualMs: number): void;
  /** Begins again at 0. */
  reset(virtualMs: number): void;
  readonly rate: number;
}

export function createDriftingClock(rate: number, shownMs = 0): DriftingClock {
  let [since, shown, current] = [0, shownMs, rate];
  const read = (virtualMs: number): number => shown + (virtualMs - since) * current;
  return {
    read,
    virtualOf: (wantedMs) => since + (wantedMs - shown) / current,
    setRate: (changed, virtualMs) => {
      [shown, since, current] = [read(virtualMs), virtualMs, changed];
    },
    reset: (virtualMs) => {
      [shown, since] = [0, virtualMs];
    },
    get rate() {
      return current;
    },
  };
}

/** When the simulated world begins, in Unix time. */
export const worldBeginsUnixMs = Date.UTC(2027, 0, 1);

export interface HostClock {
  readonly monotonic: DriftingClock;
  instant(virtualMs: number): Instant;
  /** How far its Unix time is from the true one. */
  setUnixOffset(offsetMs: number): void;
}

/** @param bootMs a monotonic clock begins anew with each start of the program */
export function createHostClock(rate: number, bootMs: number): HostClock {
  const monotonic = createDriftingClock(rate);
  monotonic.reset(bootMs);
  let offset = 0;
  return {
    monotonic,
    instant: (virtualMs) => ({
      monotonicMs: Math.floor(monotonic.read(virtualMs)),
      unixMs: Math.floor(worldBeginsUnixMs + virtualMs + offset),
    }),
    setUnixOffset: (offsetMs) => {
      offset = offsetMs;
    },
  };
}
