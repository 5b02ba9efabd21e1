/** The owner's standing order that a box is on, and the orders and dangers that are stronger. Specification §17.2. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { BOX, ControlWorld, type WorldOptions } from './world.ts';

const worlds: ControlWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.control.close();
});

async function ready(options: WorldOptions): Promise<ControlWorld> {
  const world = await ControlWorld.ready(options);
  worlds.push(world);
  return world;
}

describe('a box that its owner wants on (§17.2)', () => {
  const rules = { boxRules: [{ box: BOX, keepOn: true, policy: { intrusion: 'fence-and-power-off' } as const }] };

  async function switchedOff(options: WorldOptions = {}): Promise<ControlWorld> {
    const world = await ready({ rules, ...options });
    world.hardware.switched('off');
    return world;
  }

  it('is switched on by its device 20 s after its power went, and not where nobody asked for that', async () => {
    const world = await switchedOff();
    world.passes(19_000, { silent: true });
    assert.deepEqual(world.hardware.pressed, []);
    world.passes(1_000, { silent: true });
    assert.deepEqual(world.hardware.pressed, ['on']);
    const other = await switchedOff({ rules: {} });
    other.passes(600_000, { silent: true });
    assert.deepEqual(other.hardware.pressed, []);
  });

  it('is switched on at once when the device finds it off', async () => {
    const world = await ready({ rules, power: 'off' });
    world.passes(1_000, { silent: true });
    assert.deepEqual(world.hardware.pressed, ['on']);
  });

  it('is pressed ever less often while that brings nothing, at last every five minutes, and never given up', async () => {
    const world = await switchedOff();
    const presses: number[] = [];
    for (let second = 0; second < 3_600; second += 1) {
      const before = world.hardware.pressed.length;
      world.passes(1_000, { silent: true });
      if (world.hardware.pressed.length === before) continue;
      presses.push(second + 1);
      await new Promise(setImmediate); // the press is over
    }
    assert.deepEqual(presses.slice(0, 8), [20, 30, 50, 90, 170, 330, 630, 930]);
    assert.equal(presses.length, 16);
    world.hardware.switched('on');
    world.passes(60_000);
    world.hardware.switched('off');
    world.passes(20_000, { silent: true });
    assert.equal(world.hardware.pressed.length, 17, 'it had come up in between');
  });

  it('stays off after an order, over a new start of the device too, until it is ordered on', async () => {
    const first = await ready({ rules });
    await first.control.commands.order(BOX, 'hard-off', 'the operator');
    first.hardware.switched('off');
    assert.deepEqual([first.state, first.stateNews.detail], ['off', 'power is sensed off, as it was ordered']);
    first.passes(600_000, { silent: true });
    const world = await ready({ rules, memory: first.memory, power: 'off' });
    world.passes(600_000, { silent: true });
    assert.deepEqual([...first.hardware.pressed, ...world.hardware.pressed], ['hard-off']);
    await world.control.commands.order(BOX, 'on', 'the operator');
    world.hardware.switched('on');
    world.passes(1_000);
    world.hardware.switched('off');
    world.passes(20_000, { silent: true });
    assert.deepEqual(world.hardware.pressed, ['on', 'on']);
  });

  it('stays off while it is fenced, and comes back when it is released', async () => {
    const world = await ready({ rules });
    world.hardware.reads('case', 1);
    world.hardware.switched('off');
    world.passes(600_000, { silent: true });
    assert.deepEqual(world.hardware.pressed, ['hard-off']);
    world.hardware.reads('case', 0);
    await world.control.commands.order(BOX, 'release', 'the operator');
    world.passes(1_000, { silent: true });
    assert.deepEqual(world.hardware.pressed, ['hard-off', 'on']);
  });

  it('is not pressed when only its LED is dark: it speaks, and a press would switch it off', async () => {
    const world = await switchedOff();
    world.passes(600_000);
    assert.deepEqual([world.hardware.pressed, world.stateNews.cause], [[], 'contradiction']);
  });
});
