/** A block of the modelled race, with what each node knows of it. */

export interface RaceBlock {
  readonly parent: RaceBlock | undefined;
  readonly height: number;
  readonly leader: number;
  readonly waitMs: number;
  readonly madeMs: number;
  /** Chain time (§11.2): of honest leaders the time at which it was made, of forged ones the earliest that is allowed. */
  readonly dateMs: number;
  /** By node: 1 once it is taken, and the times of §12.4. */
  readonly taken: Uint8Array;
  readonly seenMs: Float64Array;
  readonly earliestMs: Float64Array;
  readonly anchors: Float64Array;
  /** What goes on at a node once it has taken this block. */
  waiting: { readonly node: number; readonly go: () => void }[];
  takers: number;
  votes: number;
  isFinal: boolean;
}

export interface RaceLead {
  readonly leader: number;
  readonly waitMs: number;
  readonly madeMs: number;
  readonly isForged: boolean;
}

export function blockOf(parent: RaceBlock | undefined, { leader, waitMs, madeMs, isForged }: RaceLead, nodes: number): RaceBlock {
  const earliestDateMs = (parent?.dateMs ?? 0) + waitMs;
  return {
    parent,
    height: parent === undefined ? 0 : parent.height + 1,
    leader,
    waitMs,
    madeMs,
    dateMs: isForged ? earliestDateMs : Math.max(madeMs, earliestDateMs),
    taken: new Uint8Array(nodes),
    seenMs: new Float64Array(nodes),
    earliestMs: new Float64Array(nodes),
    anchors: new Float64Array(nodes),
    waiting: [],
    takers: 0,
    votes: 0,
    isFinal: false,
  };
}
