/** Whose votes make an anchor: every seat, or places that are drawn where there are many. Specification §20.2. */
import { domainDigest, hex, uint64 } from '../digest.ts';
import { LIMITS } from '../limits.ts';

/** What the places of an epoch are drawn by: the anchor before, and the number of the draw. */
export interface PlaceDraw {
  /** Seed and seats of the anchor before. */
  readonly seed: Uint8Array;
  readonly seats: number;
  /** Of the anchor that is voted on. */
  readonly epoch: number;
  readonly round: number;
}

export function placesOf(seats: number): number {
  return Math.min(seats, LIMITS.anchorPlacesMax);
}

/** More than two thirds of the places, the absent included. */
export function anchorQuorum(seats: number): number {
  return Math.floor((placesOf(seats) * 2) / 3) + 1;
}

/** The number of the seat that has a place. @param place 0 to `placesOf(seats)` − 1 */
export function seatAt({ seed, seats, epoch, round }: PlaceDraw, place: number): number {
  if (seats <= LIMITS.anchorPlacesMax) return place;
  const drawn = domainDigest('anchor-committee', seed, uint64(epoch), uint64(round), uint64(place));
  return Number(BigInt(`0x${hex(drawn)}`) % BigInt(seats));
}
