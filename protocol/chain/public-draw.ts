/**
 * Draws that everybody can repeat: proposers of a round, the committees of a checkpoint and of an epoch's newcomers, the boxes for a
 * capsule. Specification §11.5, §13.1, §13.3 and §15.
 */
import { domainDigest, hex, uint64 } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { satisfies, type TrustLevel } from '../trust-level.ts';

/** What a box offers, and what a capsule asks for: the runtime, and at least the trust. */
interface Offered {
  readonly runtimes: readonly string[];
  readonly trust: TrustLevel;
}

export function isFitting(box: Offered, asked: { readonly runtime: string; readonly trust: TrustLevel }): boolean {
  return box.runtimes.includes(asked.runtime) && satisfies(box.trust, asked.trust);
}

/** What the votes on one checkpoint are about. @param previous block id of checkpoint `number` − 1 */
export function checkpointInstance(network: Uint8Array, number: number, previous: Uint8Array): Uint8Array {
  return domainDigest('checkpoint', network, uint64(number), previous);
}

/** The node that proposes in a round from 1 on. @param voters in the order of their ids, at least one */
export function proposerOf(instance: Uint8Array, round: number, voters: readonly Uint8Array[]): Uint8Array {
  const drawn = BigInt(`0x${hex(domainDigest('proposer', instance, uint64(round)))}`);
  const proposer = voters[Number(drawn % BigInt(Math.max(voters.length, 1)))];
  if (!proposer) throw new RangeError('a round without voters has no proposer');
  return proposer;
}

/**
 * Who votes on a checkpoint, in the order of their ids: all seats, or the committee that is drawn when there are many.
 * @param seed the one in the state of checkpoint `number` − 1
 * @param seats in force there, in the order of their ids
 */
export function votersOf(network: Uint8Array, seed: Uint8Array, number: number, seats: readonly Uint8Array[]): readonly Uint8Array[] {
  if (seats.length <= LIMITS.votersMax) return seats;
  const draw = domainDigest('committee', network, seed, uint64(number));
  const drawn = orderedBy(seats, (node) => domainDigest('committee-order', draw, node)).slice(0, LIMITS.committeeSize);
  return orderedBy(drawn, (node) => node);
}

/**
 * Whose word admits newcomers: all seats, or those that are drawn for the epoch when there are many.
 * @param epoch of the block. @param seats in force there
 */
export function admissionCommittee(
  network: Uint8Array,
  { number, seed }: { readonly number: number; readonly seed: Uint8Array },
  seats: readonly Uint8Array[],
): readonly Uint8Array[] {
  const size = admissionCommitteeSize(seats);
  if (size === seats.length) return seats;
  const draw = domainDigest('admission-committee', network, seed, uint64(number));
  return orderedBy(seats, (node) => domainDigest('committee-order', draw, node)).slice(0, size);
}

export function admissionCommitteeSize(seats: readonly Uint8Array[]): number {
  return Math.min(seats.length, LIMITS.admissionCommitteeSize);
}

/** A box that a member offers: the member's node id and the box's name. */
export interface DrawnBox {
  readonly node: Uint8Array;
  readonly box: string;
}

/** What the two blocks that draw for a capsule give together: VRF outputs of the first and of the second. */
export function boxDraw(first: Uint8Array, second: Uint8Array): Uint8Array {
  return domainDigest('box-draw', first, second);
}

/** The members with boxes that fit, in the order in which one is drawn for an attempt: each alike, however many boxes it has. */
export function memberOrder(output: Uint8Array, capsule: string, attempt: number, nodes: readonly Uint8Array[]): Uint8Array[] {
  return orderedBy(nodes, (node) => domainDigest('box-order', output, encoder.encode(capsule), uint64(attempt), node));
}

/** The boxes of the drawn member in the order in which they are asked to run an attempt. @param output of the draw (`boxDraw`). @param capsule its id */
export function boxOrder<B extends DrawnBox>(output: Uint8Array, capsule: string, attempt: number, boxes: readonly B[]): B[] {
  return orderedBy(boxes, ({ node, box }) =>
    domainDigest('box-order', output, encoder.encode(capsule), uint64(attempt), node, encoder.encode(box)),
  );
}

const encoder = new TextEncoder();

/** In the order of digests. */
export function orderedBy<T>(items: readonly T[], keyOf: (item: T) => Uint8Array): T[] {
  const keyed = items.map((item) => ({ item, key: hex(keyOf(item)) }));
  return keyed.sort((left, right) => (left.key < right.key ? -1 : 1)).map(({ item }) => item);
}
