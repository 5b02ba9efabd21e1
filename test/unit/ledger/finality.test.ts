/** Checkpoints on a branch: which certificates count (§13.1, §13.4), and what they bring into force (§11.5). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BallotMessage } from '#protocol/chain/ballot.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { decodeTransaction, encodeTransaction } from '#protocol/chain/transaction.ts';
import type { Voucher } from '#protocol/chain/voucher.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { signingInput } from '#protocol/signed.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  bravo,
  certificateOf,
  charlie,
  delta,
  extended,
  finalised,
  finalityOf,
  founders,
  genesisChain,
  grown,
  headOf,
  identity,
  keyOf,
  ledger,
  readyChain,
  recordOf,
  refusalOf,
  voucherOf,
} from './workshop.ts';

const chain = grown(readyChain, 4);

test('a quorum of the seats makes a block of the branch its checkpoint (§13.4)', () => {
  const above = extended(chain, bravo, [finalityOf(chain, 3, [alpha, bravo, delta])]);
  assert.deepEqual(headOf(above).state.core.checkpoint, { number: 1, height: 3, block: chain.positions[3]!.id });
  assert.deepEqual(
    founders.map((founder) => recordOf(above, founder).votedIn),
    [1, 1, 0, 1],
  );
});

test('a checkpoint comes once, in the order of numbers (§13.4)', () => {
  const above = extended(chain, bravo, [finalityOf(chain, 3)]);
  assert.equal(refusalOf(above, finalityOf(chain, 3)), 'checkpoint-out-of-order');
  assert.equal(refusalOf(chain, finalityOf(chain, 3, founders, { number: 2 })), 'checkpoint-out-of-order');
  assert.equal(refusalOf(chain, finalityOf(chain, 3, founders, { previous: chain.positions[1]!.id })), 'checkpoint-out-of-order');
});

test('a checkpoint is above the last, at most 64 heights, and below the block that certifies it (§13.1)', () => {
  const above = extended(chain, bravo, [finalityOf(chain, 3)]);
  assert.equal(refusalOf(above, finalityOf(above, 3)), 'checkpoint-out-of-reach');
  assert.equal(refusalOf(above, finalityOf(above, 2)), 'checkpoint-out-of-reach');
  const longer = grown(chain, LIMITS.checkpointStepMax);
  assert.equal(refusalOf(longer, finalityOf(longer, 64)), 'accepted');
  assert.equal(refusalOf(longer, finalityOf(longer, 65)), 'checkpoint-out-of-reach');
  const ahead = { ...certificateOf(chain, 5), height: 6 };
  assert.equal(refusalOf(chain, encodeTransaction({ kind: 'finality', certificate: ahead })), 'checkpoint-out-of-reach');
});

test('a certificate of another branch, or for another height, does not count here (§13.4)', () => {
  const other = extended(extended(chain, bravo), alpha);
  const mine = extended(extended(chain, charlie), alpha);
  assert.equal(refusalOf(mine, finalityOf(other, 6)), 'checkpoint-not-on-branch');
  const moved = { ...certificateOf(chain, 3), height: 4 };
  assert.equal(refusalOf(chain, encodeTransaction({ kind: 'finality', certificate: moved })), 'checkpoint-not-on-branch');
});

describe('a certificate is refused', () => {
  const certificate = certificateOf(chain, 3);
  const [first, second, third] = certificate.votes;
  const withVotes = (...votes: typeof certificate.votes) =>
    refusalOf(chain, encodeTransaction({ kind: 'finality', certificate: { ...certificate, votes } }));

  test('without a quorum of the whole weight (§13.3)', () => assert.equal(withVotes(first!, second!), 'certificate-no-quorum'));
  test('with a vote twice, or out of order: weight-inflated (§13.4)', () => {
    assert.equal(withVotes(first!, first!, second!), 'certificate-vote-repeated');
    assert.equal(withVotes(second!, first!, third!), 'certificate-votes-out-of-order');
  });
  test('with the vote of somebody without a seat (§13.1)', () => {
    const strangers = [alpha, bravo, charlie, createStubMember('stranger')];
    assert.equal(refusalOf(chain, finalityOf(chain, 3, strangers)), 'certificate-not-a-voter');
  });
  test('with a vote for another block or round, or signed by another (§13.4)', () => {
    assert.equal(withVotes(first!, second!, { ...third!, signature: second!.signature }), 'certificate-signature-wrong');
    const { round, ...rest } = certificate;
    const other = encodeTransaction({ kind: 'finality', certificate: { ...rest, round: round + 1 } });
    assert.equal(refusalOf(chain, other), 'certificate-signature-wrong');
  });
  test('with a key for which the branch has no voucher (§13.4)', () => {
    const bare = grown(genesisChain, 3);
    assert.equal(refusalOf(bare, finalityOf(bare, 2)), 'certificate-key-unknown');
    assert.equal(withVotes(first!, second!, { ...third!, key: keyOf(alpha, 'elsewhere').publicKey }), 'certificate-key-unknown');
  });
});

test('the vouchers of a certificate may come in the same block, before it (§13.4)', () => {
  const bare = grown(genesisChain, 3);
  const vouchers = founders.map((founder) => voucherOf(founder));
  assert.equal(headOf(extended(bare, alpha, [...vouchers, finalityOf(bare, 2)])).state.core.checkpoint.number, 1);
});

test('seats change with the checkpoint at or above the block that changed them, on the same branch (§11.5)', () => {
  const left = extended(chain, bravo, [actionOf(delta, { action: 'leave' })]);
  const height = headOf(left).height;
  assert.equal(headOf(left).state.core.seats.length, 4);
  const below = extended(grown(left, 1), alpha, [finalityOf(grown(left, 1), height - 1)]);
  assert.equal(headOf(below).state.core.seats.length, 4);
  const at = finalised(grown(left, 1));
  assert.deepEqual(headOf(at).state.core.seats.map(hex), [alpha, bravo, charlie].map(({ node }) => hex(node)).sort());
  assert.deepEqual(headOf(at).state.core.seatsToCome, [{ fromHeight: height, seats: headOf(at).state.core.seats }]);
});

test('on a private fork the seats do not shrink: who is cut off cannot finalise alone (§11.5, §13.5)', () => {
  const votes = [bravo, charlie, delta].map((member) => actionOf(member, { action: 'leave' }));
  const fork = grown(extended(chain, alpha, votes), 3);
  assert.equal(refusalOf(fork, finalityOf(fork, headOf(fork).height, [alpha])), 'certificate-no-quorum');
  assert.equal(ledger.voters(headOf(chain), 1).length, 4);
});

test('the mean wait follows the seats in force, so a group that splits off keeps its pace (§12.7)', () => {
  const output = new Uint8Array(32).fill(7);
  const before = ledger.waitMs(headOf(chain), output);
  const left = extended(chain, bravo, [actionOf(delta, { action: 'leave' })]);
  assert.equal(ledger.waitMs(headOf(left), output), before);
  assert.ok(ledger.waitMs(headOf(finalised(left)), output) < before);
});

test('the voters of a checkpoint follow from the state of the one before, now and later (§13.1)', () => {
  const left = extended(chain, bravo, [actionOf(delta, { action: 'leave' })]);
  assert.deepEqual(ledger.voters(headOf(left), 2).map(hex), [alpha, bravo, charlie].map(({ node }) => hex(node)).sort());
  assert.deepEqual(ledger.voters(headOf(chain), 1).map(hex), founders.map(({ node }) => hex(node)).sort());
  const later = grown(finalised(left), 2);
  assert.equal(refusalOf(later, finalityOf(later, headOf(later).height, [alpha, bravo, delta])), 'certificate-not-a-voter');
  assert.equal(refusalOf(later, finalityOf(later, headOf(later).height, [alpha, bravo, charlie])), 'accepted');
});

describe('a certificate shows vouchers of keys that the branch does not have (§13.4)', () => {
  const shown = (member: (typeof founders)[number]): Voucher => {
    const decoded = decodeTransaction(voucherOf(member));
    return decoded.status === 'decoded' && decoded.value.kind === 'voucher' ? decoded.value.voucher : assert.fail();
  };
  const bare = grown(genesisChain, 3);
  const certificate = certificateOf(bare, 2);
  const by = (vouchers: Voucher[]): Uint8Array => encodeTransaction({ kind: 'finality', certificate, vouchers });

  test('and counts with them', () => {
    assert.equal(refusalOf(bare, encodeTransaction({ kind: 'finality', certificate })), 'certificate-key-unknown');
    assert.equal(headOf(extended(bare, alpha, [by(founders.map(shown))])).state.core.checkpoint.number, 1);
  });
  test('and one member’s key, whose voucher is shown, counts for no other member', () => {
    const { publicKey: key, sign } = keyOf(alpha);
    const { number, previous, block, round } = certificate;
    const instance = checkpointInstance(identity, number, previous);
    const votes = certificate.votes.map(({ node }) => {
      const ballot = encodeStrict(BallotMessage.body, { network: identity, instance, round, step: 'precommit', value: block, node });
      return { node, key, signature: sign(signingInput('ballot', ballot)) };
    });
    const forged = encodeTransaction({ kind: 'finality', certificate: { ...certificate, votes }, vouchers: [shown(alpha)] });
    assert.equal(refusalOf(bare, forged), 'certificate-key-unknown');
  });
  test('but not with those of others, nor with forged ones', () => {
    assert.equal(refusalOf(bare, by([shown(createStubMember('stranger'))])), 'voucher-unneeded');
    const [first, ...rest] = founders.map(shown) as [Voucher, ...Voucher[]];
    assert.match(refusalOf(bare, by([{ ...first, quoteSignature: rest[0]!.quoteSignature }, ...rest])), /^voucher-quote-/);
  });
});
