/** Whose place is which in the committee of an anchor. Specification §20.2. */
import { blobDigest, uint64 } from '#protocol/digest.ts';
import { anchorQuorum, placesOf, seatAt } from '#protocol/layer1/anchor-committee.ts';
import { caseKind } from './case-kind.ts';

interface PlaceInput {
  readonly seed: Uint8Array;
  readonly epoch: number;
  readonly round: number;
  readonly place: number;
  readonly seats: number;
  readonly [name: string]: Uint8Array | number;
}

const seed = blobDigest(uint64(7));

export const placeCases = caseKind<PlaceInput>({
  name: 'places',
  named: function* () {
    for (const seats of [1, 2, 3, 4, 5, 6, 7, 10, 127, 128, 129, 200, 1_000, 1_000_000, 2 ** 32 - 1]) {
      const last = placesOf(seats) - 1;
      for (const place of new Set([0, last])) yield [`place ${place} of ${seats} seats`, { seed, epoch: 1, round: 0, place, seats }];
    }
    yield ['the last draw', { seed, epoch: 1, round: 15, place: 3, seats: 1_000 }];
    yield ['a late epoch', { seed, epoch: 2 ** 40, round: 0, place: 3, seats: 1_000 }];
  },
  judge: ({ place, ...draw }) => ({
    verdict: 'accepted',
    seat: seatAt(draw, place),
    places: placesOf(draw.seats),
    quorum: anchorQuorum(draw.seats),
  }),
  mutate: (draw) => {
    const seats = 1 + draw(2 ** (1 + draw(20)));
    return { seed: seed.with(draw(32), draw(256)), epoch: draw(2 ** 32), round: draw(16), place: draw(placesOf(seats)), seats };
  },
});
