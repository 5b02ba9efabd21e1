/** Who proposes in a round: drawn by weight, the same for everyone. Pure. Specification §13.3. */
import { domainDigest, uint64 } from '#protocol/digest.ts';
import type { Voters } from './decision.ts';

/**
 * The voter (node id in hexadecimal) in whose share of the weight, in the order of ids, the digest falls: read as an integer,
 * modulo the whole. `round` ≥ 1.
 */
export function proposerOf(instance: Uint8Array, voters: Voters, round: number): string {
  const drawn = BigInt(`0x${domainDigest('proposer', instance, uint64(round)).toHex()}`) % BigInt(voters.total);
  let below = 0;
  const nodes = [...voters.weights.keys()].sort();
  for (const node of nodes) {
    below += voters.weights.get(node) ?? 0;
    if (drawn < BigInt(below)) return node;
  }
  throw new Error(`the weights of ${nodes.length} voters add up to ${below}; the total says ${voters.total}`);
}
