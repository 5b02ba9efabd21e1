/**
 * Whether a group that knows its draws ahead gains by building on its own block and not on a rival's: the waits of an epoch are
 * the same on every branch (§12.2), so it sees before which of its next blocks the others will probably be slower.
 */

export interface ForkOutlook {
  /** Heights of the others above the block at which the branches part. */
  readonly rivals: number;
  /** How long until the group's next blocks are due, and how many heights above that block the first of them lies. */
  readonly dueInMs: readonly number[];
  readonly nextHeight: number;
  /** The group's wait at each height from the rivals' next one on, if it joined them. */
  readonly joinedWaitsMs: readonly number[];
  /** Mean interval of the others' blocks without the group. */
  readonly rivalIntervalMs: number;
  /** Until when the others would still follow it. */
  readonly untilMs: number;
}

/** The branch that is followed wins `k` heights at once or none: compared with what the same heights give to one that joins. */
export function forkPays({ rivals, dueInMs, nextHeight, joinedWaitsMs, rivalIntervalMs, untilMs }: ForkOutlook): boolean {
  let joined = 0;
  return dueInMs.some((dueMs, index) => {
    const heights = nextHeight + index;
    if (heights <= rivals || dueMs > untilMs) return false;
    joined += Math.exp(-(joinedWaitsMs[heights - rivals - 1] ?? Infinity) / rivalIntervalMs);
    return heights * fewerThan(heights - rivals, Math.max(0, dueMs) / rivalIntervalMs) > joined;
  });
}

/** The probability that a Poisson process has had fewer than `count` events. */
function fewerThan(count: number, mean: number): number {
  let [sum, term] = [0, Math.exp(-mean)];
  for (let events = 0; events < count; events += 1) {
    sum += term;
    term *= mean / (events + 1);
  }
  return sum;
}
