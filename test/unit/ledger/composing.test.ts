/** What a member composes others accept, whatever comes in (§11.3): random transactions in random order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeState, encodeState } from '#protocol/chain/state-encoding.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import { encodeTransaction, transactionId, type Action } from '#protocol/chain/transaction.ts';
import { startQualifier } from '#protocol/chain/wait-certificate.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest } from '#protocol/network.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { seatsToCome } from '../../../device/ledger/seats.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  blockOn,
  boxesOf,
  bravo,
  branchOf,
  capsuleId,
  epochStartMs,
  extended,
  finalityOf,
  founders,
  genesisChain,
  headOf,
  identity,
  judged,
  ledger,
  network,
  readingAt,
  readyChain,
  reasonOf,
  submissionOf,
  voucherOf,
  type Chain,
} from './workshop.ts';

const newcomers = [createStubMember('echo'), createStubMember('foxtrot')];
const everybody = [...founders, ...newcomers];

/** Anything that anybody might say, good or not; made when the chain is known. */
type Said = (chain: Chain) => Uint8Array;

const who = fc.constantFrom(...everybody);
const capsule = fc.tuple(fc.nat(2), who).map(([index, gateway]) => capsuleId(index, gateway));
const attempt = fc.integer({ min: 1, max: LIMITS.attemptsMax });
const action: fc.Arbitrary<(chain: Chain) => Action> = fc.oneof(
  who.map(({ member }) => () => ({ action: 'vouch' as const, applicant: memberDigest(member) })),
  fc.constant(() => ({ action: 'leave' as const })),
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.subarray(['a', 'b', 'c'])).map(
    ([serial, names]) =>
      () =>
        boxesOf(serial, ...names),
  ),
  fc.tuple(fc.nat(2), who).map(
    ([index, gateway]) =>
      (chain: Chain) =>
        submissionOf(index, { acceptedAtMs: headOf(chain).timeMs || epochStartMs }, gateway),
  ),
  fc.tuple(capsule, attempt).map(([id, number]) => () => ({ action: 'retry' as const, capsule: id, attempt: number })),
  fc.tuple(capsule, attempt).map(
    ([id, number]) =>
      () =>
        ({ action: 'receipt', capsule: id, attempt: number, receipt: new Uint8Array(32), state: 'agreed' }) as const,
  ),
  capsule.map((id) => () => ({ action: 'cancellation' as const, capsule: id })),
);
const said: fc.Arbitrary<Said> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(who, action).map(
      ([member, make]): Said =>
        (chain) =>
          actionOf(member, make(chain)),
    ),
  },
  fc.tuple(who, fc.constantFrom(3, 4)).map(
    ([member, resetCount]): Said =>
      () =>
        voucherOf(member, { ...readingAt(0), resetCount }, '3.1'),
  ),
  fc.constantFrom(...newcomers).map(
    (member): Said =>
      () =>
        encodeTransaction({ kind: 'application', card: member.card(network.genesis.salt) }),
  ),
  fc.nat(3).map(
    (below): Said =>
      (chain) =>
        finalityOf(chain, Math.max(headOf(chain).height - below, 0)),
  ),
  who.map((member): Said => (chain) => {
    const [one, other] = [blockOn(chain, member), blockOn(chain, member, [], { timeMs: 2e12 })];
    return encodeTransaction({ kind: 'equivocation', of: 'block', first: one.encoded, second: other.encoded });
  }),
);
const blocks = fc.array(fc.tuple(fc.nat(3), fc.array(said, { maxLength: 8 })), { maxLength: 12 });

function assertInvariants(chain: Chain): void {
  const { state, height } = headOf(chain);
  const { core } = state;
  for (const seats of [core.seats, ...core.seatsToCome.map((entry) => entry.seats)]) {
    assert.ok(seats.length > 0);
    assert.deepEqual(seats.map(hex), [...new Set(seats.map(hex))].sort());
  }
  const members = state.members.values().filter(({ standing }) => standing === 'member');
  assert.deepEqual(members.map(({ node }) => hex(node)).toArray(), seatsToCome(state).map(hex));
  assert.ok(core.checkpoint.height <= height && core.seatsToCome[0]!.fromHeight <= Math.max(core.checkpoint.height, 0));
  assert.deepEqual(chain.positions[core.checkpoint.height]!.id, core.checkpoint.block);
  assert.equal(new Set(state.members.values().map(({ member }) => member.name)).size, state.members.size);
  for (const { node } of state.boxes.values()) assert.equal(state.members.get(hex(node))!.standing, 'member');
  for (const record of state.capsules.values()) {
    assert.ok(record.attempts.length <= LIMITS.attemptsMax);
    assert.ok(!record.end || record.awaitsDraw === 'no');
  }
}

