/** What a voter keeps, as bytes: the same comes back, and nothing else is read. Specification §13.3, §14.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BallotMessage } from '#protocol/chain/ballot.ts';
import { signMessage } from '#protocol/signed.ts';
import type { CastBallot, VoteRecord } from '../../../device/votes/decision.ts';
import { decodeVoteRecord, encodeVoteRecord } from '../../../device/votes/vote-record.ts';
import { ballot, nodesOf, X } from './assembly.ts';

function signed(node: string): CastBallot {
  const cast = ballot(node, 2, 'prevote', X);
  return { ...cast, envelope: signMessage(BallotMessage, cast.ballot, () => new Uint8Array(64)) };
}

const record: VoteRecord = {
  round: 3,
  locked: { round: 2, value: X, prevotes: nodesOf(3).map(signed) },
  cast: [
    { round: 2, step: 'precommit', value: X },
    { round: 3, step: 'prevote' },
  ],
};

test('a record comes back as it was stored, with the prevotes of its lock (§13.3)', () => {
  for (const kept of [record, { round: 0, cast: [] }]) {
    assert.deepEqual(decodeVoteRecord(encodeVoteRecord(kept)), { status: 'decoded', value: kept });
  }
});

test('a record of a quorum of 400 voters can be read (§13.1)', () => {
  const kept: VoteRecord = { ...record, locked: { round: 2, value: X, prevotes: nodesOf(400).map(signed) } };
  assert.equal(decodeVoteRecord(encodeVoteRecord(kept)).status, 'decoded');
});

test('a damaged record is refused with a reason, never read as another one (§14.4)', () => {
  const stored = encodeVoteRecord(record);
  for (let cut = 0; cut < stored.length; cut += 7) assert.equal(decodeVoteRecord(stored.subarray(0, cut)).status, 'malformed');
  const noBallot = encodeVoteRecord({
    ...record,
    locked: { round: 2, value: X, prevotes: [{ ...signed('11'.repeat(32)), envelope: new Uint8Array(9) }] },
  });
  assert.equal(decodeVoteRecord(noBallot).status, 'malformed');
});
