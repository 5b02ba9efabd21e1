/**
 * Rate audit: how fast each member's TPM clock runs, by one's own. Pure. Specification §12.5.
 *
 * An end certificate says the chip's Time when a block was made, and a member that is online notes when it came. Of two blocks
 * of one boot, the quotient of both differences is the rate. Messages come late, never early, and now and then very late, so
 * the rate is the median over many pairs (Theil and Sen), which stays right when a quarter of the blocks came at any time at all.
 *
 * Reported, and refuses nobody: the specification of TPMs allows a chip's oscillator ±15 %.
 */

/** The last blocks of a member that are kept: a day of a network of 100 with 20 s between blocks. */
const sightingsMax = 48;
/** Fewer say too little of how late messages are. */
const sightingsMin = 8;
/** What a chip's oscillator is allowed (TPM 2.0 Part 1, section on time). */
export const rateToleranceShare = 0.15;
/** Own clocks that differ by more between two blocks: this machine slept, or its Unix time was set. NTP slews by 0.05 %. */
const ownClocksDifferMaxMs = 2_000;
const ownClocksDifferShare = 0.001;
/** Chips and hosts count in milliseconds; a difference has two ends. */
const resolutionMs = 2;
/** How many median deviations the ends of a span may lie off together. */
const deviations = 6;

/** The end certificate of a finalised block that this member saw when it was made, not while it caught up. */
export interface ClockSighting {
  readonly resetCount: number;
  readonly restartCount: number;
  /** Time of the chip, ms. */
  readonly attestedMs: number;
  /** When the block came, by this member's clocks. */
  readonly monotonicMs: number;
  readonly unixMs: number;
}

/** Of each member the last sightings of one boot, oldest first. */
export type RateAudit = ReadonlyMap<string, readonly ClockSighting[]>;

export const nothingSighted: RateAudit = new Map();

/**
 * Takes a block's times in. A reset or restart of the chip begins anew, as does a jump of this member's own clocks; a block
 * that came after a later one of its member is left out.
 */
export function noteSighting(audit: RateAudit, member: string, sighting: ClockSighting): RateAudit {
  const known = audit.get(member) ?? [];
  const last = known.at(-1);
  if (last && goesOn(last, sighting)) {
    if (sighting.monotonicMs <= last.monotonicMs) return audit;
    return new Map(audit).set(member, [...known, sighting].slice(-sightingsMax));
  }
  return new Map(audit).set(member, [sighting]);
}

/** Forgets who no longer has a seat: bounds what is kept by the members. */
export function withoutOtherClocks(audit: RateAudit, seats: ReadonlySet<string>): RateAudit {
  return new Map([...audit].filter(([member]) => seats.has(member)));
}

export type RateVerdict = 'within-tolerance' | 'fast' | 'slow' | 'too-little-data';

export interface RateReport {
  readonly verdict: RateVerdict;
  /** ms of the chip for each of this member's; 1.2 is a clock that runs 20 % fast. Absent with too few blocks. */
  readonly rate?: number;
  /** The true rate lies between rate − uncertainty and rate + uncertainty, with few exceptions. */
  readonly uncertainty?: number;
  readonly sightings: number;
}

/** `fast` and `slow` only if the whole interval lies outside ±15 %, `within-tolerance` only if all of it lies inside. */
export function judgeRate(sightings: readonly ClockSighting[]): RateReport {
  const estimate = estimateRate(sightings);
  if (!estimate) return { verdict: 'too-little-data', sightings: sightings.length };
  const { rate, uncertainty } = estimate;
  return { verdict: verdictOf(rate - uncertainty, rate + uncertainty), rate, uncertainty, sightings: sightings.length };
}

function verdictOf(low: number, high: number): RateVerdict {
  if (low > 1 + rateToleranceShare) return 'fast';
  if (high < 1 - rateToleranceShare) return 'slow';
  return low >= 1 - rateToleranceShare && high <= 1 + rateToleranceShare ? 'within-tolerance' : 'too-little-data';
}

function goesOn(last: ClockSighting, next: ClockSighting): boolean {
  const ownMs = next.monotonicMs - last.monotonicMs;
  const jumpMs = Math.abs(next.unixMs - last.unixMs - ownMs);
  const sameBoot = next.resetCount === last.resetCount && next.restartCount === last.restartCount;
  return sameBoot && next.attestedMs > last.attestedMs && jumpMs <= ownClocksDifferMaxMs + Math.abs(ownMs) * ownClocksDifferShare;
}

function estimateRate(sightings: readonly ClockSighting[]): { rate: number; uncertainty: number } | undefined {
  const [first, last] = [sightings[0], sightings.at(-1)];
  if (!first || !last || sightings.length < sightingsMin) return undefined;
  const rate = medianOf(slopesOf(sightings));
  const lateness = sightings.map(({ attestedMs, monotonicMs }) => monotonicMs - first.monotonicMs - (attestedMs - first.attestedMs) / rate);
  const middle = medianOf(lateness);
  const deviationMs = medianOf(lateness.map((late) => Math.abs(late - middle)));
  const spanMs = last.monotonicMs - first.monotonicMs;
  return { rate, uncertainty: (rate * (deviations * deviationMs + resolutionMs)) / spanMs };
}

/** Between every block of the first half and every one of the second: near ones would say more of delays than of the rate. */
function slopesOf(sightings: readonly ClockSighting[]): number[] {
  const middle = sightings.length >> 1;
  const later = sightings.slice(middle);
  return sightings
    .slice(0, middle)
    .flatMap((early) => later.map((late) => (late.attestedMs - early.attestedMs) / (late.monotonicMs - early.monotonicMs)));
}

/** @param values at least one */
function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
