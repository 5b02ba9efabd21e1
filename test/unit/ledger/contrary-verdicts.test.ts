/** A judge that says two words of one thing is expelled by its own two signatures, and by nothing else (§18.5). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BallotMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { encodeTransaction, type TransactionOf } from '#protocol/chain/transaction.ts';
import { VerdictBallotMessage, verdictInstance, verdictValue, type VerdictWord } from '#protocol/chain/verdict.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { signMessage } from '#protocol/signed.ts';
import type { StubMember, StubReading } from '../../simulation/stub-tpm.ts';
import {
  attested,
  ballotOf,
  entered,
  judgesFor,
  keyOf,
  reading,
  refusalOf,
  trusting,
  trustOf,
  verdictRefusal,
  voucherOf,
  type Trusting,
} from './trust-workshop.ts';

const ten = trusting(10);
const subject = ten.members[0]!;
const shown = attested(ten, subject);
const judges = judgesFor(shown, subject, { slot: 0, level: 0 });
const [judge, another] = judges as [StubMember, StubMember];
const undrawn = ten.members.find((member) => member !== subject && !judges.includes(member))!;

type Proof = TransactionOf<'equivocation'>;

const said = (word: VerdictWord, change: Partial<Ballot> = {}, by = judge, kind?: typeof BallotMessage) =>
  ballotOf(shown, by, subject, word, change, kind).envelope;
const proofOf = (first: Uint8Array, second: Uint8Array, change: Partial<Proof> = {}): Uint8Array =>
  encodeTransaction({ kind: 'equivocation', of: 'verdict-ballot', first, second, ...change });
const proof = proofOf(said('trusted'), said('untrusted'));
const standingOf = ({ state }: Trusting, { node }: StubMember) => state.members.get(hex(node))?.standing;

describe('two ballots of one judge, instance, round and step', () => {
  test('for different words expel it, and its credit is gone (§18.5, §19)', () => {
    assert.ok(trustOf(shown, judge).credit > 0);
    const after = entered(shown, proof);
    assert.deepEqual([standingOf(after, judge), trustOf(after, judge).credit], ['expelled', 0]);
    assert.equal(refusalOf(after, proof), 'already-expelled');
    assert.equal(refusalOf(shown, proofOf(said('untrusted'), said('trusted'))), 'applied', 'in either order');
  });
  test('for different evidence, or none and a word, do as well (§18.5)', () => {
    const other = said('trusted', { value: verdictValue('trusted', subject.node) });
    assert.equal(refusalOf(shown, proofOf(said('trusted'), other)), 'applied');
    const { networkId: network } = shown.context;
    const instance = verdictInstance(network, { subject: subject.node, slot: 0, level: 0 });
    const none = { network, instance, round: 0, step: 'prevote' as const, node: judge.node };
    const forNone = signMessage(VerdictBallotMessage, none, keyOf(judge).sign);
    assert.equal(refusalOf(shown, proofOf(said('trusted'), forNone)), 'applied');
  });
  test('do so whether it was drawn or not (§18.5)', () =>
    assert.equal(refusalOf(shown, proofOf(said('trusted', {}, undrawn), said('untrusted', {}, undrawn))), 'applied'));
  test('take its vote out of every verdict that follows (§18.5)', () => {
    const after = entered(shown, proof);
    assert.equal(verdictRefusal(shown, subject), 'applied');
    assert.equal(verdictRefusal(after, subject), 'certificate-not-a-voter');
    assert.equal(verdictRefusal(after, subject, { voters: judges.filter((one) => one !== judge) }), 'applied');
  });
  test('with keys of two boots of one chip do so while the state has both (§18.5)', () => {
    const boots: StubReading[] = [4, 5, 6, 7].map((resetCount) => ({ ...reading, resetCount, restartCount: 0 }));
    const rebooted = boots.slice(0, LIMITS.memberKeysMax - 1).reduce((world, boot) => entered(world, voucherOf(world, judge, boot)), shown);
    assert.equal(refusalOf(rebooted, proof), 'applied');
    assert.equal(refusalOf(entered(rebooted, voucherOf(rebooted, judge, boots.at(-1))), proof), 'contradiction-unproven');
  });
});

describe('no proof of that is', () => {
  test('one word said twice, or two of another round, step, level, slot or subject (§18.5)', () => {
    const { networkId } = shown.context;
    const elsewhere = (about: { subject: Uint8Array; slot: number; level: number }) => ({ instance: verdictInstance(networkId, about) });
    const changes: Partial<Ballot>[] = [
      { round: 1 },
      { step: 'precommit' },
      elsewhere({ subject: subject.node, slot: 0, level: 1 }),
      elsewhere({ subject: subject.node, slot: 1, level: 0 }),
      elsewhere({ subject: another.node, slot: 0, level: 0 }),
      { node: another.node },
      { network: subject.node },
    ];
    assert.equal(refusalOf(shown, proofOf(said('trusted'), said('trusted'))), 'no-contradiction');
    for (const change of changes)
      assert.equal(refusalOf(shown, proofOf(said('trusted'), said('untrusted', change))), 'no-contradiction', Object.keys(change).join());
  });
  test('what somebody else has signed in its name (§18.5)', () => {
    const forged = said('untrusted', { node: judge.node }, another);
    assert.equal(refusalOf(shown, proofOf(said('trusted'), forged)), 'contradiction-unproven');
  });
  test('ballots of two purposes: a vote on a checkpoint is none on a verdict (§2.5)', () => {
    const onCheckpoint = said('untrusted', {}, judge, BallotMessage);
    assert.equal(refusalOf(shown, proofOf(said('trusted'), onCheckpoint)), 'contradiction-unproven');
    assert.equal(refusalOf(shown, proofOf(said('trusted'), said('untrusted'), { of: 'ballot' })), 'contradiction-unproven');
  });
  test('one with vouchers, or that is no two ballots (§11.3)', () => {
    const voucher = judge.voucher(shown.context.networkId, reading, keyOf(judge).publicKey);
    assert.equal(refusalOf(shown, proofOf(said('trusted'), said('untrusted'), { vouchers: [voucher] })), 'voucher-unneeded');
    assert.equal(refusalOf(shown, proofOf(Uint8Array.of(1), said('untrusted'))), 'malformed');
    assert.equal(refusalOf(shown, proofOf(said('trusted'), Uint8Array.of(1))), 'malformed');
  });
});
