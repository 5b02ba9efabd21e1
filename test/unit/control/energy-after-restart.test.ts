/** A run whose device died in between: what its account of energy says of the time without a device. Specification §17.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX, ControlWorld, NAMED } from './world.ts';

const FEED_MW = 100_000;

for (const wiredFirst of [true, false])
  test(`it begins with the run, and what nobody sensed is a gap, wires ${wiredFirst ? 'first' : 'last'} (§17.4)`, async (t) => {
    const world = new ControlWorld();
    t.after(() => world.control.close());
    const fromMs = world.nowMs - 30_000;
    const runs = (): void => world.control.runsChanged(BOX, [{ run: 'run', givenAtMs: fromMs, isRunning: true }]);
    world.control.boxesPaired([NAMED]);
    if (!wiredFirst) runs();
    await Promise.resolve();
    await Promise.resolve();
    assert.ok(world.control.boxes.get(BOX)?.hardware);
    if (wiredFirst) runs();
    for (let second = 0; second < 10; second += 1) {
      world.hardware.reads('feed', FEED_MW);
      world.nowMs += 1_000;
    }
    const energy = world.control.energyOf('run');
    assert.deepEqual([energy?.fromMs, energy?.toMs], [fromMs, world.nowMs], 'the whole run');
    assert.equal(energy?.unobservedMs, 30_000);
    assert.equal(energy.millijoules, 10 * FEED_MW, 'of the time that was observed');
  });
