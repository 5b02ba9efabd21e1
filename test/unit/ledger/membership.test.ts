/** Who becomes a member, and when it counts (§11.5). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest } from '#protocol/network.ts';
import { createStubMember, type StubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  blockOn,
  bravo,
  charlie,
  consensus,
  delta,
  extended,
  finalised,
  founders,
  grown,
  headOf,
  judged,
  ledger,
  network,
  readingAt,
  readyChain,
  reasonOf,
  recordOf,
  refusalOf,
  voucherOf,
  type Chain,
} from './workshop.ts';

const echo = createStubMember('echo');
const applicationOf = (member: StubMember, salt = network.genesis.salt) =>
  encodeTransaction({ kind: 'application', card: member.card(salt) });
const vouchOf = (by: StubMember, applicant: StubMember = echo) =>
  actionOf(by, { action: 'vouch', applicant: memberDigest(applicant.member) });
const applied = extended(readyChain, alpha, [applicationOf(echo)]);
const voters = [alpha, bravo, charlie];
const admitted = extended(
  applied,
  bravo,
  voters.map((voter) => vouchOf(voter)),
);

describe('an application', () => {
  test('with a card for this network makes an applicant (§11.5)', () => {
    const { node, standing, vouchedBy } = recordOf(applied, echo);
    assert.deepEqual({ node, standing, vouchedBy }, { node: echo.node, standing: 'applicant', vouchedBy: [] });
    assert.equal(headOf(applied).state.core.seatsToCome.length, 1);
  });
  test('with a card for another network is refused (§4.3)', () => {
    assert.equal(refusalOf(readyChain, applicationOf(echo, new Uint8Array(16))), 'card-vrf-key-certification-other-qualifying-data');
  });
  test('comes once for a chip, whatever its name, VRF key or standing: no second key, no way back (§11.5)', () => {
    assert.equal(refusalOf(applied, applicationOf(echo)), 'node-known');
    assert.equal(refusalOf(applied, applicationOf(createStubMember('foxtrot', 'echo', 'another try'))), 'node-known');
    assert.equal(refusalOf(readyChain, applicationOf(alpha)), 'node-known');
    const left = extended(readyChain, alpha, [actionOf(bravo, { action: 'leave' })]);
    assert.equal(refusalOf(left, applicationOf(bravo)), 'node-known');
  });
  test('with a name that is taken, or means something else in topics, is refused (§4.2)', () => {
    assert.equal(refusalOf(applied, applicationOf(createStubMember('echo', 'another chip'))), 'name-taken');
    assert.equal(refusalOf(applied, applicationOf(createStubMember('gossip'))), 'name-taken');
  });
  test('is refused while as many are known as a state holds (§10)', () => {
    const head = headOf(readyChain);
    let { members } = head.state;
    for (let index = members.size; index < LIMITS.chainMembersMax; index += 1)
      members = members.with(`m${index}`, recordOf(readyChain, alpha));
    const full: Chain = {
      ...readyChain,
      positions: [...readyChain.positions.slice(0, -1), { ...head, state: { ...head.state, members } }],
    };
    assert.equal(refusalOf(full, applicationOf(echo)), 'members-full');
  });
});

describe('vouching', () => {
  test('of more than two thirds of the seats makes a member, less does not (§11.5)', () => {
    const two = extended(applied, bravo, [vouchOf(alpha), vouchOf(bravo)]);
    assert.equal(recordOf(two, echo).standing, 'applicant');
    assert.equal(recordOf(extended(two, alpha, [vouchOf(delta)]), echo).standing, 'member');
  });
  test('counts once for each member, and for applicants only (§11.5)', () => {
    const one = extended(applied, bravo, [vouchOf(alpha)]);
    assert.equal(refusalOf(one, vouchOf(alpha)), 'already-vouched');
    assert.equal(refusalOf(readyChain, vouchOf(alpha)), 'applicant-unknown');
    assert.equal(refusalOf(admitted, vouchOf(delta)), 'applicant-unknown');
    assert.equal(refusalOf(readyChain, vouchOf(alpha, bravo)), 'applicant-unknown');
  });
  test('is for seats in force: a member that has none yet is not heard, nor is an applicant (§11.5)', () => {
    const foxtrot = createStubMember('foxtrot');
    const chain = extended(admitted, alpha, [voucherOf(echo), applicationOf(foxtrot)]);
    assert.equal(refusalOf(chain, vouchOf(echo, foxtrot)), 'no-seat');
    const early = extended(applied, alpha, [voucherOf(echo), applicationOf(foxtrot)]);
    assert.equal(refusalOf(early, vouchOf(echo, foxtrot)), 'not-a-member');
  });
  test('of a member that has gone since does not count (§11.5)', () => {
    const two = extended(applied, bravo, [vouchOf(alpha), vouchOf(bravo), actionOf(bravo, { action: 'leave' })]);
    assert.equal(recordOf(extended(two, alpha, [vouchOf(charlie)]), echo).standing, 'applicant');
  });
  test('that was too little for the seats is enough when fewer are in force (§11.5)', () => {
    const five = finalised(admitted);
    const foxtrot = createStubMember('foxtrot');
    const three = extended(five, alpha, [applicationOf(foxtrot), ...voters.map((voter) => vouchOf(voter, foxtrot))]);
    assert.equal(recordOf(three, foxtrot).standing, 'applicant');
    const fewer = finalised(extended(three, alpha, [voucherOf(echo), actionOf(echo, { action: 'leave' })]));
    assert.equal(recordOf(fewer, foxtrot).standing, 'member');
  });
});

describe('a newcomer', () => {
  test('draws from the third epoch after its seat, on a seed made of later outputs (§11.5)', () => {
    let chain = finalised(admitted);
    assert.equal(recordOf(chain, echo).drawsFromEpoch, 3);
    assert.equal(ledger.draw(headOf(admitted), echo.node).status, 'no-seat');
    while (headOf(chain).height < 3 * consensus.epochHeights - 1) {
      assert.deepEqual(reasonOf(ledger.draw(headOf(chain), echo.node)), 'not-yet');
      assert.equal(reasonOf(judged(chain, blockOn(chain, echo))), 'draw-too-early');
      chain = headOf(chain).height % 4 === 0 ? finalised(chain) : grown(chain, 1);
    }
    assert.equal(reasonOf(judged(chain, blockOn(chain, echo))), 'accepted');
  });
  test('waits longer while no checkpoint renews the seed, for an old seed was known when its key was made (§11.5, §12.1)', () => {
    const chain = grown(finalised(admitted), 4 * consensus.epochHeights);
    assert.equal(recordOf(chain, echo).drawsFromEpoch, 5);
    assert.equal(reasonOf(ledger.draw(headOf(chain), echo.node)), 'not-yet');
  });
  test('has no part in the block before its seat is in force (§11.5)', () => {
    assert.equal(reasonOf(judged(admitted, blockOn(admitted, echo))), 'no-seat');
  });
});

describe('leaving', () => {
  test('ends membership for good, and takes effect as a seat with the checkpoint (§11.5)', () => {
    const left = extended(readyChain, alpha, [actionOf(bravo, { action: 'leave' })]);
    assert.equal(recordOf(left, bravo).standing, 'left');
    assert.equal(refusalOf(left, actionOf(bravo, { action: 'leave' })), 'not-a-member');
    assert.equal(reasonOf(judged(left, blockOn(left, bravo))), 'accepted');
    const gone = finalised(left);
    assert.equal(reasonOf(judged(gone, blockOn(gone, bravo))), 'no-seat');
    assert.equal(refusalOf(gone, voucherOf(bravo, { ...readingAt(0), resetCount: 9 })), 'not-a-member');
  });
  test('whoever leaves may show a key of a later boot while its seat is in force: its vote still counts (§11.3, §11.5)', () => {
    const left = extended(readyChain, alpha, [actionOf(bravo, { action: 'leave' })]);
    assert.equal(refusalOf(left, voucherOf(bravo, { ...readingAt(0), resetCount: 9 })), 'accepted');
  });
  test('the last seat stays (§11.5)', () => {
    const alone = extended(
      readyChain,
      alpha,
      [bravo, charlie, delta].map((member) => actionOf(member, { action: 'leave' })),
    );
    assert.equal(refusalOf(alone, actionOf(alpha, { action: 'leave' })), 'last-seat');
  });
  test('waits for a checkpoint when too many blocks have changed the seats (§11.5)', () => {
    const head = headOf(readyChain);
    const { seats } = head.state.core;
    const seatsToCome = Array.from({ length: LIMITS.seatChangesMax }, (_, index) => ({ fromHeight: index, seats }));
    const crowded = { ...head, state: { ...head.state, core: { ...head.state.core, seatsToCome } }, height: 99 };
    const verdict = ledger.judgeTransaction(actionOf(alpha, { action: 'leave' }), crowded, { ancestorAt: () => undefined }, head.timeMs);
    assert.equal(reasonOf(verdict), 'seat-changes-full');
  });
});

test('a new member stands among the seats to come before it stands among those in force (§11.5)', () => {
  const { seats, seatsToCome } = headOf(admitted).state.core;
  assert.deepEqual(seats.map(hex), founders.map(({ node }) => hex(node)).sort());
  assert.deepEqual(seatsToCome.at(-1)!.seats.map(hex), [...founders, echo].map(({ node }) => hex(node)).sort());
  assert.deepEqual(headOf(finalised(admitted)).state.core.seats, seatsToCome.at(-1)!.seats);
});
