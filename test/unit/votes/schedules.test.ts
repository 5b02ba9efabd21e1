/** Seeded schedules: agreement always, progress once messages arrive (§13.5), whatever is lost, repeated or restarted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CastBallot } from '../../../device/votes/decision.ts';
import { startDecision, stepDecision } from '../../../device/votes/machine.ts';
import { Assembly, ballot, baseMs, fair, instance, nodesOf, randomOf, repeatMs, votersOf, X, Y } from './assembly.ts';

const minute = 60_000;

function requireSound(assembly: Assembly, what: string): void {
  assert.deepEqual(assembly.contradictions, [], `${what}: nobody honest contradicts itself`);
  assert.ok(new Set(assembly.decisions().map(({ value }) => value)).size <= 1, `${what}: one value`);
  const accused = new Set(assembly.equivocated.map(({ node }) => node));
  for (const node of accused) assert.ok(assembly.liars.includes(node), `${what}: nobody honest is accused`);
}

function stormOf(seed: number, count: number, liars: number): Assembly {
  const random = randomOf(seed ^ 0x5bd1e995);
  const candidates = Array.from<unknown, Uint8Array | undefined>(
    { length: count - liars },
    () => [X, Y, X, undefined][Math.floor(random() * 4)],
  );
  if (!candidates.some((candidate) => candidate)) candidates[0] = X;
  const assembly = new Assembly(seed, candidates, liars);
  assembly.weather = { loss: random() * 0.5, twice: random() * 0.3, delayMaxMs: 10 + random() * 4 * baseMs };
  assembly.open(random() * 2_000);
  for (let stage = 0; stage < 6; stage += 1) {
    for (const node of assembly.honest.keys()) {
      if (random() < 0.15) assembly.stop(node);
      else if (!assembly.voter(node).up || random() < 0.15) assembly.restart(node);
    }
    assembly.run(assembly.nowMs + random() * 3_000);
  }
  return assembly;
}

function calm(assembly: Assembly): void {
  assembly.weather = fair;
  for (const [node, voter] of assembly.honest) {
    voter.candidate ??= X;
    assembly.restart(node);
  }
  assembly.run(assembly.nowMs + 20 * minute);
}

test('voters who hear the same candidate decide in two exchanges (§13.3)', () => {
  for (const count of [4, 7, 31]) {
    const assembly = new Assembly(count, Array<Uint8Array>(count).fill(X));
    assembly.weather = { loss: 0, twice: 0, delayMaxMs: 1 };
    assembly.open();
    assembly.run(2);
    assert.equal(assembly.decisions().length, count);
  }
});

test('f voters of 4, 7 and 10 that are down from the start, proposers among them, hold nobody up (§13.5)', () => {
  for (const count of [4, 7, 10]) {
    const split = Array.from({ length: count }, (_, index) => (index % 2 === 0 ? X : Y));
    const assembly = new Assembly(count, split);
    for (const node of assembly.nodes.slice(0, Math.floor((count - 1) / 3))) assembly.stop(node);
    assembly.open();
    assembly.run(2 * minute);
    requireSound(assembly, `${count} voters`);
    assert.equal(assembly.decisions().length, count - Math.floor((count - 1) / 3));
  }
});

test('more than f silent: nothing is decided, nothing runs away, and it goes on when one returns (§13.5)', () => {
  for (const count of [4, 7, 10]) {
    const f = Math.floor((count - 1) / 3);
    const assembly = new Assembly(
      count,
      Array.from({ length: count }, (_, index) => (index < 2 ? Y : X)),
    );
    const silent = assembly.nodes.slice(count - f - 1);
    for (const node of silent) assembly.stop(node);
    assembly.open();
    assembly.run(20 * minute);
    assert.deepEqual(assembly.decisions(), []);
    for (const node of assembly.nodes) assert.equal(assembly.voter(node).state.round, 0);
    assembly.restart(silent[0] ?? '');
    assembly.run(assembly.nowMs + minute);
    requireSound(assembly, `${count} voters`);
    assert.equal(assembly.decisions().length, count - f);
  }
});

test('more than f fall silent in the middle: rounds stand still within one, and a lock is not lost (§13.5)', () => {
  for (let seed = 1; seed <= 12; seed += 1) {
    const assembly = new Assembly(seed, [X, Y, X, Y]);
    assembly.weather = { loss: 0.3, twice: 0.1, delayMaxMs: 2 * baseMs };
    assembly.open(500);
    assembly.run(300 + seed * 130);
    const [first = '', second = '', third = '', fourth = ''] = assembly.nodes;
    assembly.stop(third);
    assembly.stop(fourth);
    assembly.run(assembly.nowMs + minute);
    const stood = [first, second].map((node) => assembly.voter(node).state.round);
    assembly.run(assembly.nowMs + 5 * minute);
    assert.deepEqual(
      [first, second].map((node) => assembly.voter(node).state.round),
      stood,
    );
    assembly.weather = fair;
    assembly.restart(third);
    assembly.run(assembly.nowMs + 5 * minute);
    requireSound(assembly, `seed ${seed}`);
    assert.ok(assembly.decisions().length >= 3, `seed ${seed}: three decide`);
  }
});

test('all are restarted at once, locked on different values: they still decide, one value (§13.3)', () => {
  const assembly = new Assembly(1, [X, Y, Y], 1);
  const prevotes = (round: number, value: Uint8Array): CastBallot[] =>
    assembly.nodes.slice(1).map((node) => ballot(node, round, 'prevote', value));
  const [first = '', second = ''] = assembly.nodes;
  assembly.voter(first).kept = { round: 3, cast: [], locked: { round: 1, value: X, prevotes: prevotes(1, X) } };
  assembly.voter(second).kept = { round: 3, cast: [], locked: { round: 2, value: Y, prevotes: prevotes(2, Y) } };
  for (const node of assembly.honest.keys()) assembly.restart(node);
  assembly.run(10 * minute);
  requireSound(assembly, 'after the restart');
  assert.equal(assembly.decisions().length, 3);
});

test('more than f equivocating: the two certificates name at least f + 1 members that signed both (§13.5)', () => {
  for (const count of [4, 7, 10]) {
    const f = Math.floor((count - 1) / 3);
    const nodes = nodesOf(count);
    const half = (count - f - 1) >> 1;
    const traitors = nodes.slice(count - f - 1);
    const certificates = [
      { value: X, honest: nodes.slice(0, half) },
      { value: Y, honest: nodes.slice(half, count - f - 1) },
    ].map(({ value, honest }) => {
      const watcher = startDecision({ instance, voters: votersOf(nodes), baseMs, repeatMs });
      const casts = [...honest, ...traitors].map((node) => ballot(node, 0, 'precommit', value));
      return casts.flatMap((cast) => stepDecision(watcher, { type: 'ballotReceived', cast, nowMs: 0 }));
    });
    const signers = certificates.map((effects) => {
      const decided = effects.find(({ effect }) => effect === 'decided');
      return decided?.effect === 'decided' ? decided.precommits.map((cast) => cast.ballot.node.toHex()) : [];
    });
    const both = (signers[0] ?? []).filter((node) => signers[1]?.includes(node));
    assert.deepEqual(both, traitors);
    assert.ok(both.length >= f + 1);
  }
});

for (const [count, seeds] of [
  [4, 150],
  [7, 40],
  [10, 15],
] as const) {
  const liars = Math.floor((count - 1) / 3);
  test(`at most f faulty: ${count} voters with ${liars} that equivocate agree in any storm, and decide after it (§13.5)`, () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const what = `seed ${seed}`;
      const assembly = stormOf(seed, count, liars);
      requireSound(assembly, what);
      calm(assembly);
      requireSound(assembly, what);
      assert.equal(
        assembly.decisions().length,
        count - liars,
        `${what}: all have decided; rounds ${[...assembly.honest.values()].map(({ state }) => state.round).join(' ')}`,
      );
    }
  });
}
