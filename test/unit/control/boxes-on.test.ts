/** When the start of a grid goes on without a box: asked of real desks, with control behind them in memory. Specification §17.1, §17.7. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlDesk } from '../../../device/control/desk.ts';
import { untilBoxesStand, type BoxComing } from '../../../scripts/grid/boxes-on.ts';
import { BOX, ControlWorld, NAMED } from './world.ts';

const SHORT_MS = 700;
const LONG_MS = 20_000;
let folder: string;
const open: { close(): unknown }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-boxes-on-'));
});
afterEach(async () => {
  for (const part of open.splice(0)) await part.close();
  rmSync(folder, { recursive: true, force: true });
});

function coming(world: ControlWorld, waitMs: number): Promise<BoxComing[]> {
  open.push(new ControlDesk({ stateFolder: folder, control: world.control, now: Date.now, log: () => undefined }), world.control);
  return untilBoxesStand([{ box: BOX, folder }], waitMs);
}

describe('the start of a grid asks its devices how their boxes stand (§17.7)', () => {
  it('goes on as soon as a box is ready, whatever the logs say', async () => {
    const [box] = await coming(await ControlWorld.ready(), LONG_MS);
    assert.equal(box?.status, 'on');
  });

  it('waits for a box that may still come', async () => {
    const world = await ControlWorld.ready();
    world.passes(60_000, { silent: true });
    const waiting = coming(world, LONG_MS);
    await sleep(SHORT_MS);
    world.says();
    world.passes(1_000);
    world.proves();
    assert.equal((await waiting)[0]?.status, 'on');
  });

  it('does not wait for a fenced box, and says what brings it back', async () => {
    const world = await ControlWorld.ready();
    await world.control.commands.order(BOX, 'fence', 'the operator');
    assert.deepEqual(await coming(world, LONG_MS), [
      {
        ...{ box: BOX, status: 'held' },
        words: `${BOX} is fenced (fence-ordered: the operator fenced it). It comes back by: npm run box -- release ${BOX}`,
      },
    ]);
  });

  it('does not wait for a box that was ordered off before its device started (§17.2)', async () => {
    const before = await ControlWorld.ready();
    await before.control.commands.order(BOX, 'hard-off', 'the operator');
    before.hardware.switched('off');
    const world = new ControlWorld({ memory: before.memory, power: 'off' });
    world.control.boxesPaired([NAMED]);
    open.push(before.control);
    const [box] = await coming(world, LONG_MS);
    assert.equal(box?.status, 'held');
    assert.match(box.words, /is off \(ordered-off: it was ordered off, before its device started\)\. It comes back by: npm run box -- on/);
  });

  it('gives up on what does not come in time, and says where it stands', async () => {
    const world = await ControlWorld.ready({ power: 'on' });
    world.passes(60_000, { silent: true });
    const [box] = await coming(world, SHORT_MS);
    assert.deepEqual(box, { box: BOX, status: 'late', words: `${BOX} is booting (silence: nothing is heard of it)` });
  });

  it('says of a device that does not answer that it does not', async () => {
    const [box] = await untilBoxesStand([{ box: BOX, folder }], SHORT_MS);
    assert.deepEqual(box, { box: BOX, status: 'late', words: `the device of ${BOX} does not answer` });
  });
});
