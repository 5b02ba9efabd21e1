/** Seeded schedules: agreement always, progress once messages arrive (§13.5), whatever is lost, repeated or restarted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembly, baseMs, fair, randomOf, X, Y } from './assembly.ts';

const minute = 60_000;

function requireSound(assembly: Assembly, what: string): void {
  assert.deepEqual(assembly.contradictions, [], `${what}: nobody honest contradicts itself`);
  assert.ok(new Set(assembly.decisions().map(({ value }) => value)).size <= 1, `${what}: one value`);
  const accused = new Set(assembly.equivocated.map(({ node }) => node));
  for (const node of accused) assert.ok(assembly.liars.includes(node), `${what}: nobody honest is accused`);
}

function stormOf(seed: number, count: number, liars: number): Assembly {
  const random = randomOf(seed ^ 0x5bd1e995);
  const candidates = Array.from({ length: count - liars }, () => [X, Y, X, undefined][Math.floor(random() * 4)]);
  if (candidates.every((candidate) => candidate === undefined)) candidates[0] = X;
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

for (const [count, seeds] of [
  [4, 150],
  [7, 60],
  [10, 30],
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
