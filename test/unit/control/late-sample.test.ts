/** Samples that were taken before an edge was told. Specification §17.2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX, ControlWorld } from './world.ts';

test('a door that was shut is not opened again by a sample that was taken before (§17.2)', async () => {
  const world = await ControlWorld.ready();
  world.hardware.reads('case', 1);
  world.nowMs += 5_000;
  world.hardware.reads('case', 0);
  await world.control.commands.order(BOX, 'release', 'the operator');
  world.nowMs -= 500;
  world.hardware.reads('case', 1);
  assert.deepEqual(world.control.boxes.get(BOX)?.standing.standing, []);
  world.nowMs -= 3_600_000;
  world.hardware.reads('case', 1);
  assert.equal(world.control.boxes.get(BOX)?.standing.standing.length, 1, 'though the clock was set back, it counts');
  await world.control.close();
});
