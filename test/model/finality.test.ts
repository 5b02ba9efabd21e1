/** The voting machine, explored: nothing wrong is found in it, and every fault planted in it is. Specification §13.3, §13.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecisionSetup, VoteRecord } from '../../device/votes/decision.ts';
import { startDecision, stepDecision } from '../../device/votes/machine.ts';
import { explore, type Bounds, type Machine } from './finality.ts';
import type { ModelState } from './finality-state.ts';

test('rounds 0 and 1, four voters of whom one lies and proposes: agreement, locks and no contradiction, in every state (§13.5)', () => {
  const found = explore({ rounds: 2, proposers: [3] });
  assert.equal(found.violation, undefined, found.trace?.join('\n') ?? '');
  assert.ok(found.complete);
  assert.ok(found.states > 20_000, `${found.states} states`);
});

test('rounds 0 and 1 with an honest proposer: the same (§13.5)', () => {
  const found = explore({ rounds: 2, proposers: [0], statesMax: 20_000 });
  assert.equal(found.violation, undefined, found.trace?.join('\n') ?? '');
});

/** A machine whose voters are started from something else than what they kept. */
function forgetful(change: (kept: VoteRecord) => VoteRecord): Machine {
  return {
    stepDecision,
    startDecision: (setup) => startDecision({ ...setup, ...(setup.kept && { kept: change(setup.kept) }) }),
  };
}

function withTotal(total: number): Machine {
  return { stepDecision, startDecision: (setup: DecisionSetup) => startDecision({ ...setup, voters: { ...setup.voters, total } }) };
}

/** After round 1: voters 0 and 1 have prevoted Y in round 0, unheard, and X in round 1, and 0 and 1 have locked X there. */
const lockedInRound1: ModelState = {
  voters: [
    { round: 2, votes: [3, 1, 2, 2, 0, 0, 0, 0] },
    { round: 2, votes: [3, 1, 2, 2, 0, 0, 0, 0] },
    { round: 2, votes: [1, 1, 1, 1, 0, 0, 0, 0] },
  ],
  proposals: [],
};

const planted: readonly { readonly fault: string; readonly machine: Machine; readonly bounds: Bounds; readonly found: RegExp }[] = [
  {
    fault: 'a lock that is ignored',
    machine: forgetful(({ round, cast }) => ({ round, cast })),
    bounds: { rounds: 2, proposers: [3] },
    found: /lock|agreement/,
  },
  { fault: 'a quorum of two of four', machine: withTotal(2), bounds: { rounds: 1, proposers: [] }, found: /quorum|agreement/ },
  {
    fault: 'a lock that an older quorum undoes',
    machine: forgetful((kept) => ({ ...kept, ...(kept.locked && { locked: { ...kept.locked, round: 0 } }) })),
    bounds: { rounds: 3, proposers: [0, 3], start: lockedInRound1 },
    found: /lock/,
  },
  {
    fault: 'ballots that a restarted voter forgets',
    machine: forgetful(({ cast: _, ...kept }) => ({ ...kept, cast: [] })),
    bounds: { rounds: 1, proposers: [] },
    found: /contradicts/,
  },
];

for (const { fault, machine, bounds, found } of planted) {
  test(`a planted fault is found: ${fault}`, () => {
    const { violation } = explore({ ...bounds, statesMax: 50_000 }, machine);
    assert.match(violation ?? 'nothing', found);
  });
}

test('the machine itself is sound from where the planted faults begin', () => {
  const found = explore({ rounds: 3, proposers: [0, 3], start: lockedInRound1, statesMax: 20_000 });
  assert.equal(found.violation, undefined, found.trace?.join('\n') ?? '');
});
