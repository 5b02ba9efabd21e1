/** A fenced box is cut off at the broker, or whoever asked for it hears that it is not. Specification §17.2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX, ControlWorld } from './world.ts';

test('a fence that the broker does not take is no fence done: it says so, and is told again each second until it is (§17.2)', async (t) => {
  const world = await ControlWorld.ready();
  t.after(() => world.control.close());
  world.brokerProblem = 'ENOSPC: no space left on device';
  const outcome = await world.control.commands.order(BOX, 'fence', 'the operator');
  assert.deepEqual([outcome.outcome, outcome.reason, world.state], ['failed', 'rights-kept', 'fenced']);
  assert.match(outcome.detail ?? '', /its runs have ended, but the broker does not cut it off: ENOSPC.*told again each second/);
  for (let second = 0; second < 5; second += 1) {
    world.passes(1_000);
    await new Promise(setImmediate);
  }
  assert.deepEqual(world.fenced, []);
  assert.equal(world.log.filter((line) => line.startsWith('boxRightsKept')).length, 1, 'one line for a reason, not one for a try');
  world.brokerProblem = undefined;
  world.passes(1_000);
  assert.deepEqual(world.fenced, [BOX]);
  assert.deepEqual(await world.control.commands.order(BOX, 'fence', 'the operator'), { outcome: 'done' });
});

test('a fence that an alarm raised is told again as well, and so is the end of one (§17.2)', async (t) => {
  const world = await ControlWorld.ready();
  t.after(() => world.control.close());
  world.brokerProblem = 'it is away';
  world.hardware.reads('case', 1);
  await new Promise(setImmediate);
  world.brokerProblem = undefined;
  world.passes(1_000);
  assert.deepEqual(world.fenced, [BOX]);
  await new Promise(setImmediate);
  world.brokerProblem = 'it is away';
  world.control.boxesPaired([]);
  await new Promise(setImmediate);
  world.brokerProblem = undefined;
  world.control.timePassed();
  assert.deepEqual(world.fenced, []);
});
