/** Verdicts: whose votes count (§18.3, §18.5), and what they change (§18.6). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isTrusted } from '#protocol/chain/trust-state.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  attested,
  ballotOf,
  certified,
  drawOf,
  entered,
  grownTo,
  inNextSlot,
  judged,
  judgesFor,
  keyOf,
  parameters,
  reading,
  refusalOf,
  trusting,
  trustOf,
  verdictOf,
  verdictRefusal,
  voucherOf,
  type Trusting,
} from './trust-workshop.ts';

const four = trusting(4);
const [alpha, bravo, charlie, delta] = four.members as [
  (typeof four.members)[0],
  (typeof four.members)[0],
  (typeof four.members)[0],
  (typeof four.members)[0],
];
const others = [bravo, charlie, delta];
const shown = attested(four, alpha);
const ten = trusting(10);
const tenShown = attested(ten, ten.members[0]!);
const subject = ten.members[0]!;
const drawn = judgesFor(tenShown, subject, { slot: 0, level: 0 });

describe('the votes of a verdict', () => {
  test('are those of the drawn judges: of ten seats five others, each with its weight (§18.3)', () => {
    assert.equal(drawn.length, parameters.judges);
    assert.ok(!drawn.includes(subject));
    assert.equal(verdictRefusal(tenShown, subject, { voters: drawn.slice(0, 4) }), 'applied');
    assert.equal(verdictRefusal(tenShown, subject, { voters: drawn.slice(0, 3) }), 'certificate-no-quorum');
  });

  test('of an undrawn member, or the subject, are refused (§18.3)', () => {
    const undrawn = ten.members.find((member) => member !== subject && !drawn.includes(member))!;
    assert.equal(verdictRefusal(tenShown, subject, { voters: [...drawn, undrawn] }), 'certificate-not-a-voter');
    assert.equal(verdictRefusal(tenShown, subject, { voters: [...drawn, subject] }), 'certificate-not-a-voter');
    assert.equal(verdictRefusal(tenShown, subject, { voters: [...drawn, createStubMember('stranger')] }), 'certificate-not-a-voter');
  });

  test('count once each: weight-inflated by a second vote is refused (§18.5)', () => {
    const { votes, ...verdict } = verdictOf(tenShown, subject);
    const withVotes = (...chosen: typeof votes) => refusalOf(tenShown, encodeTransaction({ ...verdict, votes: chosen }));
    assert.equal(withVotes(votes[0]!, votes[0]!, votes[1]!, votes[2]!), 'certificate-vote-repeated');
    assert.equal(withVotes(...votes.toReversed()), 'certificate-votes-out-of-order');
  });

  test('are about this subject, slot, level, word and evidence: replayed for another they are refused (§18.5)', () => {
    const { votes, ...verdict } = verdictOf(shown, alpha, { voters: others });
    const replayed = (change: Partial<typeof verdict>) => refusalOf(shown, encodeTransaction({ ...verdict, ...change, votes }));
    assert.equal(replayed({}), 'applied');
    assert.equal(replayed({ word: 'untrusted' }), 'certificate-signature-wrong');
    assert.equal(replayed({ round: 1 }), 'certificate-signature-wrong');
    assert.equal(replayed({ evidence: new Uint8Array(32) }), 'evidence-unknown');
    assert.equal(replayed({ slot: 1 }), 'evidence-unknown');
    const both = attested(shown, bravo);
    const ofBravo = trustOf(both, bravo).slots[0]!.evidence;
    assert.equal(
      refusalOf(both, encodeTransaction({ ...verdict, subject: bravo.node, evidence: ofBravo, votes })),
      'certificate-signature-wrong',
    );
    const opened = judged(shown, alpha, { word: 'untrusted', voters: others });
    const late = grownTo(opened, opened.height + LIMITS.revealHeights);
    const atLevelZero = verdictOf(late, alpha, { word: 'untrusted', voters: others }).votes;
    const levelOne = { ...verdictOf(late, alpha, { word: 'untrusted', level: 1, voters: others }), votes: atLevelZero };
    assert.equal(refusalOf(late, encodeTransaction(levelOne)), 'certificate-signature-wrong');
  });

  test('are by keys of the judges on this branch (§18.5)', () => {
    const { votes, ...verdict } = verdictOf(shown, alpha, { voters: others });
    const strange = { ...votes[0]!, key: keyOf(alpha).publicKey };
    assert.equal(refusalOf(shown, encodeTransaction({ ...verdict, votes: [strange, ...votes.slice(1)] })), 'certificate-key-unknown');
  });

  test('of judges that have left do not count, and their weight does (§18.3)', () => {
    const left = entered(shown, actionOf(shown, bravo, { action: 'leave' }));
    assert.equal(verdictRefusal(left, alpha, { voters: others }), 'certificate-not-a-voter');
    assert.equal(verdictRefusal(left, alpha, { voters: [charlie, delta] }), 'certificate-no-quorum');
    assert.equal(verdictRefusal(left, alpha, { voters: [alpha, charlie, delta] }), 'applied');
  });

  test('of accused judges do not count at level 0, and theirs about themselves do (§18.3)', () => {
    const accused = judged(attested(shown, bravo), alpha, { word: 'untrusted', voters: others });
    assert.equal(verdictRefusal(accused, bravo, { voters: [alpha, bravo, charlie] }), 'certificate-not-a-voter');
    assert.equal(verdictRefusal(accused, bravo, { voters: [bravo, charlie, delta] }), 'applied');
  });

  test('of the seats that the slot began with count, whatever became of seats and credit since (§18.1)', () => {
    const charged = { ...tenShown, state: withCreditOf(tenShown, drawn, 0) };
    assert.equal(verdictRefusal(charged, subject, { voters: drawn }), 'applied');
    assert.ok(drawOf(inNextSlot(charged)).weights.includes(0));
  });

  for (let size = 1; size <= 7; size += 1) {
    test(`where all of ${size} seats judge, f silent ones stop no verdict, and f liars make none (§18.3)`, () => {
      const world = trusting(size, { judges: 7 });
      const at = attested(world, world.members[0]!);
      const f = Math.floor((size - 1) / 3);
      assert.equal(verdictRefusal(at, world.members[0]!, { voters: world.members.slice(0, size - f) }), 'applied');
      if (f > 0) assert.equal(verdictRefusal(at, world.members[0]!, { voters: world.members.slice(0, f + 1) }), 'certificate-no-quorum');
    });
  }
});

describe('a verdict of level 0', () => {
  test('needs evidence on the branch: a subject that played dead is trusted by nobody (§18.2)', () => {
    assert.equal(verdictRefusal(four, alpha, { voters: others }), 'evidence-unknown');
  });

  test('"trusted" renews trust until so many checkpoints after the last, and never sets it back (§18.6)', () => {
    const later = judged(attested(certified(four, 7), alpha), alpha);
    assert.equal(trustOf(later, alpha).attestedUntil, 7 + parameters.trustedCheckpoints);
    assert.deepEqual(trustOf(later, alpha).boot, { key: keyOf(alpha).publicKey, resetCount: 3, restartCount: 1 });
  });

  test('comes once, in its slot or the next (§18.6)', () => {
    const after = judged(shown, alpha);
    assert.equal(verdictRefusal(after, alpha), 'verdict-known');
    assert.equal(verdictRefusal(after, alpha, { word: 'untrusted', voters: others }), 'verdict-known');
    assert.equal(verdictRefusal(inNextSlot(shown), alpha), 'applied');
    assert.equal(verdictRefusal(inNextSlot(inNextSlot(shown)), alpha), 'slot-over');
  });

  test('against a member ends its work at once, and leaves its seat: drawn judges take none (§18.6)', () => {
    const accused = judged(tenShown, subject, { word: 'untrusted' });
    assert.ok(!isTrusted(trustOf(accused, subject), 0));
    assert.equal(accused.state.core.seatsToCome.at(-1)?.seats.length, 10);
  });

  test('on an earlier slot that comes late brings no older word or boot back (§18.6)', () => {
    const again = attested(inNextSlot(shown), alpha);
    const newer = judged(again, alpha, { word: 'untrusted', voters: others });
    const older = judged(newer, alpha, { slot: 0 });
    assert.equal(trustOf(older, alpha).word, 'untrusted');
    assert.equal(trustOf(older, alpha).boot, undefined);
  });

  test('of the next slot ends an accusation: firmware restored and rebooted, it works again (§18.6)', () => {
    const accused = inNextSlot(judged(shown, alpha, { word: 'untrusted', voters: others }));
    const boot = { ...reading, resetCount: 4, restartCount: 0 };
    const restored = judged(attested(entered(accused, voucherOf(accused, alpha, boot)), alpha, { boot }), alpha, { voters: others });
    assert.ok(isTrusted(trustOf(restored, alpha), restored.state.core.checkpoint.number));
  });
});

describe('all seats judge', () => {
  const accused = judged(tenShown, subject, { word: 'untrusted' });
  const due = grownTo(accused, accused.height + LIMITS.revealHeights);
  const all = ten.members.slice(1);

  test('an accusation, once the subject could have revealed a plant (§18.6)', () => {
    assert.equal(
      verdictRefusal(grownTo(accused, due.height - 1), subject, { level: 1, word: 'untrusted', voters: all }),
      'verdict-not-open',
    );
    assert.equal(verdictRefusal(due, subject, { level: 1, word: 'untrusted', voters: all }), 'applied');
    assert.equal(verdictRefusal(due, subject, { level: 1, word: 'untrusted', voters: all.slice(0, 6) }), 'certificate-no-quorum');
    assert.equal(verdictRefusal(due, subject, { level: 1, word: 'untrusted', voters: all.slice(0, 7) }), 'applied');
  });

  test('no slot that nobody has judged, or appealed (§18.6)', () => {
    assert.equal(verdictRefusal(tenShown, subject, { level: 1, voters: all }), 'verdict-not-open');
    assert.equal(verdictRefusal(judged(tenShown, subject), subject, { level: 1, voters: all }), 'verdict-not-open');
  });

  test('once, until two slots later (§18.6)', () => {
    const closed = judged(due, subject, { level: 1, word: 'untrusted', voters: all });
    assert.equal(verdictRefusal(closed, subject, { level: 1, word: 'trusted', voters: all }), 'verdict-known');
    assert.equal(verdictRefusal(grownTo(due, 47), subject, { level: 1, word: 'untrusted', voters: all }), 'applied');
    assert.equal(verdictRefusal(grownTo(due, 48), subject, { level: 1, word: 'untrusted', voters: all, slot: 0 }), 'evidence-unknown');
  });

  test('and take the seat: a demoted member has no vote from the next checkpoint on (§18.6)', () => {
    const demoted = judged(due, subject, { level: 1, word: 'untrusted', voters: all });
    assert.equal(trustOf(demoted, subject).demotedHeight, due.height);
    assert.ok(!certified(demoted).state.core.seats.map(hex).includes(hex(subject.node)));
    assert.equal(certified(demoted).state.core.seats.length, 9);
  });

  test('and give it back: firmware restored, all seats find it trusted (§18.6)', () => {
    const demoted = inNextSlot(certified(judged(due, subject, { level: 1, word: 'untrusted', voters: all })));
    const again = judged(attested(demoted, subject), subject);
    assert.equal(again.state.core.seatsToCome.at(-1)?.seats.length, 9);
    const back = judged(again, subject, { level: 1, voters: all });
    assert.equal(trustOf(back, subject).demotedHeight, undefined);
    assert.equal(back.state.core.seatsToCome.at(-1)?.seats.length, 10);
  });

  test('against drawn judges: a captured committee loses half of its credit, its victim nothing (§18.6, §19)', () => {
    const cleared = judged(due, subject, { level: 1, voters: all });
    assert.ok(isTrusted(trustOf(cleared, subject), 0));
    assert.equal(cleared.state.core.seatsToCome.at(-1)?.seats.length, 10);
    for (const judge of drawn) assert.equal(trustOf(cleared, judge).credit, Math.floor(trustOf(due, judge).credit / 2));
  });

  test('accused ones included, so that captured committees disfranchise nobody (§18.3)', () => {
    const second = ten.members[1]!;
    const both = judged(attested(accused, second), second, {
      word: 'untrusted',
      voters: judgesFor(accused, second, { slot: 0, level: 0 }).filter((judge) => judge !== subject),
    });
    const later = grownTo(both, both.height + LIMITS.revealHeights);
    assert.equal(verdictRefusal(later, subject, { level: 1, voters: ten.members.slice(1) }), 'applied');
  });

  test('nothing that a later slot contradicts (§18.6)', () => {
    const next = judged(attested(inNextSlot(due), subject), subject);
    assert.equal(verdictRefusal(next, subject, { level: 1, slot: 0, word: 'untrusted', voters: all }), 'slot-superseded');
    assert.equal(verdictRefusal(next, subject, { level: 1, slot: 0, word: 'trusted', voters: all }), 'applied');
  });

  test('at most f away between two checkpoints, and never the last (§18.6)', () => {
    let world: Trusting = four;
    for (const member of [alpha, bravo]) {
      world = attested(world, member);
      world = judged(world, member, {
        word: 'untrusted',
        voters: four.members.filter((voter) => voter !== member && voter !== alpha).concat(member === bravo ? [bravo] : []),
      });
    }
    const later = grownTo(world, world.height + LIMITS.revealHeights);
    const first = judged(later, alpha, { level: 1, word: 'untrusted', voters: others });
    assert.equal(verdictRefusal(first, bravo, { level: 1, word: 'untrusted', voters: [alpha, charlie, delta] }), 'demotions-full');
    assert.equal(verdictRefusal(certified(first), bravo, { level: 1, word: 'untrusted', voters: [alpha, charlie, delta] }), 'applied');
    const one = trusting(1);
    const own = judged(attested(one, one.members[0]!), one.members[0]!, { word: 'untrusted' });
    assert.equal(verdictRefusal(grownTo(own, own.height + 8), one.members[0]!, { level: 1, word: 'untrusted' }), 'last-seat');
  });
});

describe('an appeal', () => {
  const trusted = judged(tenShown, subject);
  const appealBy = (by: (typeof ten.members)[0], slot = 0) => ({
    by,
    action: { action: 'appeal' as const, subject: subject.node, slot, ballots: [] },
  });
  const refusal = (world: Trusting, { by, action }: ReturnType<typeof appealBy>) => refusalOf(world, actionOf(world, by, action));
  const appellant = ten.members.find((member) => member !== subject && !drawn.includes(member))!;

  test('against "trusted" of drawn judges has all seats judge (§18.6)', () => {
    const appealed = entered(trusted, actionOf(trusted, appellant, appealBy(appellant).action));
    assert.equal(verdictRefusal(appealed, subject, { level: 1, word: 'untrusted', voters: ten.members.slice(1) }), 'applied');
  });

  test('comes once, against a verdict "trusted" that is there and open (§18.6)', () => {
    const appealed = entered(trusted, actionOf(trusted, appellant, appealBy(appellant).action));
    assert.equal(refusal(appealed, appealBy(ten.members[3]!)), 'already-appealed');
    assert.equal(refusal(tenShown, appealBy(appellant)), 'nothing-to-appeal');
    assert.equal(refusal(judged(tenShown, subject, { word: 'untrusted' }), appealBy(appellant)), 'nothing-to-appeal');
    assert.equal(refusal(trusted, appealBy(appellant, 3)), 'evidence-unknown');
    assert.equal(refusal(judged(appealed, subject, { level: 1, voters: ten.members }), appealBy(appellant)), 'verdict-known');
  });

  test('is for members with a seat and credit to lose (§18.6)', () => {
    const poor = { ...trusted, state: withCreditOf(trusted, [appellant], LIMITS.creditToJudge - 1) };
    assert.equal(refusal(poor, appealBy(appellant)), 'credit-too-low');
    const { core } = trusted.state;
    const unseated = {
      ...trusted,
      state: { ...trusted.state, core: { ...core, seats: core.seats.filter((seat) => hex(seat) !== hex(appellant.node)) } },
    };
    assert.equal(refusal(unseated, appealBy(appellant)), 'no-seat');
  });

  test('with the ballot of a judge that says the contrary is never in vain: the accuser loses half, who shows it nothing (§18.6, §19)', () => {
    const [accuser, ...rest] = drawn;
    const at = judged(tenShown, subject, { voters: rest });
    const show = (word: 'trusted' | 'disputed', by = accuser!) => {
      const ballots = [ballotOf(at, by, subject, word)];
      return actionOf(at, appellant, { action: 'appeal', subject: subject.node, slot: 0, ballots });
    };
    const appealed = entered(at, show('disputed'));
    const cleared = judged(appealed, subject, { level: 1, voters: ten.members });
    assert.equal(trustOf(cleared, accuser!).credit, trustOf(at, accuser!).credit / 2);
    assert.equal(trustOf(cleared, appellant).credit, trustOf(at, appellant).credit);
    const upheld = judged(appealed, subject, { level: 1, word: 'untrusted', voters: ten.members.slice(1) });
    assert.ok(trustOf(upheld, accuser!).credit > trustOf(at, accuser!).credit, 'few were right');
    assert.equal(trustOf(upheld, rest[0]!).credit, Math.floor(trustOf(at, rest[0]!).credit / 2), 'and many wrong');
    assert.equal(refusalOf(at, show('trusted')), 'ballot-not-contrary');
    assert.equal(refusalOf(at, show('disputed', appellant)), 'ballot-not-contrary');
  });

  test('against an accusation shows who trusted: judges that say yes are found without a plant (§18.6)', () => {
    const [yes, ...rest] = drawn;
    const at = judged(tenShown, subject, { word: 'untrusted', voters: rest });
    const ballots = [ballotOf(at, yes!, subject, 'trusted')];
    const appealed = entered(at, actionOf(at, appellant, { action: 'appeal', subject: subject.node, slot: 0, ballots }));
    const due = grownTo(appealed, appealed.height + LIMITS.revealHeights);
    const demoted = judged(due, subject, { level: 1, word: 'untrusted', voters: ten.members.slice(1) });
    assert.equal(trustOf(demoted, yes!).credit, trustOf(due, yes!).credit / 2);
  });

  test("in vain costs half of the credit, a right one pays: accusers don't last (§19)", () => {
    const appealed = entered(trusted, actionOf(trusted, appellant, appealBy(appellant).action));
    const before = trustOf(appealed, appellant).credit;
    const vain = judged(appealed, subject, { level: 1, voters: ten.members });
    assert.equal(trustOf(vain, appellant).credit, before / 2);
    const right = judged(appealed, subject, { level: 1, word: 'disputed', voters: ten.members.slice(1) });
    assert.equal(trustOf(right, appellant).credit, before + Math.ceil((1_000 - before) / 32));
  });
});

function withCreditOf({ state }: Trusting, members: typeof ten.members, credit: number): Trusting['state'] {
  let changed = state.members;
  for (const { node } of members) {
    const record = changed.get(hex(node))!;
    changed = changed.with(hex(node), { ...record, trust: { ...record.trust!, credit } });
  }
  return { ...state, members: changed };
}
