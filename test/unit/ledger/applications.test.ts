/** Applications that nobody can vouch for: they hold a chip, a name and room for a while only (§11.5). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MemberRecord } from '#protocol/chain/state.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest } from '#protocol/network.ts';
import { createLedger } from '../../../device/ledger/ledger.ts';
import { withoutStaleApplications } from '../../../device/ledger/applications.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember, type StubMember } from '../../simulation/stub-tpm.ts';
import { actionOf, alpha, bravo, extended, headOf, identity, network, readyChain, recordOf, refusalOf, type Chain } from './workshop.ts';

const applicationOf = (member: StubMember) => encodeTransaction({ kind: 'application', card: member.card(network.genesis.salt) });
const vouchOf = (by: StubMember, applicant: StubMember) => actionOf(by, { action: 'vouch', applicant: memberDigest(applicant.member) });
/** The chain with its head at another height, as if so many blocks without transactions were between. */
const later = (chain: Chain, heights: number): Chain => {
  const head = headOf(chain);
  return { ...chain, positions: [...chain.positions.slice(0, -1), { ...head, height: head.height + heights }] };
};
const withApplicants = (chain: Chain, records: readonly MemberRecord[]): Chain => {
  const head = headOf(chain);
  const members = records.reduce((all, record) => all.with(hex(record.node), record), head.state.members);
  return { ...chain, positions: [...chain.positions.slice(0, -1), { ...head, state: { ...head.state, members } }] };
};

const chip = createStubMember('echo');
/** A copied endorsement certificate with keys made in software: the same node, another card. */
const copied = createStubMember('echo', 'echo', 'software');
const stolen = extended(readyChain, alpha, [applicationOf(copied)]);

describe('an application with a copied certificate', () => {
  test('gives way to another of that chip after 32 heights, and not before (§11.5)', () => {
    assert.equal(hex(copied.node), hex(chip.node));
    assert.equal(refusalOf(later(stolen, LIMITS.applicationStandsHeights - 2), applicationOf(chip)), 'node-known');
    assert.equal(refusalOf(later(stolen, LIMITS.applicationStandsHeights - 1), applicationOf(chip)), 'accepted');
  });
  test('gives its name back as well (§11.5)', () => {
    const namesake = createStubMember('echo', 'another chip');
    assert.equal(refusalOf(stolen, applicationOf(namesake)), 'name-taken');
    assert.equal(refusalOf(later(stolen, LIMITS.applicationStandsHeights - 1), applicationOf(namesake)), 'accepted');
  });
  test('does not begin anew by being said again (§11.5)', () =>
    assert.equal(refusalOf(later(stolen, LIMITS.applicationStandsHeights), applicationOf(copied)), 'node-known'));
  test('stands no longer with the word of one faulty member, and does with that of more than may be faulty (§11.5)', () => {
    const once = extended(stolen, bravo, [vouchOf(bravo, copied)]);
    assert.equal(refusalOf(later(once, LIMITS.applicationStandsHeights), applicationOf(chip)), 'accepted');
    const twice = extended(once, bravo, [vouchOf(alpha, copied)]);
    assert.equal(refusalOf(later(twice, LIMITS.applicationStandsHeights), applicationOf(chip)), 'node-known');
  });
  test('can’t have the words that were given for the chip’s own card (§11.5)', () => {
    assert.equal(refusalOf(stolen, vouchOf(bravo, chip)), 'applicant-unknown');
    assert.equal(refusalOf(stolen, vouchOf(bravo, copied)), 'accepted');
  });
});

describe('an applicant that is no member', () => {
  const { state, height } = headOf(stolen);
  test('is forgotten after 4,096 heights (§11.5)', () => {
    assert.ok(withoutStaleApplications(state, height + LIMITS.applicationKeepHeights - 1).members.has(hex(chip.node)));
    assert.ok(!withoutStaleApplications(state, height + LIMITS.applicationKeepHeights).members.has(hex(chip.node)));
  });
  test('is forgotten by the block of that height itself, and a member never is (§11.4)', () => {
    const old = withApplicants(stolen, [{ ...recordOf(stolen, chip), appliedHeight: height + 1 - LIMITS.applicationKeepHeights }]);
    const after = headOf(extended(old, bravo)).state.members;
    assert.deepEqual([after.has(hex(chip.node)), after.size], [false, 4]);
  });
});

describe('of many applications', () => {
  test('one stands in a block (§11.5)', () => {
    const both = [applicationOf(chip), applicationOf(createStubMember('foxtrot'))];
    assert.throws(() => extended(readyChain, alpha, both), /a candidate was refused/);
  });
  test('32 are open at a time, and one more takes the place of the oldest that nobody vouches for (§11.5)', () => {
    const template = recordOf(stolen, chip);
    const crowd = Array.from({ length: LIMITS.applicationsOpenMax }, (_, index): MemberRecord => {
      const { member, node } = createStubMember(`crowd-${index}`, `chip of crowd ${index}`);
      return { ...template, member, node, appliedHeight: 100 + index, vouchedBy: index === 0 ? [alpha.node, bravo.node] : [] };
    });
    const [vouched, oldest, second] = crowd as [MemberRecord, MemberRecord, MemberRecord];
    const open = later(withApplicants(readyChain, crowd), 200);
    const one = extended(open, alpha, [applicationOf(chip)], { start: { timeMs: 1e9 } });
    assert.ok(headOf(one).state.members.has(hex(oldest.node)), 'those that are vouched for are not counted');
    const two = extended(one, alpha, [applicationOf(createStubMember('foxtrot'))], { start: { timeMs: 2e9 } });
    const has = (record: MemberRecord): boolean => headOf(two).state.members.has(hex(record.node));
    assert.deepEqual([vouched, oldest, second].map(has), [true, false, true]);
  });
  test('what is cheap is looked at before the card is judged (§11.5)', () => {
    const judged: unknown[] = [];
    const verifyEcdsa: typeof stubCrypto.verifyEcdsa = (...given) => {
      judged.push(given);
      return stubCrypto.verifyEcdsa(...given);
    };
    const counting = createLedger({ network, networkId: identity, crypto: { ...stubCrypto, verifyEcdsa } });
    const head = headOf(stolen);
    const verdict = (member: StubMember) =>
      counting.judgeTransaction(applicationOf(member), head, { ancestorAt: () => undefined }, head.timeMs);
    for (const member of [chip, alpha, createStubMember('echo', 'another chip')]) assert.equal(verdict(member).status, 'refused');
    assert.deepEqual(judged, []);
    assert.equal(verdict(createStubMember('foxtrot')).status, 'accepted');
    assert.notDeepEqual(judged, []);
  });
});
