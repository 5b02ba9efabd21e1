/** A lock that others lost the grounds of is shown to them. Specification §13.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repeatMs, X, Y } from './assembly.ts';
import { a, b, c, d, lockedOn, prevotes, roundOf, said, Seat } from './seat.ts';

test('a locked voter shows the quorum of its lock while others propose something else, and nobody takes that for a proposal (§13.3)', () => {
  const round = roundOf(b, 4);
  const locked = new Seat({ kept: lockedOn(X, 3) }).knows(X, Y);
  locked.enter(round);
  locked.propose(round, Y);
  const shown = locked.wait(repeatMs).find(({ effect }) => effect === 'propose');
  const quorum = { validRound: 3, prevotes: prevotes(3, X, b, c, d) };
  assert.deepEqual(shown, { effect: 'propose', round, value: X, ...quorum });
  const other = new Seat({ self: d }).knows(X, Y);
  other.enter(round);
  other.propose(round, X, quorum, a);
  assert.deepEqual(said(other.propose(round, Y)), [`prevote ${round} Y`], 'it is not locked, and free to follow the proposer');
  const own = roundOf(d, round + 1);
  const proposed = other.enter(own).find(({ effect }) => effect === 'propose');
  assert.deepEqual(proposed, { effect: 'propose', round: own, value: X, ...quorum }, 'and proposes it when its turn comes');
});

test('whoever is not drawn shows nothing without a quorum (§13.3)', () => {
  const own = roundOf(a, 5);
  const seat = new Seat().knows(X, Y);
  seat.enter(roundOf(b));
  seat.propose(roundOf(b, 4), X, { validRound: 3, prevotes: prevotes(3, X, c, d) }, c);
  seat.candidate(Y);
  const proposed = seat.enter(own).find(({ effect }) => effect === 'propose');
  assert.deepEqual(proposed, { effect: 'propose', round: own, value: Y, prevotes: [] });
});
