/** Energy by the device's own word on a run, not by the box's. Specification §17.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX, ControlWorld } from './world.ts';

for (const says of ['never', 'late'])
  test(`a box that says ${says} that it runs is counted from the moment at which it has the run (§17.4)`, async (t) => {
    const world = await ControlWorld.ready();
    t.after(() => world.control.close());
    const givenAtMs = world.nowMs;
    world.control.runsChanged(BOX, [{ run: 'run', isRunning: false }]);
    world.hardware.reads('feed', 100_000);
    for (let second = 0; second < 10; second += 1) {
      world.control.runsChanged(BOX, [{ run: 'run', givenAtMs, isRunning: says === 'late' && second === 9 }]);
      world.nowMs += 1_000;
      world.hardware.reads('feed', 100_000);
    }
    const energy = world.control.energyOf('run');
    assert.deepEqual([energy?.fromMs, energy?.millijoules], [givenAtMs, 1_000_000]);
  });
