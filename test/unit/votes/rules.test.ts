/** The rules of one decision, clause by clause, with the lines of Tendermint's algorithm 1 (arXiv 1807.04938). Specification §13.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VoteEvent } from '../../../device/votes/decision.ts';
import { wakeAtMs } from '../../../device/votes/machine.ts';
import { ballot, baseMs, bytesOf, repeatMs, votersOf, X, Y } from './assembly.ts';
import { a, b, c, d, kinds, lockedOn, nodes, precommits, prevotes, roundOf, said, Seat } from './seat.ts';

test('in round 0 each voter prevotes its candidate, and nothing before it has one (§13.3)', () => {
  const seat = new Seat();
  assert.deepEqual([seat.wait(10 * baseMs), wakeAtMs(seat.state)], [[], undefined]);
  assert.deepEqual(said(seat.candidate(X)), ['prevote 0 X']);
});

test('a candidate that is chosen anew after the prevote changes nothing in that round (§13.3)', () => {
  const seat = new Seat();
  seat.candidate(X);
  assert.deepEqual(seat.candidate(Y), []);
});

test('whoever has no candidate prevotes none once more than a third has voted and the wait is over (§13.3, lines 57-60)', () => {
  const seat = new Seat();
  seat.hear(...prevotes(0, X, b));
  assert.deepEqual([seat.wait(10 * baseMs), wakeAtMs(seat.state)], [[], undefined]);
  seat.hear(...prevotes(0, Y, c));
  assert.equal(wakeAtMs(seat.state), seat.nowMs + baseMs);
  assert.deepEqual(said(seat.wait(baseMs)), ['prevote 0 none']);
});

test('a voter proposes its candidate in its round, and prevotes it (§13.3, lines 14-19)', () => {
  const round = roundOf(a);
  const seat = new Seat({ kept: { round, cast: [] } });
  const effects = seat.candidate(X);
  assert.deepEqual(kinds(effects), ['keep', 'propose', 'cast']);
  assert.deepEqual(said(effects), [`prevote ${round} X`]);
});

test('a voter proposes what a quorum prevoted in the latest round, with these prevotes (§13.3, lines 15-16)', () => {
  const round = roundOf(a);
  const seat = new Seat({ kept: { round: 0, cast: [] } }).knows(X, Y);
  seat.candidate(X);
  seat.hear(...prevotes(0, Y, b, c, d));
  const effect = seat.enter(round).find(({ effect }) => effect === 'propose');
  assert.deepEqual(effect, { effect: 'propose', round, value: Y, validRound: 0, prevotes: prevotes(0, Y, b, c, d) });
});

test('a proposal is prevoted by whoever is not locked (§13.3, lines 22-24)', () => {
  const seat = new Seat().knows(X);
  const round = roundOf(b);
  seat.enter(round);
  assert.deepEqual(said(seat.propose(round, X)), [`prevote ${round} X`]);
});

test('a proposal by someone who is not drawn for its round is not looked at (§13.3)', () => {
  const seat = new Seat().knows(X);
  const round = roundOf(b);
  seat.enter(round);
  assert.deepEqual(seat.propose(round, X, undefined, c), []);
});

test('a proposal of an unknown value is prevoted when it is known in time, else none (§13.3, line 26)', () => {
  const round = roundOf(b);
  const known = new Seat();
  known.enter(round);
  assert.deepEqual(known.propose(round, X), []);
  assert.deepEqual(said(known.tell({ type: 'valueKnown', value: X } as VoteEvent)), [`prevote ${round} X`]);
  const unknown = new Seat();
  unknown.enter(round);
  unknown.propose(round, X);
  assert.deepEqual(said(unknown.wait(baseMs * (round + 1))), [`prevote ${round} none`]);
});

test('a locked voter prevotes none for another value without a quorum as late as its lock (§13.3, lines 23-32)', () => {
  const round = roundOf(b, 4);
  for (const backed of [undefined, { validRound: 2, prevotes: prevotes(2, Y, b, c, d) }]) {
    const seat = new Seat({ kept: lockedOn(X, 3) }).knows(X, Y);
    seat.enter(round);
    assert.deepEqual(said(seat.propose(round, Y, backed)), [`prevote ${round} none`]);
  }
});

test('a locked voter prevotes the value of its lock, and another one with a quorum as late as its lock (§13.3, lines 28-30)', () => {
  const round = roundOf(b, 4);
  const same = new Seat({ kept: lockedOn(X, 3) }).knows(X, Y);
  same.enter(round);
  assert.deepEqual(said(same.propose(round, X)), [`prevote ${round} X`]);
  const other = new Seat({ kept: lockedOn(X, 2) }).knows(X, Y);
  other.enter(round);
  const validRound = round - 1;
  assert.deepEqual(said(other.propose(round, Y, { validRound, prevotes: prevotes(validRound, Y, b, c, d) })), [`prevote ${round} Y`]);
});

test('a proposal whose prevotes are no quorum, of another round, value or instance, or of one voter thrice, is not looked at (§13.3)', () => {
  const round = roundOf(b, 4);
  const foreign = prevotes(3, Y, d).map((cast) => ({ ...cast, ballot: { ...cast.ballot, instance: bytesOf(9) } }));
  const wrong = [
    prevotes(3, Y, b, c),
    [...prevotes(3, Y, b, c), ...prevotes(2, Y, d)],
    [...prevotes(3, Y, b, c), ...prevotes(3, X, d)],
    [...prevotes(3, Y, b, c), ...precommits(3, Y, d)],
    [...prevotes(3, Y, b, c), ...foreign],
    prevotes(3, Y, b, c, c),
    prevotes(3, Y, b, c, bytesOf(99).toHex()),
  ];
  for (const casts of wrong) {
    const seat = new Seat().knows(X, Y);
    seat.enter(round);
    assert.deepEqual(seat.propose(round, Y, { validRound: 3, prevotes: casts }), []);
  }
});

test('no proposal in time: none (§13.3, lines 21 and 57-60)', () => {
  const seat = new Seat();
  const round = roundOf(b);
  seat.enter(round);
  assert.equal(wakeAtMs(seat.state), Math.min(baseMs * (round + 1), repeatMs));
  assert.deepEqual(said(seat.wait(baseMs * (round + 1) - 1)), []);
  assert.deepEqual(said(seat.wait(1)), [`prevote ${round} none`]);
});

test('a quorum of prevotes locks, and the lock is stored before the precommit is sent (§13.3, lines 36-43)', () => {
  const seat = new Seat();
  seat.candidate(X);
  assert.deepEqual(seat.hear(...prevotes(0, X, b)), []);
  const effects = seat.hear(...prevotes(0, X, c));
  assert.deepEqual(kinds(effects), ['keep', 'cast']);
  assert.deepEqual(said(effects), ['precommit 0 X']);
  assert.deepEqual(seat.kept?.locked, { round: 0, value: X, prevotes: prevotes(0, X, a, b, c) });
});

test('a quorum for a value that is not known here locks nobody until it is (§13.3, line 36)', () => {
  const seat = new Seat();
  seat.candidate(Y);
  assert.deepEqual(said(seat.hear(...prevotes(0, X, b, c, d))), []);
  assert.deepEqual(said(seat.tell({ type: 'valueKnown', value: X } as VoteEvent)), ['precommit 0 X']);
});

test('what a quorum has prevoted is prevoted by whoever has not voted yet (§13.3)', () => {
  const seat = new Seat().knows(X);
  assert.deepEqual(said(seat.hear(...prevotes(0, X, b, c, d))), ['prevote 0 X', 'precommit 0 X']);
});

test('a quorum of prevotes for none: it precommits none at once (§13.3, lines 44-46)', () => {
  const seat = new Seat();
  seat.candidate(X);
  assert.deepEqual(said(seat.hear(...prevotes(0, undefined, b, c, d))), ['precommit 0 none']);
});

test('no quorum for anything in time: it precommits none; the wait begins with a quorum of prevotes (§13.3, lines 34-35, 61-64)', () => {
  const seat = new Seat();
  seat.candidate(X);
  seat.hear(...prevotes(0, Y, b));
  assert.deepEqual(said(seat.wait(5 * baseMs)), []);
  seat.hear(...prevotes(0, Y, c));
  assert.deepEqual(said(seat.wait(baseMs - 1)), []);
  assert.deepEqual(said(seat.wait(1)), ['precommit 0 none']);
});

test('a quorum of precommits without decision, after a while: the next round (§13.3, lines 47-48, 65-67)', () => {
  const seat = new Seat();
  seat.candidate(X);
  seat.hear(...prevotes(0, undefined, b, c, d), ...precommits(0, undefined, b));
  seat.wait(5 * baseMs);
  assert.equal(seat.state.round, 0);
  seat.hear(...precommits(0, undefined, c));
  seat.wait(baseMs - 1);
  assert.equal(seat.state.round, 0);
  seat.wait(1);
  assert.equal(seat.state.round, 1);
});

test('a quorum of precommits for a value in one round decides, known here or not, also of a past round (§13.3, lines 49-54)', () => {
  const seat = new Seat();
  assert.deepEqual(kinds(seat.enter(2)), ['keep', 'cast', 'cast']);
  assert.deepEqual(kinds(seat.hear(...precommits(1, X, b, c))), ['want']);
  const [decided] = seat.hear(...precommits(1, X, d));
  assert.deepEqual(decided, { effect: 'decided', round: 1, value: X, precommits: precommits(1, X, b, c, d) });
});

test('precommits of different rounds decide nothing together (§13.3)', () => {
  const seat = new Seat().knows(X);
  assert.ok(!kinds(seat.hear(...precommits(0, X, b), ...precommits(1, X, c), ...precommits(2, X, d))).includes('decided'));
});

test('ballots of more than one third of the weight in a later round: that round; of one voter in many: not (§13.3, lines 55-56)', () => {
  const seat = new Seat();
  seat.hear(ballot(b, 3, 'prevote'), ballot(b, 9, 'prevote'), ballot(b, 9, 'precommit'));
  assert.equal(seat.state.round, 0);
  seat.hear(ballot(c, 4, 'precommit'));
  assert.equal(seat.state.round, 4);
});

test('whoever enters a round has cast both ballots of the one before, for none (§13.3)', () => {
  const seat = new Seat();
  seat.candidate(X);
  assert.deepEqual(said(seat.enter(1)).slice(0, 1), ['precommit 0 none']);
  assert.deepEqual(said(seat.enter(5)).slice(0, 2), ['prevote 4 none', 'precommit 4 none']);
});

test('the wait of round r is base · (r + 1) (§13.3)', () => {
  const seat = new Seat();
  seat.enter(7);
  assert.equal(seat.state.proposalDueMs, 8 * baseMs);
});

test('own ballots of two rounds are said again every repeatMs, with the own proposal (§13.3)', () => {
  const seat = new Seat();
  seat.candidate(X);
  assert.equal(wakeAtMs(seat.state), repeatMs);
  assert.deepEqual(seat.wait(repeatMs), [{ effect: 'repeat', envelopes: [ballot(a, 0, 'prevote', X).envelope] }]);
  const round = roundOf(a);
  seat.enter(round);
  const effects = seat.wait(repeatMs);
  assert.deepEqual(kinds(effects), ['propose', 'repeat']);
  assert.equal(effects.flatMap((effect) => (effect.effect === 'repeat' ? effect.envelopes : [])).length, 3);
});

test('a vote of someone without a seat, twice the same, or of another instance counts for nothing (§13.2)', () => {
  const seat = new Seat();
  seat.candidate(X);
  const replayed = ballot(d, 0, 'prevote', X);
  const effects = seat.hear(
    ballot(bytesOf(77).toHex(), 0, 'prevote', X),
    ...prevotes(0, X, b, b, b),
    { ...replayed, ballot: { ...replayed.ballot, instance: bytesOf(5) } },
    { ...replayed, ballot: { ...replayed.ballot, round: -1 } },
    { ...replayed, ballot: { ...replayed.ballot, round: 0.5 } },
    { ...replayed, ballot: { ...replayed.ballot, round: 1e9 } },
  );
  assert.deepEqual(effects, []);
});

test('a ballot counts for its node whatever key signed it, and once (§13.2)', () => {
  const seat = new Seat();
  seat.candidate(X);
  const again = { ...ballot(b, 0, 'prevote', X), key: bytesOf(3), envelope: bytesOf(4) };
  assert.deepEqual(seat.hear(ballot(b, 0, 'prevote', X), again), []);
});

test('weights count, and a quorum is more than two thirds of the whole (§13.3)', () => {
  const seat = new Seat({ voters: votersOf(nodes, [1, 2, 2, 4]) });
  seat.candidate(X);
  assert.deepEqual(said(seat.hear(...prevotes(0, X, b, c))), []);
  assert.deepEqual(said(seat.hear(...prevotes(0, X, d))), ['precommit 0 X']);
  const six = new Seat({ voters: votersOf(nodes, [2, 2, 2, 3]) });
  six.candidate(X);
  assert.deepEqual(said(six.hear(...prevotes(0, X, b, c))), [], 'six of nine are not more than two thirds');
});

test('two ballots of one voter for one round and step are reported once, with both; the first counts (§13.2)', () => {
  const seat = new Seat();
  seat.candidate(X);
  const [first, second] = [ballot(d, 0, 'prevote', X), ballot(d, 0, 'prevote', Y)];
  assert.deepEqual(seat.hear(first, second, ballot(d, 0, 'prevote')), [{ effect: 'equivocated', node: d, first, second }]);
  assert.deepEqual(said(seat.hear(...prevotes(0, X, c))), ['precommit 0 X']);
});

test('a value for which more than a third votes and that is not known here is asked for once in a round (§13.3)', () => {
  const seat = new Seat();
  seat.candidate(X);
  assert.deepEqual(seat.hear(...prevotes(0, Y, b)), []);
  assert.deepEqual(seat.hear(...prevotes(0, Y, c)), [{ effect: 'want', value: Y, backing: 'half' }]);
});

test('such a value is asked for once more when half of the weight votes for it (§12.4)', () => {
  const seat = new Seat({ voters: { weights: new Map([a, b, c, d].map((node) => [node, node === d ? 2 : 1])), total: 5 } });
  seat.candidate(X);
  assert.deepEqual(seat.hear(...prevotes(0, Y, d)), [{ effect: 'want', value: Y, backing: 'third' }]);
  assert.deepEqual(seat.hear(...prevotes(0, Y, c)), [{ effect: 'want', value: Y, backing: 'half' }]);
});

test('what comes after the decision counts for nothing, and nobody is woken (§13.3)', () => {
  const seat = new Seat().knows(X);
  seat.hear(...precommits(0, X, b, c, d));
  assert.deepEqual([seat.hear(...precommits(1, Y, b, c, d)), seat.candidate(Y), wakeAtMs(seat.state)], [[], [], undefined]);
});

test('whoever only watches says nothing and learns the decision (§13.3)', () => {
  const seat = new Seat({ watches: true });
  seat.candidate(X);
  assert.deepEqual(kinds(seat.hear(...prevotes(3, X, b, c, d), ...precommits(3, X, b, c, d))), ['decided']);
});

test('a restarted voter casts again what it had cast, and nothing that contradicts it (§13.3)', () => {
  const before = new Seat();
  before.candidate(X);
  before.hear(...prevotes(0, X, b, c));
  assert.ok(before.kept);
  const seat = new Seat({ kept: before.kept });
  assert.equal(wakeAtMs(seat.state), 0);
  assert.deepEqual(said(seat.tell({ type: 'ticked' })), ['prevote 0 X', 'precommit 0 X']);
  assert.deepEqual(said(seat.candidate(Y)), []);
  assert.deepEqual(said(seat.hear(...prevotes(0, Y, b, c, d))), []);
});

test('a restarted voter can prove its lock to others (§13.3)', () => {
  const round = roundOf(a, 3);
  const seat = new Seat({ kept: lockedOn(X, 2) });
  seat.candidate(Y);
  const effect = seat.enter(round).find(({ effect }) => effect === 'propose');
  assert.deepEqual(effect, { effect: 'propose', round, value: X, validRound: 2, prevotes: prevotes(2, X, b, c, d) });
});

test('ballots of rounds far ahead are not kept, but who is there is known (§14.3)', () => {
  const seat = new Seat();
  for (let round = 0; round < 5_000; round += 1) seat.hear(ballot(d, round, 'prevote', bytesOf(round)));
  assert.ok(seat.state.rounds.size <= 66, `${seat.state.rounds.size} rounds are kept`);
  seat.hear(ballot(c, 4_000, 'prevote'));
  assert.equal(seat.state.round, 4_000);
  assert.ok(seat.state.rounds.size <= 2, `${seat.state.rounds.size} rounds are kept`);
});
