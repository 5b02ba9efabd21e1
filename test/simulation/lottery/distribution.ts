/** Draws as a distribution: uniforms made as a VRF's outputs are, their distance from the exponential law, near-ties. */
import { createHash } from 'node:crypto';
import { negativeLogarithm } from '#protocol/chain/elapsed-draw.ts';
import type { Chance } from '../chance.ts';

/** What stands for VRF outputs: 32 bytes that nobody can choose, a hash of seed, member and height. */
export function modelOutput(seed: string, member: number, height: number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`${seed} ${member} ${height}`).digest());
}

/** A draw by the production's integers, in units of the mean: exponentially distributed with mean 1. */
export function productionDraw(output: Uint8Array): number {
  return Number(negativeLogarithm(output)) / 2 ** 40;
}

/** The same in floating point, fifty times as fast: what the large models use. A test holds both together. */
export function modelDraw(output: Uint8Array): number {
  const uniform = new DataView(output.buffer, output.byteOffset).getBigUint64(0) + 1n;
  return -Math.log(Number(uniform) / 2 ** 64);
}

/** Kolmogorov's and Smirnov's distance from the exponential law with mean 1. */
export function distanceFromExponential(draws: readonly number[]): number {
  const sorted = draws.toSorted((left, right) => left - right);
  return sorted.reduce((distance, draw, index) => {
    const law = 1 - Math.exp(-draw);
    return Math.max(distance, Math.abs(law - index / sorted.length), Math.abs((index + 1) / sorted.length - law));
  }, 0);
}

/** Of samples of an exponential law, one in a hundred lies further away. */
export function criticalDistance(count: number): number {
  return 1.628 / Math.sqrt(count);
}

/** How often the second of `nodes` draws comes within 5 % of the mean gap, which is 1/nodes of the mean wait. */
export function nearTieShare(nodes: number, rounds: number, draw: () => number): number {
  let near = 0;
  for (let round = 0; round < rounds; round += 1) {
    let [first, second] = [Infinity, Infinity];
    for (let node = 0; node < nodes; node += 1) {
      const wait = draw();
      if (wait < first) [first, second] = [wait, first];
      else if (wait < second) second = wait;
    }
    if (second - first < 0.05 / nodes) near += 1;
  }
  return near / rounds;
}

/** Nodes in the order of their waits at a height. */
export function orderOf(chance: Chance, nodes: number): number[] {
  const waits = Array.from({ length: nodes }, () => chance.exponential(1));
  return waits.map((_, node) => node).sort((left, right) => (waits[left] ?? 0) - (waits[right] ?? 0));
}
