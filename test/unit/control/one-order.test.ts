/** Orders that meet at one box. Specification §17.2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX, ControlWorld } from './world.ts';

/** What an order is at until `end` is called. */
function longPress(world: ControlWorld): { readonly end: () => void } {
  let end = (): void => undefined;
  world.hardware.press = new Promise((resolve) => (end = resolve));
  return { end: () => end() };
}

test('one order at a time is done to a box: another meanwhile is busy, says by whom, and ends no run (§17.2)', async (t) => {
  const world = await ControlWorld.ready();
  t.after(() => world.control.close());
  const { order } = bound(world);
  const press = longPress(world);
  const first = order('on', 'client owner');
  world.works('run');
  for (const verb of ['reset', 'hard-off'] as const) {
    const detail = `on of box ${BOX} by client owner is under way; ask again when it is done`;
    assert.deepEqual(await order(verb, 'the operator'), { outcome: 'refused', reason: 'busy', detail });
  }
  assert.deepEqual(world.hardware.pressed, ['on']);
  assert.ok(!world.done.some((words) => words.startsWith('end ')));
  assert.equal(world.control.boxes.get(BOX)?.standing.ordered, 'on');
  press.end();
  assert.deepEqual(await first, { outcome: 'done' });
  assert.deepEqual(await order('reset', 'the operator'), { outcome: 'done' });
  assert.deepEqual(world.hardware.pressed, ['on', 'reset']);
});

test('an order that the hardware refuses ends no run and is no standing order (§17.2)', async (t) => {
  const world = await ControlWorld.ready();
  t.after(() => world.control.close());
  const { order } = bound(world);
  world.works('run');
  for (const reason of ['busy', 'unknown-state', 'already-off'] as const) {
    world.hardware.refusal = { status: 'refused', reason, detail: 'as it stands' };
    assert.deepEqual(await order('hard-off', 'the operator'), { outcome: 'refused', reason, detail: 'as it stands' });
  }
  assert.ok(!world.done.some((words) => words.startsWith('end ')));
  assert.deepEqual([world.state, world.control.boxes.get(BOX)?.standing.ordered], ['working', 'nothing']);
  world.hardware.refusal = undefined;
  assert.deepEqual(await order('hard-off', 'the operator'), { outcome: 'done' });
  assert.deepEqual(
    [world.done.some((words) => words.startsWith('end all')), world.control.boxes.get(BOX)?.standing.ordered],
    [true, 'off'],
  );
});

test('the hard off of a policy that comes upon an order is done after it, and the operator’s word is before it (§17.2)', async (t) => {
  for (const released of [false, true]) {
    const world = await ControlWorld.ready({ rules: { boxRules: [{ box: BOX, policy: { intrusion: 'fence-and-power-off' } }] } });
    t.after(() => world.control.close());
    const { order } = bound(world);
    const press = longPress(world);
    const first = order('reset', 'the operator');
    world.hardware.reads('case', 1);
    world.passes(2_000);
    assert.deepEqual(world.hardware.pressed, ['reset']);
    if (released) await order('release', 'the operator');
    press.end();
    await first;
    world.passes(2_000);
    assert.deepEqual(world.hardware.pressed, released ? ['reset'] : ['reset', 'hard-off']);
  }
});

test('a hard off that the hardware refuses as busy is tried again (§17.2)', async (t) => {
  const world = await ControlWorld.ready({ rules: { boxRules: [{ box: BOX, policy: { intrusion: 'fence-and-power-off' } }] } });
  t.after(() => world.control.close());
  const { hardware } = world;
  const power = hardware.power.bind(hardware);
  hardware.power = () => Promise.resolve({ status: 'refused', reason: 'busy', detail: 'the power button was pressed just now' });
  hardware.reads('case', 1);
  await new Promise(setImmediate);
  hardware.power = power;
  world.passes(2_000);
  assert.deepEqual(hardware.pressed, ['hard-off']);
  await new Promise(setImmediate);
  world.passes(5_000);
  assert.deepEqual(hardware.pressed, ['hard-off'], 'once');
});

function bound({ control: { commands } }: ControlWorld): {
  readonly order: (...order: [verb: 'on' | 'reset' | 'hard-off' | 'release', by: string]) => ReturnType<typeof commands.order>;
} {
  return { order: (verb, by) => commands.order(BOX, verb, by) };
}