test('any transactions in any order: what compose() takes every member accepts, and the state stays sound (§11.3-11.5)', () => {
  fc.assert(
    fc.property(fc.boolean(), blocks, (isReady, plan) => {
      let chain = isReady ? readyChain : genesisChain;
      for (const [index, sayings] of plan) {
        const leader = founders.find(({ node }, at) => at >= index && ledger.draw(headOf(chain), node).status === 'drawn') ?? alpha;
        if (ledger.draw(headOf(chain), leader.node).status !== 'drawn') break;
        const block = blockOn(
          chain,
          leader,
          sayings.map((say) => say(chain)),
        );
        const verdict = judged(chain, block);
        assert.ok(verdict.status === 'accepted', 'detail' in verdict ? `${verdict.reason} ${verdict.detail}` : '');
        chain = { positions: [...chain.positions, verdict.position], blocks: [...chain.blocks, block] };
        assertInvariants(chain);
      }
      const { state } = headOf(chain);
      const decoded = decodeState(encodeState(state), stateRoot(state));
      assert.ok(decoded.status === 'decoded', 'detail' in decoded ? decoded.detail : '');
      assert.deepEqual(stateRoot(decoded.value), stateRoot(state));
    }),
    { numRuns: 30 },
  );
});

const leaderOf = (chain: Chain) => {
  const parent = headOf(chain);
  const draw = ledger.draw(parent, bravo.node);
  assert.ok(draw.status === 'drawn');
  const height = parent.height + 1;
  const start = bravo.getTime(startQualifier({ network: identity, parent: parent.id, node: bravo.node, height }), readingAt(height));
  return { node: bravo.node, output: vrfOutput(stubCrypto, bravo.prove(draw.alpha)), start, timeMs: parent.timeMs + 60_000 };
};

test('every transaction is good once: a block that was taken has nothing left to replay (§11.3)', () => {
  const once = [actionOf(alpha, boxesOf(1, 'a')), actionOf(bravo, submissionOf(1, { acceptedAtMs: headOf(readyChain).timeMs }, bravo))];
  const chain = extended(readyChain, bravo, once);
  const old = [...readyChain.blocks, ...chain.blocks].flatMap(({ transactions }) => transactions);
  const { transactions, refused } = ledger.compose(headOf(chain), leaderOf(chain), old, branchOf(chain));
  assert.deepEqual([transactions.length, refused.length], [0, old.length]);
});

test('candidates that are refused are told with their reason, and those after them stand (§11.3)', () => {
  const good = actionOf(alpha, boxesOf(1, 'a'));
  const bad = actionOf(alpha, { action: 'cancellation', capsule: capsuleId(1) });
  const { transactions, refused } = ledger.compose(headOf(readyChain), leaderOf(readyChain), [bad, good, good], branchOf(readyChain));
  assert.deepEqual(transactions.map(hex), [hex(good)]);
  assert.deepEqual(
    refused.map(({ id, reason }) => [hex(id), reason]),
    [
      [hex(transactionId(bad)), 'capsule-unknown'],
      [hex(transactionId(good)), 'serial-not-later'],
    ],
  );
});

test('a full block fits its packet, and what does not fit waits (§10)', () => {
  const names = Array.from({ length: LIMITS.chainBoxesPerMemberMax }, (_, index) => `b${String(index).padStart(2, '0')}`);
  const large = Array.from({ length: 80 }, (_, index) => actionOf(alpha, boxesOf(index + 1, ...names)));
  const block = blockOn(readyChain, bravo, large);
  assert.ok(block.encoded.length <= LIMITS.blockBytesMax && block.encoded.length > LIMITS.blockBytesMax - 8_192);
  assert.equal(reasonOf(judged(readyChain, block)), 'accepted');
  const composed = ledger.compose(headOf(readyChain), leaderOf(readyChain), large, branchOf(readyChain));
  assert.deepEqual([composed.transactions.map(hex), composed.refused], [block.transactions.map(hex), []]);
});

test('a block holds at most 512 transactions, however small (§10)', () => {
  const { timeMs } = headOf(readyChain);
  const count = LIMITS.transactionsPerBlockMax + 10;
  const small = Array.from({ length: count }, (_, index) => actionOf(alpha, submissionOf(index, { acceptedAtMs: timeMs })));
  const block = blockOn(readyChain, bravo, small);
  assert.equal(block.transactions.length, LIMITS.transactionsPerBlockMax);
  assert.equal(reasonOf(judged(readyChain, block)), 'accepted');
});
