/** Votes on an anchor as they are posted: whatever a draw of the places makes of them (§20.2, §20.3). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, hex, uint64 } from '#protocol/digest.ts';
import { anchorQuorum, placesOf, seatAt } from '#protocol/layer1/anchor-committee.ts';
import { composeVotes, judgeAnchorVotes, placesIn, type AnchorVotes } from '#protocol/layer1/anchor-post.ts';
import { packVote, unpackVote, VOTE_BYTES } from '#protocol/layer1/anchor-vote.ts';
import { drawFrom } from '../../../scripts/fuzz/random.ts';
import { chips, leafOf } from '../anchors/workshop.ts';

const anchor = blobDigest(uint64(5));
const keys = chips.map((chip) => leafOf(chip));
const held = chips.map((chip) => packVote(chip.certifyTime(anchor), anchor)!);
const drawOf = (seats: number) => ({ seed: blobDigest(uint64(seats)), seats, epoch: 4 });

/** Many seats have few chips here: a vote is worth the same by whichever seat. */
const chipOf = (seat: number) => seat % chips.length;
const verdictOf = (seats: number, votes: AnchorVotes, first?: number) =>
  judgeAnchorVotes(nobleCrypto, { anchor, draw: drawOf(seats) }, votes, (seat) => keys[chipOf(seat)], first);

describe('votes put together of whoever voted', () => {
  test('hold, have a quorum and no more, and there are none without one (§20.2)', () => {
    const draw = drawFrom(20);
    let posted = 0;
    for (const seats of [1, 2, 3, 4, 5, 7, 10, 127, 128, 129, 150, 400]) {
      for (const share of [0, 60, 70, 85, 100]) {
        const voted = new Set(Array.from({ length: seats }, (_, seat) => seat).filter(() => draw(100) < share));
        const votes = composeVotes(drawOf(seats), (seat) => (voted.has(seat) ? held[chipOf(seat)] : undefined));
        if (seats <= 128) assert.equal(votes !== undefined, voted.size >= anchorQuorum(seats), `${voted.size} of ${seats}`);
        if (!votes) continue;
        posted += 1;
        assert.equal(placesIn(votes.voters).length, anchorQuorum(seats));
        const voters = placesIn(votes.voters).map((place) => seatAt({ ...drawOf(seats), round: votes.round }, place));
        assert.ok(voters.every((seat) => voted.has(seat)));
        if (seats <= 10) assert.deepEqual(verdictOf(seats, votes), { status: 'accepted' });
      }
    }
    assert.ok(posted > 20, `${posted}`);
    assert.equal(composeVotes(drawOf(400), () => held[0])?.round, 0);
  });

  test('of many seats come from a later draw where the first has no quorum (§20.2)', () => {
    const seats = 400;
    const firstPlaces = Array.from({ length: placesOf(seats) }, (_, place) => seatAt({ ...drawOf(seats), round: 0 }, place));
    const silent = new Set(firstPlaces.slice(0, 60));
    const votes = composeVotes(drawOf(seats), (seat) => (silent.has(seat) ? undefined : held[chipOf(seat)]));
    assert.ok(votes && votes.round > 0 && votes.round < 16, String(votes?.round));
  });
});

describe('posted votes', () => {
  const good = composeVotes(drawOf(5), (seat) => held[seat])!;
  const refusalOf = (votes: AnchorVotes): string => {
    const verdict = verdictOf(5, votes);
    return verdict.status === 'accepted' ? verdict.status : verdict.reason;
  };

  test('are refused by their form as the contract refuses them (§20.3)', () => {
    assert.equal(refusalOf(good), 'accepted');
    assert.equal(refusalOf({ ...good, round: 16 }), 'round-unknown');
    assert.equal(refusalOf({ ...good, voters: good.voters | 32n }), 'place-unknown');
    assert.equal(refusalOf({ ...good, voters: 7n, votes: good.votes.subarray(0, 3 * VOTE_BYTES) }), 'too-few-votes');
    assert.equal(refusalOf({ ...good, votes: good.votes.subarray(1) }), 'votes-length');
    assert.equal(refusalOf({ ...good, votes: new Uint8Array() }), 'votes-length');
  });

  test('that do not hold are found by their number and seat, whichever byte is wrong (§20.3)', () => {
    const draw = drawFrom(3);
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const at = draw(good.votes.length);
      const votes = good.votes.with(at, (good.votes[at] ?? 0) ^ (1 + draw(255)));
      const verdict = verdictOf(5, { ...good, votes });
      assert.ok(verdict.status === 'refused' && 'vote' in verdict, `byte ${at}`);
      assert.equal(verdict.vote, Math.floor(at / VOTE_BYTES));
      assert.equal(verdict.seat, placesIn(good.voters)[verdict.vote]);
    }
  });

  test('of several that do not hold, the first one from where judging begins is named, and none is passed over (§20.9)', () => {
    const bad = [1, 3].reduce((votes, vote) => votes.with(vote * VOTE_BYTES, (votes[vote * VOTE_BYTES] ?? 0) ^ 1), good.votes);
    const found = [0, 1, 2, 3].map((first) => {
      const verdict = verdictOf(5, { ...good, votes: bad }, first);
      return verdict.status === 'refused' && 'vote' in verdict ? verdict.vote : undefined;
    });
    assert.deepEqual(found, [1, 1, 3, 3]);
    const before = good.votes.with(0, (good.votes[0] ?? 0) ^ 1);
    assert.deepEqual(verdictOf(5, { ...good, votes: before }, 2), { status: 'refused', reason: 'not-signed', vote: 0, seat: 0 });
  });
});

test('a vote is packed and unpacked to what the chip signed; of other bytes there is none (§20.2)', () => {
  for (const [index, chip] of chips.entries()) {
    const certificate = chip.certifyTime(anchor);
    const packed = packVote(certificate, anchor)!;
    assert.equal(packed.length, VOTE_BYTES);
    const whole = unpackVote(packed, chip.key.qualifiedName, anchor);
    assert.deepEqual([hex(whole.attestation), hex(whole.signature)], [hex(certificate.attestation), hex(certificate.signature)]);
    assert.equal(packVote(certificate, blobDigest(anchor)), undefined, `${index}: about another anchor`);
    const inner = { clockInfo: { clock: 1n, resetCount: 9, restartCount: 0, safe: true } };
    assert.equal(packVote(chip.certifyTime(anchor, { outer: inner }), anchor), undefined, `${index}: other counts inside`);
    assert.equal(packVote({ ...certificate, attestation: certificate.attestation.subarray(1) }, anchor), undefined);
  }
});
