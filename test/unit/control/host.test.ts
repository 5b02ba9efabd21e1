/** A box in the hand of its device, from the wires to the topics. Specification §17. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Report } from '#protocol/box-messages.ts';
import { BOX, ControlWorld, feed, NAMED, software, type WorldOptions } from './world.ts';

const worlds: ControlWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.control.close();
});

async function ready(options: WorldOptions = {}): Promise<ControlWorld> {
  const world = await ControlWorld.ready(options);
  worlds.push(world);
  return world;
}

describe('a box comes to work (§17.1)', () => {
  it('it is ready once it has answered the challenge of its device, and its state says what led there', async () => {
    const world = await ready();
    assert.equal(world.state, 'ready');
    const { state, cause, power, source } = world.stateNews;
    assert.deepEqual([state, cause, power, source], ['ready', 'evidence-accepted', 'on', 'wires']);
    assert.deepEqual(world.done.at(-1), 'fitness ready');
  });

  it('a box to which nothing is wired comes to work in the same way', async () => {
    const world = await ready({ wired: false });
    assert.equal(world.state, 'ready');
    assert.deepEqual([world.stateNews.power, world.stateNews.source], ['unknown', undefined]);
  });

  it('a box that does not answer is asked again, and no late answer counts', async () => {
    const world = await ready();
    world.says({ software: { ...software, bootId: 'boot-2' } });
    assert.equal(world.state, 'attesting');
    const first = world.asked;
    world.passes(4_000, { silent: true });
    assert.deepEqual([world.asked, world.challenges.slice(-2)], [first, [first?.run, first?.run]], 'the same again: it may be at it');
    world.passes(60_000);
    assert.notDeepEqual(world.asked, first);
    assert.equal(world.control.challengeOf(BOX, first?.run ?? ''), undefined);
    world.control.attested(BOX, first?.run ?? '', software);
    assert.equal(world.state, 'attesting');
  });

  it('evidence that does not hold fences it', async () => {
    const world = await ready();
    world.says({ software: { ...software, bootId: 'boot-2' } });
    world.control.refused(BOX, 'its quote shows another PCR 7');
    assert.equal(world.state, 'fenced');
    assert.deepEqual(world.fenced, [BOX]);
  });
});

describe('a box is cut off (§17.2)', () => {
  it('a door that is opened during a run: disputed, fenced, its runs ended, all at the edge', async () => {
    const world = await ready();
    world.works('run');
    world.hardware.reads('case', 1);
    assert.equal(world.state, 'fenced');
    assert.deepEqual([world.stateNews.cause, world.stateNews.detail], ['intrusion', 'case: the case was opened']);
    assert.deepEqual(world.fenced, [BOX]);
    const done = world.done.filter((words) => !words.startsWith('fitness'));
    assert.deepEqual(done, [
      'dispute: box-opened: case: the case was opened',
      `end all: box-fenced: box ${BOX} is fenced: case: the case was opened`,
    ]);
    assert.equal(world.control.fitnessOf(BOX), 'fenced');
  });

  it('a door that is shut again is not said to be open, and one that is opened once more not to be shut', async () => {
    const world = await ready();
    world.hardware.reads('case', 1);
    world.nowMs = Date.UTC(2026, 0, 1, 12, 30, 5);
    world.hardware.reads('case', 0);
    assert.deepEqual([world.state, world.stateNews.detail], ['fenced', 'case: the case was opened; shut since 12:30:05 UTC']);
    world.nowMs += 1_000;
    world.hardware.reads('case', 1);
    assert.deepEqual([world.state, world.stateNews.detail], ['fenced', 'case: the case was opened']);
  });

  it('a box that falls silent with a run is fenced within two intervals of its hello, and one without a run is not', async () => {
    const world = await ready();
    world.works('run');
    world.passes(30_000, { silent: true });
    assert.equal(world.state, 'working');
    world.passes(1_000, { silent: true });
    assert.equal(world.state, 'fenced');
    assert.ok(world.done.some((words) => words.startsWith('end all: box-lost: box box-1 is fenced: nothing was heard of it for 31 s')));
    const idle = await ready();
    idle.passes(44_000, { silent: true });
    assert.equal(idle.state, 'ready');
    idle.passes(2_000, { silent: true });
    assert.equal(idle.state, 'booting');
  });

  it('while the device itself stood still nobody was silent', async () => {
    const world = await ready();
    world.works('run');
    world.nowMs += 120_000;
    world.control.timePassed();
    assert.equal(world.state, 'working');
  });

  it('a box whose power goes during a run loses the run at once, and proves itself anew', async () => {
    const world = await ready();
    world.works('run');
    world.hardware.switched('off');
    assert.equal(world.state, 'suspect');
    assert.ok(world.done.includes('end all: box-lost: its power was sensed off while it had a run'));
    world.nowMs += 1_000;
    world.hardware.switched('on');
    world.says({ software: { ...software, bootId: 'boot-2' } });
    world.proves();
    assert.equal(world.state, 'ready');
  });

  it('the policy of the owner counts, up to power', async () => {
    const lenient = await ready({ rules: { boxRules: [{ box: BOX, policy: { intrusion: 'notice' } }] } });
    lenient.hardware.reads('case', 1);
    assert.equal(lenient.state, 'ready');
    const strict = await ready({ rules: { boxRules: [{ box: BOX, policy: { intrusion: 'fence-and-power-off' } }] } });
    strict.hardware.reads('case', 1);
    assert.equal(strict.state, 'fenced');
    assert.deepEqual(strict.hardware.pressed, ['hard-off']);
  });

  it('a box that is over its limit gets no further run and may end what it has', async () => {
    const world = await ready();
    world.works('run');
    world.hardware.reads('feed', 450_000);
    world.hardware.reads('feed', 450_000);
    assert.equal(world.state, 'suspect');
    assert.equal(world.control.fitnessOf(BOX), 'held');
    assert.ok(world.done.some((words) => words.startsWith('end waiting')) && !world.done.some((words) => words.startsWith('end all')));
    assert.ok(!world.done.some((words) => words.startsWith('dispute')), 'heat is no lie');
    for (let count = 0; count < 3; count += 1) world.hardware.reads('feed', 100_000);
    world.nowMs += 5_000;
    world.says();
    world.proves();
    assert.equal(world.state, 'working');
  });

  it('other software during a run is refused evidence', async () => {
    const world = await ready();
    world.works('run');
    world.says({ software: { ...software, kernel: '6.2' } });
    assert.equal(world.state, 'fenced');
    assert.equal(world.stateNews.cause, 'evidence-refused');
  });

  it('who is fenced stays so over a new start of the device, until the operator’s word, a shut door and evidence', async () => {
    const first = await ready();
    first.hardware.reads('case', 1);
    const world = await ready({ memory: first.memory });
    assert.equal(world.state, 'fenced');
    assert.deepEqual(world.fenced, [BOX]);
    await world.control.commands.order(BOX, 'release', 'the operator');
    world.passes(10_000);
    world.proves();
    assert.equal(world.state, 'fenced', 'the door is not known to be shut');
    world.hardware.reads('case', 0);
    world.passes(4_000);
    world.proves();
    assert.equal(world.state, 'ready');
    assert.deepEqual(world.fenced, []);
  });

  it('a box that is unpaired leaves nothing behind', async () => {
    const world = await ready();
    world.hardware.reads('case', 1);
    world.control.boxesPaired([]);
    assert.deepEqual(world.fenced, []);
    assert.equal(world.retained.get(`box-state/${BOX}`), '');
    assert.equal(world.hardware.isClosed, true);
    world.control.boxesPaired([NAMED]);
    assert.equal(world.state, 'off');
  });
});

describe('commands (§17.2)', () => {
  const rules = { boxPeople: [{ client: 'owner', may: 'operate' } as const, { client: 'watcher', may: 'observe' } as const] };
  const command = (world: ControlWorld, verb: 'reset' | 'on' | 'release' | 'hard-off', request = 1, madeAtMs = world.nowMs) => ({
    ...{ box: BOX, verb, request: new Uint8Array(16).fill(request), madeAtMs },
  });

  it('only a client whom the configuration lets operate is heard', async () => {
    const world = await ready({ rules });
    for (const client of ['watcher', 'stranger'])
      assert.deepEqual((await world.control.command(client, command(world, 'reset'))).reason, 'not-permitted');
    assert.deepEqual(await world.control.command('owner', command(world, 'reset')), { outcome: 'done' });
    assert.deepEqual(world.hardware.pressed, ['reset']);
  });

  it('the same command again is answered again and not done again', async () => {
    const world = await ready({ rules });
    const reset = command(world, 'reset');
    assert.deepEqual(await world.control.command('owner', reset), { outcome: 'done' });
    world.nowMs += 60_000;
    assert.deepEqual(await world.control.command('owner', reset), { outcome: 'done' });
    assert.deepEqual(world.hardware.pressed, ['reset']);
  });

  it('a command that is older than 30 s, or from ahead, switches nothing', async () => {
    const world = await ready({ rules });
    for (const ageMs of [30_001, -30_001])
      assert.equal((await world.control.command('owner', command(world, 'reset', 2, world.nowMs - ageMs))).reason, 'stale');
    assert.deepEqual(world.hardware.pressed, []);
  });

  it('nobody switches a fenced box on before it is released, but off', async () => {
    const world = await ready({ rules });
    world.hardware.reads('case', 1);
    assert.equal((await world.control.command('owner', command(world, 'on', 3))).reason, 'fenced');
    assert.deepEqual(await world.control.command('owner', command(world, 'hard-off', 4)), { outcome: 'done' });
    await world.control.command('owner', command(world, 'release', 5));
    assert.deepEqual(await world.control.command('owner', command(world, 'on', 6)), { outcome: 'done' });
  });

  it('a reset ends the run that it would tear down, and says by whom', async () => {
    const world = await ready({ rules });
    world.works('run');
    await world.control.command('owner', command(world, 'reset', 7));
    assert.ok(world.done.includes(`end all: box-lost: client owner gave box ${BOX} a reset`));
  });
});

describe('readings and energy (§17.3-17.4)', () => {
  it('a reading says its source, and what does not move is said at most once a minute', async () => {
    const world = await ready({ source: 'simulated' });
    world.hardware.reads('feed', 60_000);
    assert.deepEqual([world.reading.source, world.reading.value, world.reading.unit], ['simulated', 60_000, 'mW']);
    const before = world.publications;
    for (let second = 0; second < 59; second += 1) {
      world.nowMs += 1_000;
      world.hardware.reads('feed', 60_000 + (second % 2) * 500);
    }
    assert.equal(world.publications, before);
    world.nowMs += 1_000;
    world.hardware.reads('feed', 60_000);
    assert.equal(world.publications, before + 1);
  });

  it('what moves at 10 Hz is said once a second', async () => {
    const world = await ready();
    const before = world.publications;
    for (let tenth = 0; tenth < 100; tenth += 1) {
      world.nowMs += 100;
      world.hardware.reads('feed', 60_000 + tenth * 3_000);
    }
    assert.ok(world.publications - before <= 11, String(world.publications - before));
  });

  it('a sensor that gives nothing has no value on its topic', async () => {
    const world = await ready();
    world.hardware.reads('feed', 0, 'failed');
    assert.deepEqual([world.reading.quality, world.reading.value], ['failed', undefined]);
  });

  it('a run is told watts while it goes and has joules at its end', async () => {
    const world = await ready();
    world.hardware.reads('feed', 100_000);
    world.works('run');
    for (let second = 0; second < 10; second += 1) {
      world.nowMs += 1_000;
      world.hardware.reads('feed', 100_000);
      world.control.timePassed();
    }
    assert.ok(world.done.includes('power run 100000'));
    const energy = world.control.energyOf('run');
    assert.deepEqual([energy?.millijoules, energy?.sensor, energy?.source], [1_000_000, feed.name, 'wires']);
  });
});

describe('hardware that senses more than when it was opened (§16.5)', () => {
  it('is let go of, and opened again by the next look', async () => {
    const world = await ready();
    world.hardware.outgrows();
    assert.equal(world.hardware.isClosed, true);
    const wired = (): number => world.log.filter((line) => line.startsWith('boxWired')).length;
    assert.equal(wired(), 1);
    await new Promise(setImmediate);
    world.passes(1_000);
    await new Promise(setImmediate);
    assert.deepEqual([wired(), world.state], [2, 'ready']);
  });
});

describe('contradictions (§17.5)', () => {
  const report = { usage: { wallMs: 20_000, cpuMs: 160_000, memoryBytesMax: 1 } } as Report;
  const rules = { boxRules: [{ box: BOX, idleMilliwatts: 60_000, fullMilliwatts: 300_000 }] };

  async function reportAt(milliwatts: number): Promise<ControlWorld> {
    const world = await ready({ rules });
    world.works('run');
    for (let second = 0; second <= 20; second += 1) {
      world.hardware.reads('feed', milliwatts);
      if (second < 20) world.nowMs += 1_000;
    }
    world.control.reported(BOX, report, world.control.energyOf('run'));
    return world;
  }

  it('full processors at idle watts: the run is disputed and the box suspect until the operator’s word', async () => {
    const world = await reportAt(62_000);
    assert.equal(world.state, 'suspect');
    assert.ok(world.done.some((words) => words.startsWith('dispute: readings-contradict: the report claims 100 %')));
    world.works();
    world.passes(5_000);
    world.proves();
    assert.equal(world.state, 'suspect');
    assert.equal((await reportAt(250_000)).state, 'working');
  });

  it('processors that a box has all of a sudden want new evidence, and do not make its work smaller', async () => {
    const during = await ready({ rules });
    during.works('run');
    during.says({ processors: 65_536 });
    assert.deepEqual([during.state, during.stateNews.cause], ['fenced', 'evidence-refused']);
    const world = await ready({ rules });
    world.says({ processors: 65_536 });
    assert.equal(world.state, 'attesting');
    world.proves();
    assert.equal(world.state, 'ready');
    world.works('run');
    for (let second = 0; second <= 20; second += 1) {
      world.hardware.reads('feed', 62_000);
      if (second < 20) world.nowMs += 1_000;
    }
    world.control.reported(BOX, report, world.control.energyOf('run'));
    assert.ok(world.done.some((words) => words.includes('claims 100 % of 8 processors')));
  });

  it('processors beyond those that the owner names do not make its work smaller either', async () => {
    const world = new ControlWorld({ rules: { boxRules: [{ ...rules.boxRules[0], box: BOX, processors: 8 }] } });
    worlds.push(world);
    world.control.boxesPaired([NAMED]);
    await Promise.resolve();
    world.says({ processors: 65_536 });
    world.proves();
    world.works('run');
    for (let second = 0; second <= 20; second += 1) {
      world.hardware.reads('feed', 62_000);
      if (second < 20) world.nowMs += 1_000;
    }
    world.control.reported(BOX, report, world.control.energyOf('run'));
    assert.ok(world.done.some((words) => words.includes('claims 100 % of 8 processors')));
  });

  it('a box that answers while it is off is swapped behind the cable', async () => {
    const world = await ready();
    world.hardware.switched('off');
    world.passes(6_000, { silent: true });
    world.says();
    assert.deepEqual([world.state, world.stateNews.cause], ['suspect', 'contradiction']);
  });

  it('a boot that outlives a reset is a replay; simulated boxes are not asked, for they share a kernel', async () => {
    for (const source of ['wires', 'simulated'] as const) {
      const world = await ready({ source });
      world.hardware.switched('off');
      world.nowMs += 2_000;
      world.hardware.switched('on');
      world.says();
      assert.equal(world.state, source === 'wires' ? 'suspect' : 'attesting');
    }
  });
});
