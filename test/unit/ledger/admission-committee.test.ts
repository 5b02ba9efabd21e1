/** Whose words admit a newcomer where there are many seats (§11.5). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { admissionCommittee } from '#protocol/chain/public-draw.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest } from '#protocol/network.ts';
import { leftToOthers } from '../../../device/membership/progress.ts';
import { createStubMember, type StubMember } from '../../simulation/stub-tpm.ts';
import { actionOf, entered, grownTo, refusalOf, trusting, trustOf, type Trusting } from './trust-workshop.ts';

const size = LIMITS.admissionCommitteeSize;
const quorum = 43;
const many = trusting(size + 16);
const newcomer = createStubMember('newcomer');
const application = encodeTransaction({ kind: 'application', card: newcomer.card(many.context.network.genesis.salt) });
const applied = entered(many, application);

const committeeOf = ({ context, state, members }: Trusting): StubMember[] => {
  const drawn = new Set(admissionCommittee(context.networkId, state.core.epoch, state.core.seats).map(hex));
  return members.filter(({ node }) => drawn.has(hex(node)));
};
const vouchOf = (world: Trusting, by: StubMember) => actionOf(world, by, { action: 'vouch', applicant: memberDigest(newcomer.member) });
const vouched = (world: Trusting, by: readonly StubMember[]) => by.reduce((next, one) => entered(next, vouchOf(next, one)), world);
const standingOf = ({ state }: Trusting, { node }: StubMember) => state.members.get(hex(node))?.standing;
const drawn = committeeOf(applied);

describe('the admission committee', () => {
  const node = (at: number) => new Uint8Array(32).fill(at);
  const epoch = { number: 3, seed: node(7) };

  test('is all seats up to 64, and 64 of them beyond (§11.5)', () => {
    const seats = Array.from({ length: size + 1 }, (_, at) => node(at));
    assert.deepEqual(admissionCommittee(node(9), epoch, seats.slice(1)), seats.slice(1));
    assert.equal(admissionCommittee(node(9), epoch, seats).length, size);
  });
  test('is drawn by network, seed and epoch, so that anybody can repeat it (§11.5)', () => {
    const D = (domain: string, ...parts: readonly Uint8Array[]) => {
      const hash = createHash('sha256').update(`capstan/1/${domain}\0`);
      for (const part of parts) hash.update(Uint8Array.of(0, 0, 0, part.length)).update(part);
      return hash.digest();
    };
    const seats = Array.from({ length: 100 }, (_, at) => node(at));
    const draw = D('admission-committee', node(9), epoch.seed, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 3));
    const order = seats.toSorted((left, right) => D('committee-order', draw, left).compare(D('committee-order', draw, right)));
    assert.deepEqual(admissionCommittee(node(9), epoch, seats), order.slice(0, size));
    assert.notDeepEqual(admissionCommittee(node(9), { ...epoch, number: 4 }, seats), order.slice(0, size), 'a seed that stays');
  });
});

describe('of a thousand seats with some that are false, a committee', () => {
  test('is captured as seldom as the specification says (§11.5)', () => {
    const third = 333;
    assert.ok(captured(64, third) < 1.1e-8 && captured(64, third) > 0.9e-8);
    assert.ok(captured(64, 250) < 2e-13);
    assert.ok(captured(31, third) > 6.5e-5 && captured(31, third) < 7.5e-5);
    assert.ok(captured(16, third) > 3.5e-3 && captured(16, third) < 4.5e-3);
  });
  test('has no quorum in one epoch of twenty where a quarter is away (§11.5)', () => {
    const without = drawnWith(size, 250, size - quorum + 1);
    assert.ok(without > 0.045 && without < 0.06, `${without}`);
  });

  /** The chance that of `drawn` there are more than two thirds of `among` a thousand. */
  function captured(drawn: number, among: number): number {
    return drawnWith(drawn, among, Math.floor((drawn * 2) / 3) + 1);
  }

  /** Hypergeometric: the chance that at least so many of `drawn` are of `among` in a thousand. */
  function drawnWith(drawn: number, among: number, least: number): number {
    let ways = 0n;
    for (let number = least; number <= drawn; number += 1) ways += choose(among, number) * choose(1_000 - among, drawn - number);
    return Number((ways * 10n ** 30n) / choose(1_000, drawn)) / 1e30;
  }

  function choose(of: number, number: number): bigint {
    let ways = 1n;
    for (let index = 0; index < number; index += 1) ways = (ways * BigInt(of - index)) / BigInt(index + 1);
    return ways;
  }
});

describe('in a network of eighty', () => {
  test('the words of 43 drawn seats admit, and those of 42 do not (§11.5)', () => {
    const almost = vouched(applied, drawn.slice(0, quorum - 1));
    assert.equal(standingOf(almost, newcomer), 'applicant');
    const admitted = vouched(almost, drawn.slice(quorum - 1, quorum));
    assert.equal(standingOf(admitted, newcomer), 'member');
    assert.equal(trustOf(admitted, newcomer).word, 'trusted', 'whoever has just been judged is (§18.6)');
  });
  test('the word of a seat that was not drawn is refused (§11.5)', () => {
    const undrawn = many.members.find((member) => !drawn.includes(member)) ?? assert.fail();
    assert.equal(refusalOf(applied, vouchOf(applied, undrawn)), 'not-drawn');
  });
  test('a seat that was not drawn leaves newcomers to others, and activates no key of theirs (§3.4, §11.5)', () => {
    const left = (member: StubMember) => leftToOthers(applied.state, applied.context.networkId, member.node).map(hex);
    for (const member of many.members) assert.deepEqual(left(member), drawn.includes(member) ? [] : [hex(newcomer.node)]);
    assert.deepEqual(leftToOthers(many.state, many.context.networkId, newcomer.node), [], 'while nobody applies');
  });
  test('the word of a drawn member that has gone does not count (§11.5)', () => {
    const [first, ...others] = drawn as [StubMember, ...StubMember[]];
    const one = vouched(applied, [first]);
    const gone = entered(one, actionOf(one, first, { action: 'leave' }));
    const almost = vouched(gone, others.slice(0, quorum - 1));
    assert.equal(standingOf(almost, newcomer), 'applicant');
    assert.equal(standingOf(vouched(almost, others.slice(quorum - 1, quorum)), newcomer), 'member');
  });
  test('another epoch has other 64, and a word of the last one counts if its author is drawn again (§11.5)', () => {
    const { epochHeights } = applied.context.network.genesis.consensus;
    const almost = vouched(applied, drawn.slice(0, quorum - 1));
    const later = grownTo(almost, epochHeights);
    const next = committeeOf(later);
    const again = next.filter((member) => drawn.slice(0, quorum - 1).includes(member));
    const fresh = next.filter((member) => !drawn.slice(0, quorum - 1).includes(member));
    assert.ok(again.length < quorum - 1, 'some were not drawn again');
    const needed = quorum - again.length;
    const short = vouched(later, fresh.slice(0, needed - 1));
    assert.equal(standingOf(short, newcomer), 'applicant');
    assert.equal(standingOf(vouched(short, fresh.slice(needed - 1, needed)), newcomer), 'member');
  });
});
