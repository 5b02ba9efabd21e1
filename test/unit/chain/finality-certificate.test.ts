/** Finality certificates. threats.md, "Consensus": undrawn, duplicate, replayed and weight-inflated votes. Specification §13.4. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { BallotMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { judgeCertificate, type CertificateContext, type FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { decodeStrict, sameBytes } from '#protocol/codec.ts';
import { Envelope, signMessage } from '#protocol/signed.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { softwareChip, type SoftwareChip } from './software-chip.ts';

const crypto = createNodeCrypto();
const digest = (value: number) => new Uint8Array(32).fill(value);
const network = digest(1);
const chips = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  .map(softwareChip)
  .toSorted((left, right) => (left.node.toHex() < right.node.toHex() ? -1 : 1));
const stranger = softwareChip('stranger');
const context: CertificateContext = {
  network,
  voters: chips.map(({ node }) => node),
  isKeyOf: (node, key) => [...chips, stranger].some((chip) => sameBytes(chip.node, node) && sameBytes(chip.operationalKey, key)),
};
const checkpoint = { number: 3, previous: digest(2), block: digest(3), height: 40, round: 1 };

/** The precommit as a voter really sends it, taken out of its envelope. */
function voteOf(chip: SoftwareChip, changes: Partial<Ballot> = {}): FinalityCertificate['votes'][number] {
  const instance = checkpointInstance(network, checkpoint.number, checkpoint.previous);
  const ballot: Ballot = {
    network,
    instance,
    round: checkpoint.round,
    step: 'precommit',
    value: checkpoint.block,
    node: chip.node,
    ...changes,
  };
  const envelope = decodeStrict(Envelope, signMessage(BallotMessage, ballot, chip.sign), BallotMessage.bytesMax);
  assert.ok(envelope.status === 'decoded');
  return { node: chip.node, key: chip.operationalKey, signature: envelope.value.signature };
}

function certificateBy(voters: readonly SoftwareChip[], changes: Partial<FinalityCertificate> = {}): FinalityCertificate {
  return { ...checkpoint, votes: voters.map((chip) => voteOf(chip)), ...changes };
}

function outcome(certificate: FinalityCertificate, changes: Partial<CertificateContext> = {}): string {
  const verdict = judgeCertificate(crypto, certificate, { ...context, ...changes });
  return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
}

/** Five of seven are a quorum. */
const quorum = certificateBy(chips.slice(0, 5));

test('precommits of a quorum as voters send them are a certificate (§13.4)', () => {
  assert.deepEqual(judgeCertificate(crypto, quorum, context), { status: 'accepted', weight: 5 });
  assert.deepEqual(judgeCertificate(crypto, certificateBy(chips), context), { status: 'accepted', weight: 7 });
});

test('a quorum is more than two thirds of the whole weight, the absent included (§13.3)', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 10, 128, 400].map(quorumOf), [1, 2, 3, 3, 4, 5, 5, 7, 86, 267]);
  for (let total = 1; total <= 400; total += 1) assert.ok(quorumOf(total) * 3 > total * 2 && (quorumOf(total) - 1) * 3 <= total * 2);
});

test('less than a quorum is refused (§13.4)', () => {
  assert.equal(outcome(certificateBy(chips.slice(0, 4))), 'no-quorum');
  assert.equal(outcome({ ...quorum, votes: [] }), 'no-quorum');
});

describe('votes', () => {
  test('a vote that stands twice is refused, next to itself or apart: weight is not inflated (§13.4)', () => {
    const [first, ...rest] = certificateBy(chips.slice(0, 4)).votes;
    assert.equal(outcome({ ...checkpoint, votes: [first!, first!, ...rest] }), 'vote-repeated');
    assert.equal(outcome({ ...checkpoint, votes: [first!, ...rest, first!] }), 'votes-out-of-order');
  });

  test('votes out of order are refused: a certificate has one form (§13.4)', () => {
    assert.equal(outcome({ ...quorum, votes: quorum.votes.toReversed() }), 'votes-out-of-order');
  });

  test('a vote of somebody without a seat there is refused, not passed over (§13.4)', () => {
    const votes = [...quorum.votes, voteOf(stranger)].toSorted((left, right) => (left.node.toHex() < right.node.toHex() ? -1 : 1));
    assert.equal(outcome({ ...checkpoint, votes }), 'not-a-voter');
    assert.equal(outcome(quorum, { voters: context.voters.slice(1) }), 'not-a-voter');
  });

  test('a key for which no voucher is known is refused: it may live elsewhere (§13.4)', () => {
    assert.equal(outcome(quorum, { isKeyOf: () => false }), 'key-unknown');
    const [first, ...rest] = quorum.votes;
    assert.equal(outcome({ ...quorum, votes: [{ ...first!, key: stranger.operationalKey }, ...rest] }), 'key-unknown');
  });

  test('a vote of one member under the name of another is refused (§13.4)', () => {
    const [first, second, ...rest] = quorum.votes;
    assert.equal(outcome({ ...quorum, votes: [{ ...second!, node: first!.node }, second!, ...rest] }), 'key-unknown');
    assert.equal(outcome({ ...quorum, votes: [{ ...first!, signature: second!.signature }, second!, ...rest] }), 'signature-wrong');
  });
});

describe('what is voted on', () => {
  const foreign: [string, Partial<Ballot>][] = [
    ['block', { value: digest(9) }],
    ['round', { round: 2 }],
    ['network', { network: digest(9) }],
    ['checkpoint', { instance: checkpointInstance(network, 4, checkpoint.previous) }],
    ['step', { step: 'prevote' }],
  ];
  for (const [field, changes] of foreign) {
    test(`a vote for another ${field} is refused: replayed (§13.4)`, () => {
      const [, ...rest] = quorum.votes;
      assert.equal(outcome({ ...quorum, votes: [voteOf(chips[0]!, changes), ...rest] }), 'signature-wrong');
    });
  }

  test('a certificate changed in number, previous, block or round is refused (§13.4)', () => {
    for (const changes of [{ number: 4 }, { previous: digest(9) }, { block: digest(9) }, { round: 0 }]) {
      assert.equal(outcome({ ...quorum, ...changes }), 'signature-wrong');
    }
    assert.equal(outcome(quorum, { network: digest(9) }), 'signature-wrong');
  });

  test('precommits for none certify nothing (§13.4)', () => {
    const votes = chips.slice(0, 5).map((chip) => {
      const instance = checkpointInstance(network, checkpoint.number, checkpoint.previous);
      const none: Ballot = { network, instance, round: checkpoint.round, step: 'precommit', node: chip.node };
      const envelope = decodeStrict(Envelope, signMessage(BallotMessage, none, chip.sign), BallotMessage.bytesMax);
      assert.ok(envelope.status === 'decoded');
      return { node: chip.node, key: chip.operationalKey, signature: envelope.value.signature };
    });
    assert.equal(outcome({ ...checkpoint, votes }), 'signature-wrong');
  });
});
