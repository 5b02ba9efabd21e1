/** A run whose device died in between: what its account of energy says of the time without a device. Specification §17.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTROL_LIMITS } from '../../../device/control/limits.ts';
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

test('what was sensed before the device died counts, but for the last seconds; and who shared the box before that (§17.4)', async (t) => {
  const first = await ControlWorld.ready();
  const fromMs = first.nowMs;
  const runs = (world: ControlWorld, ...names: string[]): void =>
    world.control.runsChanged(
      BOX,
      names.map((run) => ({ run, givenAtMs: fromMs, isRunning: true })),
    );
  const draws = (world: ControlWorld, seconds: number): void => {
    for (let second = 0; second < seconds; second += 1) {
      world.hardware.reads('feed', FEED_MW);
      world.passes(1_000);
    }
  };
  runs(first, 'run', 'other');
  draws(first, 12);
  runs(first, 'run');
  draws(first, 13);
  await first.control.close();

  const next = new ControlWorld({ memory: first.memory });
  t.after(() => next.control.close());
  next.nowMs = first.nowMs + 20_000;
  next.control.boxesPaired([NAMED]);
  runs(next, 'run');
  await Promise.resolve();
  await Promise.resolve();
  draws(next, 10);
  const energy = next.control.energyOf('run');
  assert.ok(energy);
  const lostMs = energy.unobservedMs - 20_000;
  assert.ok(lostMs >= 0 && lostMs <= CONTROL_LIMITS.metersKeptEveryMs + 1_000, `${energy.unobservedMs} ms were not observed`);
  const observedMs = energy.toMs - energy.fromMs - energy.unobservedMs;
  assert.deepEqual([energy.fromMs, energy.millijoules], [fromMs, (FEED_MW * observedMs) / 1_000]);
  assert.equal(energy.sharedWith, 1, 'with a run that had ended by then');
});

test('a meter that counted another run, or by another beginning, counts for nothing (§17.4)', async (t) => {
  const first = await ControlWorld.ready();
  first.control.runsChanged(BOX, [{ run: 'run', givenAtMs: first.nowMs, isRunning: true }]);
  first.hardware.reads('feed', FEED_MW);
  first.passes(15_000);
  await first.control.close();
  const next = new ControlWorld({ memory: first.memory });
  t.after(() => next.control.close());
  next.nowMs = first.nowMs;
  next.control.boxesPaired([NAMED]);
  await Promise.resolve();
  await Promise.resolve();
  next.control.runsChanged(BOX, [{ run: 'run', givenAtMs: first.nowMs, isRunning: true }]);
  assert.deepEqual([next.control.energyOf('run')?.samples], [0]);
});
