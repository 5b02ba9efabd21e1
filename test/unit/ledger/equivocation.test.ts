/** Members that contradict themselves are expelled by a proof, and by nothing else (§12.6, §13.5). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BallotMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { encodeBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import type { Voucher } from '#protocol/chain/voucher.ts';
import { LIMITS } from '#protocol/limits.ts';
import { claimedTime, type ChipTime } from '#protocol/chain/wait-certificate.ts';
import { signMessage } from '#protocol/signed.ts';
import { createStubMember, type StubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  blockOn,
  boxesOf,
  bravo,
  charlie,
  extended,
  finalised,
  grown,
  headOf,
  identity,
  judged,
  keyOf,
  readingAt,
  readyChain,
  reasonOf,
  recordOf,
  refusalOf,
  voucherOf,
} from './workshop.ts';

const chain = grown(readyChain, 4);
const bare = ({ headerBytes, end }: ReadBlock): Uint8Array => encodeBlock({ header: headerBytes, end, transactions: [] });
const proofOf = (first: ReadBlock, second: ReadBlock): Uint8Array =>
  encodeTransaction({ kind: 'equivocation', of: 'block', first: bare(first), second: bare(second) });

const one = blockOn(chain, bravo);
const other = blockOn(chain, bravo, [], { timeMs: one.header.timeMs + 1 });
const proof = proofOf(one, other);

describe('two blocks of one member and height', () => {
  test('expel it, with its boxes, and its seat goes with the next checkpoint (§12.6)', () => {
    const offering = extended(chain, alpha, [actionOf(bravo, boxesOf(1, 'box'))]);
    const without = extended(offering, alpha, [proof]);
    assert.equal(recordOf(without, bravo).standing, 'expelled');
    assert.deepEqual([headOf(offering).state.boxes.size, headOf(without).state.boxes.size], [1, 0]);
    assert.equal(refusalOf(without, actionOf(bravo, { action: 'leave' })), 'not-a-member');
    const after = finalised(without);
    assert.equal(reasonOf(judged(after, blockOn(after, bravo))), 'no-seat');
  });
  test('on different parents expel it too (§12.6)', () => {
    const elsewhere = blockOn(extended(grown(readyChain, 3), alpha), bravo);
    assert.equal(refusalOf(chain, proofOf(one, elsewhere)), 'accepted');
  });
  test('expel it once (§11.3)', () => {
    assert.equal(refusalOf(extended(chain, alpha, [proof]), proof), 'already-expelled');
    assert.equal(refusalOf(extended(chain, alpha, [proof]), proofOf(other, one)), 'already-expelled');
  });
  test('expel a member that has left before it was found out (§12.6)', () => {
    const left = extended(chain, alpha, [actionOf(bravo, { action: 'leave' })]);
    assert.equal(recordOf(extended(left, alpha, [proof]), bravo).standing, 'expelled');
  });
});

describe('two blocks of one member and height, one waited after the other', () => {
  const fork = extended(grown(readyChain, 3), alpha);
  const after = (start: Partial<ChipTime>): ReadBlock => blockOn(fork, bravo, [], { start: { ...end(), ...start } });
  const end = (): ChipTime => claimedTime(one.end) ?? assert.fail();
  test('are no contradiction: the first may have lost (§12.6)', () => {
    assert.equal(refusalOf(chain, proofOf(one, after({}))), 'no-contradiction');
    assert.equal(refusalOf(chain, proofOf(after({}), one)), 'no-contradiction');
    assert.equal(refusalOf(chain, proofOf(one, after({ resetCount: end().resetCount + 1, timeMs: 0 }))), 'no-contradiction');
    assert.equal(refusalOf(chain, proofOf(one, after({ restartCount: end().restartCount + 1, timeMs: 0 }))), 'no-contradiction');
  });
  test('are one where a millisecond counts for both (§12.6)', () => {
    assert.equal(refusalOf(chain, proofOf(one, after({ timeMs: end().timeMs - 1 }))), 'accepted');
  });
});

describe('a forged proof is refused', () => {
  test('of one block twice, of two heights, of two members, or of another network (§12.6)', () => {
    assert.equal(refusalOf(chain, proofOf(one, one)), 'no-contradiction');
    assert.equal(refusalOf(chain, proofOf(one, blockOn(extended(chain, alpha), bravo))), 'no-contradiction');
    assert.equal(refusalOf(chain, proofOf(one, blockOn(chain, charlie))), 'no-contradiction');
    assert.equal(
      refusalOf(chain, proofOf(one, blockOn(chain, bravo, [], { header: { network: new Uint8Array(32) } }))),
      'no-contradiction',
    );
  });
  test('with a header that the member’s chip never certified (§12.6)', () => {
    const forged = blockOn(chain, bravo, [], { chip: alpha, header: { draw: one.header.draw, timeMs: 2e12 } });
    assert.equal(refusalOf(chain, proofOf(one, forged)), 'contradiction-unproven');
    assert.equal(refusalOf(chain, proofOf(one, { ...other, end: one.end })), 'contradiction-unproven');
  });
  test('against a stranger or an applicant (§12.6)', () => {
    const stranger = createStubMember('stranger');
    const theirs = blockOn(chain, stranger);
    const again = blockOn(chain, stranger, [], { timeMs: theirs.header.timeMs + 1 });
    assert.equal(refusalOf(chain, proofOf(theirs, again)), 'not-a-member');
    const application = encodeTransaction({ kind: 'application', card: stranger.card(new Uint8Array(16)) });
    assert.notEqual(refusalOf(chain, application), 'accepted');
  });
  test('that is no two blocks, or carries transactions (§12.6)', () => {
    const garbage = encodeTransaction({ kind: 'equivocation', of: 'block', first: Uint8Array.of(1), second: bare(one) });
    assert.equal(refusalOf(chain, garbage), 'malformed');
    const voucher = voucherOf(alpha, { timeMs: 1, resetCount: 9, restartCount: 0 });
    const laden = encodeBlock({ header: one.headerBytes, end: one.end, transactions: [voucher.slice(0, 100)] });
    const heavy = encodeTransaction({ kind: 'equivocation', of: 'block', first: laden, second: bare(other) });
    assert.equal(refusalOf(chain, heavy), 'no-contradiction');
  });
});

describe('two ballots', () => {
  const value = new Uint8Array(32).fill(5);
  const ballotOf = (member: StubMember, change: Partial<Ballot> = {}, boot?: string): Uint8Array => {
    const ballot: Ballot = {
      network: identity,
      instance: new Uint8Array(32),
      round: 2,
      step: 'prevote',
      value,
      node: member.node,
      ...change,
    };
    return signMessage(BallotMessage, ballot, keyOf(member, boot).sign);
  };
  const votes = (first: Uint8Array, second: Uint8Array): Uint8Array =>
    encodeTransaction({ kind: 'equivocation', of: 'ballot', first, second });
  const contrary = ballotOf(bravo, { value: new Uint8Array(32).fill(6) });
  const { value: _, ...forNone } = {
    network: identity,
    instance: new Uint8Array(32),
    round: 2,
    step: 'prevote' as const,
    value,
    node: bravo.node,
  };

  test('of one voter, round and step for different values expel it (§13.5)', () => {
    const without = extended(chain, alpha, [votes(ballotOf(bravo), contrary)]);
    assert.equal(recordOf(without, bravo).standing, 'expelled');
    assert.equal(refusalOf(chain, votes(ballotOf(bravo), signMessage(BallotMessage, forNone, keyOf(bravo).sign))), 'accepted');
  });
  test('for the same value, another round, step, instance or voter are none (§13.2)', () => {
    assert.equal(refusalOf(chain, votes(ballotOf(bravo), ballotOf(bravo))), 'no-contradiction');
    const others: Partial<Ballot>[] = [{ round: 3 }, { step: 'precommit' }, { instance: value }, { node: alpha.node }, { network: value }];
    for (const change of others) {
      const moved = ballotOf(bravo, { value: new Uint8Array(32).fill(6), ...change });
      assert.equal(refusalOf(chain, votes(ballotOf(bravo), moved)), 'no-contradiction', Object.keys(change).join());
    }
  });
  test('that somebody else signed in its name are none (§13.5)', () => {
    const forged = ballotOf(alpha, { node: bravo.node, value: new Uint8Array(32).fill(6) });
    assert.equal(refusalOf(chain, votes(ballotOf(bravo), forged)), 'contradiction-unproven');
    assert.equal(refusalOf(chain, votes(ballotOf(bravo, {}, 'elsewhere'), contrary)), 'contradiction-unproven');
    assert.equal(refusalOf(chain, votes(Uint8Array.of(1), contrary)), 'malformed');
  });
  test('with keys of two boots of one chip are (§13.2)', () => {
    const rebooted = extended(chain, alpha, [voucherOf(bravo, { timeMs: 1, resetCount: 4, restartCount: 0 })]);
    assert.equal(refusalOf(rebooted, votes(ballotOf(bravo, {}, '4.0'), contrary)), 'accepted');
  });

  describe('by a key that newer ones have pushed out of the state', () => {
    const [number, previous] = [1, headOf(chain).state.core.checkpoint.block];
    const instance = checkpointInstance(identity, number, previous);
    const [first, second] = [1, 2].map((fill) => ballotOf(bravo, { instance, value: new Uint8Array(32).fill(fill) })) as [
      Uint8Array,
      Uint8Array,
    ];
    const shed = [4, 5, 6, 7].reduce(
      (longer, resetCount) => extended(longer, alpha, [voucherOf(bravo, { timeMs: 1, resetCount, restartCount: 0 })]),
      chain,
    );
    const shown = (member: StubMember): Voucher => member.voucher(identity, readingAt(0), keyOf(member).publicKey);
    const proven = (vouchers: Voucher[], checkpoint = { number, previous }) =>
      encodeTransaction({ kind: 'equivocation', of: 'ballot', first, second, vouchers, checkpoint });

    test('expel it if the proof shows that key’s voucher (§11.3)', () => {
      assert.equal(refusalOf(shed, votes(first, second)), 'contradiction-unproven');
      assert.equal(recordOf(extended(shed, alpha, [proven([shown(bravo)])]), bravo).standing, 'expelled');
      assert.equal(refusalOf(chain, proven([shown(bravo)])), 'accepted', 'also while the state has the key');
    });
    test('and do not with the voucher of another chip, of no use, or forged (§11.3)', () => {
      assert.equal(refusalOf(shed, proven([shown(alpha)])), 'voucher-unneeded');
      const unused = bravo.voucher(identity, readingAt(0), keyOf(bravo, 'elsewhere').publicKey);
      assert.equal(refusalOf(shed, proven([shown(bravo), unused])), 'voucher-unneeded');
      const forged = { ...alpha.voucher(identity, readingAt(0), keyOf(bravo).publicKey), node: bravo.node };
      assert.equal(refusalOf(shed, proven([forged])), 'voucher-quote-signature-wrong');
      const chips = encodeTransaction({
        kind: 'equivocation',
        of: 'block',
        first: bare(one),
        second: bare(other),
        vouchers: [shown(bravo)],
      });
      assert.equal(refusalOf(shed, chips), 'voucher-unneeded');
    });
    test('and do not without the checkpoint that they vote on, or after 4,096 more (§11.3)', () => {
      const nameless = encodeTransaction({ kind: 'equivocation', of: 'ballot', first, second, vouchers: [shown(bravo)] });
      assert.equal(refusalOf(shed, nameless), 'contradiction-unproven');
      assert.equal(refusalOf(shed, proven([shown(bravo)], { number: 2, previous })), 'contradiction-unproven');
      const head = headOf(shed);
      const after = (last: number) => {
        const core = { ...head.state.core, checkpoint: { ...head.state.core.checkpoint, number: last } };
        return { ...shed, positions: [...shed.positions.slice(0, -1), { ...head, state: { ...head.state, core } }] };
      };
      assert.equal(refusalOf(after(LIMITS.contradictionCheckpointsMax), proven([shown(bravo)])), 'accepted');
      assert.equal(refusalOf(after(number + LIMITS.contradictionCheckpointsMax), proven([shown(bravo)])), 'contradiction-too-old');
    });
  });
});
