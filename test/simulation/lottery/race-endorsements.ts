/** Endorsements (§12.8) in the modelled race: the latest of each honest node counts for its block and all below it. */
import { chainOf, commonAncestor, type RaceBlock } from './race-block.ts';

export class RaceEndorsements {
  readonly #nodes: number;
  readonly #forged: number;
  readonly #latest: RaceBlock[];

  /** @param forged the group endorses its own blocks, and no others */
  constructor(genesis: RaceBlock, nodes: number, forged: number) {
    this.#nodes = nodes;
    this.#forged = forged;
    this.#latest = Array.from({ length: nodes }, () => genesis);
  }

  /** One of a height, and never of a lower one. @returns the blocks that have got half of the weight by it or had it */
  endorse(node: number, block: RaceBlock): RaceBlock[] {
    const before = this.#latest[node] as RaceBlock;
    if (block.height <= before.height) return [];
    this.#latest[node] = block;
    const fork = commonAncestor(before, block);
    for (const left of above(before, fork)) {
      left.endorsers -= 1;
      if (!this.hasHalf(left)) left.isBacked = false;
    }
    const joined = above(block, fork);
    for (const one of joined) one.endorsers += 1;
    return joined.filter((one) => !one.isBacked && this.hasHalf(one));
  }

  hasHalf(block: RaceBlock): boolean {
    const own = block.leader < this.#forged ? this.#forged : 0;
    return (block.endorsers + own) * 2 > this.#nodes;
  }
}

/** From the tip down to the block above `below`. */
export function above(tip: RaceBlock, below: RaceBlock): RaceBlock[] {
  const blocks: RaceBlock[] = [];
  for (const block of chainOf(tip)) {
    if (block === below) break;
    blocks.push(block);
  }
  return blocks;
}

/** Whether a branch has a backed block above `below`. */
export function hasBacked(tip: RaceBlock, below: RaceBlock): boolean {
  return above(tip, below).some(({ isBacked }) => isBacked);
}
