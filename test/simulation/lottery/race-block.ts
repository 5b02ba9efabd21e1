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
  /** Honest nodes whose latest endorsement is for this block or one above it (§12.8), and whether everybody knows that they are enough. */
  endorsers: number;
  isBacked: boolean;
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
    endorsers: 0,
    isBacked: false,
    isFinal: false,
  };
}

/** From a block down to the genesis. */
export function* chainOf(block: RaceBlock): Generator<RaceBlock> {
  for (let at: RaceBlock | undefined = block; at !== undefined; at = at.parent) yield at;
}

export function descendsFrom(block: RaceBlock, ancestor: RaceBlock): boolean {
  if (ancestor.height === 0) return true;
  for (const below of chainOf(block)) if (below.height <= ancestor.height) return below === ancestor;
  return false;
}

export function commonAncestor(left: RaceBlock, right: RaceBlock): RaceBlock {
  let [one, other] = [left, right];
  while (one !== other) {
    if (one.height >= other.height) one = one.parent ?? other;
    else other = other.parent ?? one;
  }
  return one;
}

/** How many blocks of its chain a node leaves by going from `head` to `next`. */
export function abandoned(head: RaceBlock, next: RaceBlock): number {
  const below = new Set<RaceBlock>();
  for (const block of chainOf(next)) {
    below.add(block);
    if (block.height < head.height - reorganisationLooked) break;
  }
  let count = 0;
  for (const block of chainOf(head)) {
    if (below.has(block) || count > reorganisationLooked) return count;
    count += 1;
  }
  return count;
}

/** Deeper reorganisations are counted as this deep. */
const reorganisationLooked = 64;
