/** A box is cut off though its device can store nothing, and what could not be stored is, later. Specification §17.2. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { BOX, ControlWorld, NAMED, type WorldOptions } from './world.ts';

const FULL = 'database or disk is full';

async function workingOnFullDisk(t: TestContext, options: WorldOptions = {}): Promise<ControlWorld> {
  const world = await ControlWorld.ready(options);
  t.after(() => world.control.close());
  world.works('run.1');
  world.diskProblem = FULL;
  return world;
}

test('an alarm on a full disk cuts the box off: its power, its rights, its offers (§17.2)', async (t) => {
  const policy = { intrusion: 'fence-and-power-off' } as const;
  const world = await workingOnFullDisk(t, { rules: { boxRules: [{ box: BOX, policy }] } });
  world.hardware.reads('case', 1);
  await new Promise(setImmediate);
  assert.deepEqual([world.state, world.fenced, world.hardware.pressed], ['fenced', [BOX], ['hard-off']]);
  assert.equal(world.control.fitnessOf(BOX), 'fenced');
});

test('an order to fence is done on a full disk (§17.2)', async (t) => {
  const world = await workingOnFullDisk(t);
  assert.deepEqual(await world.control.commands.order(BOX, 'fence', 'the operator'), { outcome: 'done' });
  assert.deepEqual(world.fenced, [BOX]);
});

test('runs of a fenced box end, and its fence is remembered, as soon as the disk takes it (§17.1, §17.2)', async (t) => {
  const world = await workingOnFullDisk(t);
  world.hardware.reads('case', 1);
  world.passes(5_000);
  assert.deepEqual(
    world.done.filter((words) => words.startsWith('end all')),
    [],
  );
  assert.equal(world.log.filter((line) => line.startsWith('boxStandingUnkept')).length, 1, 'one line for a box, not one for a try');
  world.diskProblem = undefined;
  world.passes(2_000);
  assert.equal(world.done.filter((words) => words.startsWith('end all: box-fenced')).length, 1);
  const next = new ControlWorld({ memory: world.memory });
  t.after(() => next.control.close());
  next.control.boxesPaired([NAMED]);
  assert.equal(next.state, 'fenced');
});
