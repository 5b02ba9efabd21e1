/** Samples that are older than what was told since, or no newer than the one before. Specification §17.2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX, ControlWorld, feed } from './world.ts';

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

test('a reading of a sensor that is slower than the samples counts once, by its time (§17.2)', async (t) => {
  const world = await ControlWorld.ready();
  t.after(() => world.control.close());
  const box = world.control.boxes.get(BOX);
  const sampled = (value: number): boolean | undefined =>
    box?.read({ sensor: feed.name, quantity: 'power', value, atMs: world.nowMs, quality: 'good' });
  assert.deepEqual([sampled(450_000), sampled(450_000), sampled(450_000)], [true, false, false]);
  assert.equal(world.state, 'ready', 'one reading beyond a limit is a glitch, however often it is brought');
  world.nowMs += 1_000;
  assert.equal(sampled(450_000), true);
  assert.equal(world.state, 'suspect');
  for (let again = 0; again < 3; again += 1) sampled(100_000);
  assert.equal(box?.standing.standing.length, 1, 'nor is it over by one');
  for (let again = 0; again < 3; again += 1) {
    world.nowMs += 1_000;
    sampled(100_000);
  }
  assert.deepEqual(box.standing.standing, []);
});
