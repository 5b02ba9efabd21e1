/** Four members agree (§12, §13.5): with all of them, with one silent, with two silent, and after any of them was away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '#protocol/digest.ts';
import { finalisedOf, headOf } from '../../../device/consensus/machine.ts';
import { checkpointOf, heightOf, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta'];

function agree(actors: readonly Actor[]): boolean {
  return new Set(actors.map(({ state }) => hex(finalisedOf(state).position.id))).size === 1;
}

function started(): { world: World; all: Actor[] } {
  const world = new World(names);
  return { world, all: world.startAll() };
}

test('four members finalise one chain, with at most three writes to the disk for a block (§13, §14.4)', () => {
  const { world, all } = started();
  assert.ok(world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 20), 120_000));
  world.run(200);
  assert.ok(agree(all));
  const leaders = all.map(({ reports }) => reports.filter(({ report }) => report === 'blockMade').length);
  assert.ok(
    leaders.every((made) => made > 0),
    `everyone leads some time: ${leaders.join(', ')}`,
  );
  for (const { disk, state } of all) assert.ok(disk.persists <= 3.5 * headOf(state).height, `${disk.persists} writes`);
  assert.deepEqual(
    all.flatMap(({ reports }) => reports.filter(({ report }) => report === 'messageRefused' || report === 'blockRefused')),
    [],
  );
});

test('one of four silent: the others finalise, and it catches up when it returns (§13.5, §14.2)', () => {
  const { world, all } = started();
  const [first, ...others] = all as [Actor, ...Actor[]];
  world.runUntil(() => checkpointOf(first) >= 3, 60_000);
  world.kill(first);
  assert.ok(
    world.runUntil(() => others.every((actor) => checkpointOf(actor) >= 100), 300_000),
    'three of four are a quorum',
  );
  world.boot(first);
  assert.ok(
    world.runUntil(() => checkpointOf(first) >= 100 && agree(all), 20_000),
    `it is at ${checkpointOf(first)}`,
  );
  const restarted = checkpointOf(first);
  assert.ok(world.runUntil(() => all.every((actor) => checkpointOf(actor) >= restarted + 5), 60_000));
});

test('two of four silent: blocks go on, nothing is final; when one returns checkpoints go on from where they stood (§13.5)', () => {
  const { world, all } = started();
  const [first, second, ...others] = all as [Actor, Actor, ...Actor[]];
  world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 3), 60_000);
  world.kill(first);
  world.kill(second);
  world.run(3_000);
  const [stuck, height] = [others.map(checkpointOf), others.map(heightOf)];
  world.run(200_000);
  assert.deepEqual(others.map(checkpointOf), stuck, 'two of four finalise nothing');
  assert.ok(others.every((actor, index) => heightOf(actor) > (height[index] ?? 0) + 64));
  world.boot(first);
  const running = [first, ...others];
  assert.ok(world.runUntil(() => running.every(({ state }) => finalisedOf(state).position.height > (height[0] ?? 0) + 64), 60_000));
  world.run(500);
  world.boot(second);
  assert.ok(
    world.runUntil(() => all.every(({ state }) => headOf(state).height - finalisedOf(state).position.height < 3) && agree(all), 60_000),
  );
});

test('everyone restarts at once after an hour without power: the chain goes on (§12.4, §14.4)', () => {
  const { world, all } = started();
  world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 5), 60_000);
  for (const actor of all) world.kill(actor);
  world.nowMs += 3_600_000;
  const before = all.map(checkpointOf);
  for (const actor of all) {
    actor.boot += 1;
    world.boot(actor);
  }
  assert.ok(all.every((actor, index) => checkpointOf(actor) >= (before[index] ?? 0)));
  assert.ok(world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 10) && agree(all), 60_000));
});

test('halves that could not hear one another agree again, with all blocks of one of them (§12.4, §13.5)', () => {
  const { world, all } = started();
  world.runUntil(() => all.every((actor) => checkpointOf(actor) >= 3), 60_000);
  const [left, right] = [all.slice(0, 2), all.slice(2)];
  world.passes = (from, to) => left.includes(from) === left.includes(to);
  world.run(100_000);
  const heights = all.map(heightOf);
  world.passes = () => true;
  assert.ok(
    world.runUntil(() => all.every(({ state }) => finalisedOf(state).position.height >= Math.min(...heights)) && agree(all), 30_000),
  );
  assert.ok(right.every(({ reports }) => reports.every(({ report }) => report !== 'conflictingCertificates')));
});
