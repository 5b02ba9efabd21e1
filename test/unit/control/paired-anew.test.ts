/** A name that is another box: nothing of its predecessor speaks for it, or against it. Specification §17.1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX, ControlWorld, NAMED, software } from './world.ts';

const OTHER = { name: BOX, signingKey: new Uint8Array(32).fill(2) };

test('a box that is paired anew with another key begins anew and is not ready before it has been judged (§17.1)', async (t) => {
  const world = await ControlWorld.ready();
  t.after(() => world.control.close());
  world.works('run');
  world.hardware.reads('feed', 250_000);
  const askedBefore = world.asked?.run ?? '';
  world.nowMs += 1_000;
  world.control.boxesPaired([OTHER]);
  assert.deepEqual([world.state, world.control.fitnessOf(BOX)], ['off', 'waiting']);
  assert.ok(
    world.done.some((words) => words.startsWith('end all: box-lost:')),
    'the runs of its predecessor end',
  );
  assert.equal(world.control.energyOf('run'), undefined);
  assert.deepEqual([...(world.control.boxes.get(BOX)?.readings ?? [])], []);
  world.says();
  world.control.attested(BOX, askedBefore, software);
  assert.equal(world.control.fitnessOf(BOX), 'waiting', 'an answer to its predecessor’s challenge is none');
  world.proves();
  assert.equal(world.control.fitnessOf(BOX), 'ready');
});

test('what stood against a box, or was ordered of it, is not its successor’s, also where the pairing was changed while no device ran (§17.1)', async (t) => {
  const first = await ControlWorld.ready();
  t.after(() => first.control.close());
  first.hardware.reads('case', 1);
  await first.control.commands.order(BOX, 'hard-off', 'the operator');
  const successors: [typeof NAMED, string][] = [
    [NAMED, 'fenced'],
    [OTHER, 'off'],
  ];
  for (const [named, state] of successors) {
    const world = new ControlWorld({ memory: new Map(first.memory) });
    t.after(() => world.control.close());
    world.control.boxesPaired([named]);
    assert.equal(world.state, state);
    assert.equal(world.control.boxes.get(BOX)?.standing.ordered, named === NAMED ? 'off' : 'nothing');
  }
  first.control.boxesPaired([OTHER]);
  assert.deepEqual([first.state, first.fenced], ['off', []]);
});

test('its wires are let go of before they are opened for its successor (§17.1)', async (t) => {
  const world = await ControlWorld.ready();
  t.after(() => world.control.close());
  const { hardware } = world;
  let closed = (): void => undefined;
  const closing = new Promise<void>((resolve) => (closed = resolve));
  hardware.close = () => closing;
  world.control.boxesPaired([OTHER]);
  world.passes(3_000);
  await Promise.resolve();
  assert.equal(world.control.boxes.get(BOX)?.hardware, undefined);
  closed();
  await new Promise(setImmediate);
  world.passes(1_000);
  await new Promise(setImmediate);
  assert.equal(world.control.boxes.get(BOX)?.hardware, hardware);
});
