/** A box without a run is measured all the same. Specification §17.1. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { BOX, ControlWorld } from './world.ts';

const worlds: ControlWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.control.close();
});

async function ready(): Promise<ControlWorld> {
  const world = await ControlWorld.ready();
  worlds.push(world);
  return world;
}

describe('a box that rests (§17.1)', () => {
  it('is asked anew within five minutes, stays ready meanwhile and by its answer, and is fenced by a refusal', async () => {
    const world = await ready();
    const asked = world.challenges.length;
    world.passes(59_000);
    assert.equal(world.challenges.length, asked, 'not within the first minute');
    world.passes(242_000);
    assert.ok(world.challenges.length > asked);
    assert.equal(world.state, 'ready');
    world.proves();
    const answered = world.challenges.length;
    world.passes(59_000);
    assert.deepEqual([world.state, world.challenges.length], ['ready', answered]);
    world.passes(242_000);
    world.control.refused(BOX, 'PCR 14 was 00 and is 01');
    assert.deepEqual([world.state, world.fenced], ['fenced', [BOX]]);
  });

  it('that works is left to the checks of its runs', async () => {
    const world = await ready();
    world.works('run');
    const asked = world.challenges.length;
    world.passes(302_000);
    assert.equal(world.challenges.length, asked);
  });
});
