/** Planted challenges: what is one, and what it does to judges (§18.7). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BallotMessage } from '#protocol/chain/ballot.ts';
import { isPlanted } from '#protocol/chain/trust-slots.ts';
import { isTrusted } from '#protocol/chain/trust-state.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { StubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  attested,
  ballotOf,
  entered,
  grownTo,
  inNextSlot,
  judged,
  judgesFor,
  keyOf,
  plantedLog,
  refusalOf,
  revealOf,
  trusting,
  trustOf,
  verdictRefusal,
} from './trust-workshop.ts';

const world = trusting(10);
const subject = world.members[0]!;
const planted = attested(world, subject, plantedLog);
const drawn = judgesFor(planted, subject, { slot: 0, level: 0 });
const found = judged(planted, subject, { word: 'untrusted' });
const creditOf = (at: typeof world, member: StubMember) => trustOf(at, member).credit;

describe('a planted challenge', () => {
  test('revealed is as if it had not been: work goes on, no credit of the subject, nothing renewed (§18.7)', () => {
    assert.ok(!isTrusted(trustOf(found, subject), 0));
    const revealed = entered(found, revealOf(found, subject));
    const { word, attestedUntil, boot, credit } = trustOf(revealed, subject);
    assert.deepEqual({ word, attestedUntil, boot, credit }, { ...pick(trustOf(world, subject)), boot: undefined });
    assert.equal(
      verdictRefusal(grownTo(revealed, revealed.height + LIMITS.revealHeights), subject, {
        level: 1,
        word: 'untrusted',
        voters: world.members,
      }),
      'verdict-known',
    );
  });

  test('pays judges that found it, and is known to nobody before (§18.7, §19)', () => {
    const revealed = entered(found, revealOf(found, subject));
    for (const judge of drawn) {
      const before = creditOf(found, judge);
      assert.equal(creditOf(revealed, judge), before + Math.ceil((LIMITS.creditMax - before) / LIMITS.creditGain));
    }
  });

  test('costs judges that say yes half of their credit by their own ballots, though no certificate shows them (§18.7, §19)', () => {
    const [yes, ...rest] = drawn as [StubMember, ...StubMember[]];
    const without = judged(planted, subject, { word: 'untrusted', voters: rest });
    const revealed = entered(without, revealOf(without, subject, [ballotOf(without, yes, subject, 'trusted')]));
    assert.equal(creditOf(revealed, yes), creditOf(without, yes) / 2);
    assert.ok(creditOf(revealed, rest[0]!) > creditOf(without, rest[0]!));
    const unjudged = entered(planted, revealOf(planted, subject, [ballotOf(planted, yes, subject, 'trusted')]));
    assert.equal(creditOf(unjudged, yes), creditOf(planted, yes) / 2, 'with no verdict as well');
  });

  test('costs a captured committee half of its credit, once (§18.7)', () => {
    const captured = judged(planted, subject);
    const revealed = entered(captured, revealOf(captured, subject, [ballotOf(captured, drawn[0]!, subject, 'trusted')]));
    for (const judge of drawn)
      assert.equal(creditOf(revealed, judge), creditOf(captured, judge) - Math.ceil(creditOf(captured, judge) / 2));
  });

  test('is no excuse: evidence that was good, or a chip that runs something else, is not planted (§18.7)', () => {
    assert.equal(refusalOf(attested(world, subject), revealOf(attested(world, subject), subject)), 'not-planted');
    const other = attested(world, subject, { eventLog: plantedLog.eventLog!, registersOf: plantedLog.eventLog! });
    assert.equal(refusalOf(other, revealOf(other, subject)), 'not-planted');
  });

  test('stands in the slots that the VRF says, shown by its proof (§18.7)', () => {
    const never = attested(trusting(10, { plantedOneIn: 0 }), subject, plantedLog);
    assert.equal(refusalOf(never, revealOf(never, subject)), 'not-planted');
    const proof = world.members[1]!.prove(new Uint8Array(32));
    assert.equal(refusalOf(found, actionOf(found, subject, { action: 'reveal', slot: 0, proof, wrong: [] })), 'challenge-wrong');
    const outputs = Array.from({ length: 4_000 }, (_, index) => Uint8Array.of(0, 0, 0, 0, 0, 0, index >> 8, index & 255));
    assert.equal(outputs.filter((output) => isPlanted(output, 8)).length, 500);
    assert.equal(outputs.filter((output) => isPlanted(output, 0)).length, 0);
  });

  test('is revealed once, by the subject, before all seats judge (§18.7)', () => {
    const revealed = entered(found, revealOf(found, subject));
    assert.equal(refusalOf(revealed, revealOf(revealed, subject)), 'verdict-known');
    assert.equal(refusalOf(found, revealOf(found, world.members[1]!)), 'evidence-unknown');
    const late = grownTo(found, found.height + LIMITS.revealHeights);
    const closed = judged(late, subject, { level: 1, word: 'untrusted', voters: world.members.slice(1) });
    assert.equal(refusalOf(closed, revealOf(closed, subject, [], 0)), 'verdict-known');
  });

  test('may be revealed in later slots, as long as the state keeps its own (§18.7)', () => {
    const next = inNextSlot(found);
    assert.equal(refusalOf(next, revealOf(next, subject, [], 0)), 'applied');
    assert.equal(refusalOf(inNextSlot(next), revealOf(inNextSlot(next), subject, [], 0)), 'applied');
  });
});

describe('a shown ballot', () => {
  const [first, second] = [...drawn].sort((left, right) => (left.node.toHex() < right.node.toHex() ? -1 : 1)) as [StubMember, StubMember];
  const withBallots = (...wrong: { key: Uint8Array; envelope: Uint8Array }[]) => refusalOf(found, revealOf(found, subject, wrong));

  test('is for another word than "untrusted": right ones, and none, cost nobody anything (§18.7)', () => {
    assert.equal(withBallots(ballotOf(found, first, subject, 'untrusted')), 'ballot-not-contrary');
    assert.equal(withBallots(ballotOf(found, first, subject, 'disputed')), 'applied');
    assert.equal(withBallots(ballotOf(found, first, subject, 'trusted', { value: new Uint8Array(32) })), 'ballot-not-contrary');
  });

  test('is of a judge of this evidence, signed by it, on this network, subject and slot (§18.7)', () => {
    const undrawn = world.members.find((member) => member !== subject && !drawn.includes(member))!;
    assert.equal(withBallots(ballotOf(found, undrawn, subject, 'trusted')), 'ballot-not-contrary');
    assert.equal(withBallots(ballotOf(found, first, subject, 'trusted', { instance: new Uint8Array(32) })), 'ballot-not-contrary');
    assert.equal(withBallots(ballotOf(found, first, subject, 'trusted', { network: new Uint8Array(32) })), 'ballot-not-contrary');
    assert.equal(withBallots({ ...ballotOf(found, first, subject, 'trusted'), key: keyOf(second).publicKey }), 'ballot-not-contrary');
    assert.equal(withBallots(ballotOf(found, second, subject, 'trusted', { node: first.node })), 'ballot-not-contrary');
    assert.equal(withBallots({ key: keyOf(first).publicKey, envelope: Uint8Array.of(1) }), 'malformed');
  });

  test('on a checkpoint is none on a member (§18.5)', () => {
    assert.equal(withBallots(ballotOf(found, first, subject, 'trusted', {}, BallotMessage)), 'ballot-not-contrary');
  });

  test('counts once for each judge, in the order of nodes (§18.7)', () => {
    const [one, two] = [ballotOf(found, first, subject, 'trusted'), ballotOf(found, second, subject, 'trusted')];
    assert.equal(withBallots(one, two), 'applied');
    assert.equal(withBallots(two, one), 'ballots-out-of-order');
    assert.equal(withBallots(one, one), 'ballots-out-of-order');
  });
});

function pick({ word, attestedUntil, credit }: ReturnType<typeof trustOf>) {
  return { word, attestedUntil, credit };
}
