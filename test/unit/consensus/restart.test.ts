/** Restarts at any moment (§14.4): nothing is said twice in two ways, nothing stored is lost, damage is asked for again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '#protocol/digest.ts';
import { finalisedOf } from '../../../device/consensus/machine.ts';
import { checkpointOf, heightOf, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta'];

/** Alpha's power fails before its effect number `dies`, and returns after a while. */
function worldWithCut(dies: number): { world: World; all: Actor[]; cut: () => string | undefined } {
  const world = new World(names);
  const perform = world.performOne.bind(world);
  let [count, at]: [number, string | undefined] = [0, undefined];
  world.performOne = (actor, effect) => {
    if (actor.name !== 'alpha' || effect.effect === 'wakeAt' || effect.effect === 'report') perform(actor, effect);
    else if ((count += 1) === dies) {
      at = effect.effect;
      world.kill(actor);
      world.plan(300, () => world.boot(actor));
    } else perform(actor, effect);
  };
  return { world, all: world.startAll(), cut: () => at };
}

test('a member killed between any two effects contradicts itself nowhere, and goes on (§12.6, §13.3, §14.4)', () => {
  const seen = new Set<string>();
  for (let dies = 1; dies <= 36; dies += 1) {
    const { world, all, cut } = worldWithCut(dies);
    assert.ok(
      world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 3), 60_000),
      `killed before effect ${dies}: ${all.map(checkpointOf).join(' ')}`,
    );
    for (const { reports } of all) assert.ok(!reports.some(({ report }) => report === 'equivocation'), `killed before effect ${dies}`);
    const [alpha] = all as [Actor];
    assert.equal(alpha.state.finality.decision.self, alpha.state.self, `killed before effect ${dies}: it votes again`);
    seen.add(cut() ?? 'never');
  }
  assert.deepEqual([...seen].sort(), ['ask', 'broadcast', 'persist']);
});

function grown(): { world: World; all: Actor[]; alpha: Actor } {
  const world = new World(names);
  const all = world.startAll();
  world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 12), 60_000);
  return { world, all, alpha: all[0] as Actor };
}

test('after a restart a member stands where it stood (§14.4)', () => {
  const { world, alpha } = grown();
  const before = { head: alpha.state.head.key, checkpoint: hex(finalisedOf(alpha.state).position.id), number: checkpointOf(alpha) };
  const votes = alpha.disk.votes;
  world.kill(alpha);
  world.boot(alpha);
  assert.deepEqual(
    { head: alpha.state.head.key, checkpoint: hex(finalisedOf(alpha.state).position.id), number: checkpointOf(alpha) },
    before,
  );
  assert.equal(alpha.disk.votes, votes);
});

test('a block that the disk has lost is asked for again; what was certified before is not voted on anew (§14.4)', () => {
  const { world, all, alpha } = grown();
  world.kill(alpha);
  const lost = [...alpha.disk.blocks].find(([, { block }]) => block.header.height === 5)?.[0] ?? assert.fail();
  alpha.disk.blocks.delete(lost);
  world.boot(alpha);
  assert.equal(heightOf(alpha), 4);
  assert.equal(checkpointOf(alpha), 4);
  assert.equal(alpha.state.finality.decision.self, undefined, 'it watches where it may have voted');
  assert.ok(world.runUntil(() => checkpointOf(alpha) >= 12, 10_000));
  assert.equal(alpha.state.finality.decision.self, alpha.state.self);
  assert.ok(world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 20), 60_000));
  for (const { reports } of all) assert.ok(!reports.some(({ report }) => report === 'equivocation'));
});

test('of an empty disk nothing is made up: the member begins at the genesis, and its heights of before are known by its peers (§14.4)', () => {
  const { world, all, alpha } = grown();
  world.kill(alpha);
  alpha.disk.blocks.clear();
  alpha.disk.certificates.clear();
  alpha.disk.votes = undefined;
  world.boot(alpha);
  assert.equal(heightOf(alpha), 0);
  assert.ok(world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 15), 60_000));
});

test('a restart begins at the last kept state, not at the genesis, and refuses a damaged one (§14.4)', () => {
  const world = new World(['alpha'], { targetIntervalMs: 200, minimumWaitMs: 0, epochHeights: 64 });
  const alpha = world.start('alpha');
  assert.ok(world.runUntil(() => finalisedOf(alpha.state).position.height > 260, 200_000));
  const before = hex(finalisedOf(alpha.state).position.id);
  world.kill(alpha);
  const kept = [...alpha.disk.states.values()].at(-1) ?? assert.fail();
  for (const [key, { block }] of alpha.disk.blocks) if (block.header.height < kept.height) alpha.disk.blocks.delete(key);
  world.boot(alpha);
  assert.equal(hex(finalisedOf(alpha.state).position.id), before);
  world.kill(alpha);
  alpha.disk.states.set(hex(kept.block), { ...kept, state: kept.state.with(kept.state.length - 1, 1) });
  world.boot(alpha);
  assert.equal(checkpointOf(alpha), 0);
});
