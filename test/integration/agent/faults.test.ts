/** An agent that dies at any step, a full disk, a graceful stop (protocol/README.md §6.4). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { hex } from '#protocol/digest.ts';
import { openAgentBench, type AgentBench } from './agent-bench.ts';
import { until } from './memory-device.ts';

describe('an agent that dies loses no run and makes no second report for one (§6.4)', () => {
  let bench: AgentBench;
  beforeEach(() => {
    bench = openAgentBench();
  });
  afterEach(() => bench.close());

  /** One life of a run until its `dieAt`th step; then another agent on what the disk had at that instant. */
  async function liveAndDie(dieAt: number): Promise<{ died: boolean; where: string }> {
    const { device, executor, lines, folder } = bench;
    const image = path.join(folder, `image-${dieAt}`);
    let steps: number | undefined;
    let died: string | undefined;
    const step = (where: string) => {
      if (steps === undefined || (steps += 1) !== dieAt) return;
      died = where;
      cpSync(path.join(folder, `state-${dieAt}`), image, { recursive: true });
      device.cut();
      service.abandon();
    };
    const pushLine = lines.push.bind(lines);
    lines.push = (...added) => {
      const length = pushLine(...added);
      step(added.join());
      return length;
    };
    const heard = device.heard.bind(device);
    device.heard = (topic, payload) => {
      heard(topic, payload);
      const kind = topic.split('/').at(-1) ?? '';
      // A hello comes by the clock, not by the run.
      if (kind !== 'hello') step(kind);
    };
    executor.play = async ({ out, events }) => {
      out.set('result', 'of the run');
      events.onLog('stdout', new TextEncoder().encode('log'));
      step('executor');
      return { status: 'exited', code: 0 };
    };
    const service = await bench.start({ stateFolder: path.join(folder, `state-${dieAt}`) });
    await until(() => device.hellos.length > 0);
    steps = 0;
    const manifest = device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', `capsule ${dieAt}`)]);
    const run = device.assign(manifest);
    await until(() => died ?? device.reportsOf(run).length > 0);
    lines.push = pushLine;
    device.heard = heard;
    if (died === undefined) return { died: false, where: 'nowhere' };

    const second = await bench.start({ stateFolder: image });
    device.assign(manifest, { run, capsule: run.slice(0, 32) });
    const seen = device.reports.length;
    await until(() => device.reportsOf(run).length > 0 && device.reports.length > seen, `a report after dying at "${died}"`);
    const reports = device.reports.filter((encoded) => device.requireReport(encoded).run === run);
    assert.equal(new Set(reports.map(hex)).size, 1, `one report after dying at "${died}"`);
    assert.ok(executor.started.filter((started) => started === run).length <= 1, `one execution after dying at "${died}"`);
    const [report] = device.reportsOf(run);
    assert.ok(report !== undefined);
    if (report.outcome.outcome === 'exited')
      assert.notEqual(await device.fetch(report.outputs[0]!.digest, report.outputs[0]!.bytes), 'missing');
    else assert.equal(report.outcome.reason, 'agent-restarted');
    device.acknowledge(run);
    await until(() => readFileSync(path.join(image, 'runs', run, 'record')).includes('forgotten'));
    second.abandon();
    device.hellos.length = 0;
    const third = await bench.start({ stateFolder: image });
    assert.deepEqual((await until(() => device.hellos[0])).runs, []);
    device.assign(manifest, { run, capsule: run.slice(0, 32) });
    await until(() => device.states.at(-1)?.state === 'unknown');
    third.abandon();
    return { died: true, where: died };
  }

  test('at whichever step it dies', async () => {
    const places: string[] = [];
    for (let dieAt = 1; ; dieAt += 1) {
      const { died, where } = await liveAndDie(dieAt);
      if (!died) break;
      places.push(/run-assigned|state=\w+/.exec(where)?.[0] ?? where);
      bench.device.hellos.length = 0;
    }
    const life = [
      'run-assigned',
      'state=fetching',
      'state',
      'need',
      'state=running',
      'state',
      'executor',
      'log',
      'state=closing',
      'state=reported',
      'state',
      'report',
    ];
    assert.deepEqual(places.toSorted(), life.toSorted());
  });

  test('whose record the disk lost starts nothing for that run', async () => {
    const { device, executor, folder } = bench;
    const run = `${'a'.repeat(32)}.1`;
    mkdirSync(path.join(folder, 'state', 'runs', run), { recursive: true });
    writeFileSync(path.join(folder, 'state', 'runs', run, 'record'), 'torn');
    await bench.start();
    device.assign(device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'x')]), { run, capsule: 'a'.repeat(32) });
    assert.equal((await until(() => device.states.find((state) => state.run === run))).state, 'unknown');
    assert.deepEqual(executor.started, []);
  });

  test('that is stopped ends its capsules and reports every run before it goes', async () => {
    const { device, executor, lines } = bench;
    executor.play = async ({ stopped }) => {
      await stopped;
      return { status: 'killed', reason: 'cancelled', detail: '' };
    };
    const service = await bench.start({ places: 1 });
    const manifest = device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'x')]);
    const runs = [device.assign(manifest), device.assign(manifest)];
    await until(() => executor.started.length === 1);
    await service.stop();
    await until(() => device.reports.length === 2);
    for (const run of runs) {
      const { outcome } = device.reportsOf(run)[0]!;
      assert.deepEqual(outcome.outcome === 'failed' && outcome.reason, 'agent-restarted');
    }
    assert.equal(executor.started.length, 1);
    assert.ok(!lines.some((line) => line.includes('run-unwritten')));
  });

  test('half a blob is continued by the next agent', async () => {
    const { device } = bench;
    const content = new Uint8Array(30 * 65_536).fill(3);
    let answers = 0;
    device.tamper = (chunk) => ((answers += 1) > 20 ? undefined : chunk);
    const first = await bench.start();
    const manifest = device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', content)]);
    device.assign(manifest);
    await until(() => answers > 20);
    await new Promise((resolve) => setTimeout(resolve, 50));
    first.abandon();
    await new Promise((resolve) => setTimeout(resolve, 50));
    device.tamper = (chunk) => chunk;
    device.needs = 0;
    await bench.start();
    const run = device.assign(manifest);
    await until(() => device.reportsOf(run)[0]);
    assert.ok(device.needs <= 11, `${device.needs} asks for the last third`);
  });
});

const smallDisk = ['-t', 'tmpfs', '-o', 'size=2m', 'none'];

function canMount(): boolean {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'capstan-mount-'));
  const mounted = spawnSync('mount', [...smallDisk, folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return mounted;
}

describe('a full disk', { skip: canMount() ? false : 'only root may mount a small file system' }, () => {
  let bench: AgentBench;
  let disk: string;
  beforeEach(() => {
    bench = openAgentBench();
    disk = path.join(bench.folder, 'disk');
    mkdirSync(disk);
    assert.equal(spawnSync('mount', [...smallDisk, disk]).status, 0);
  });
  afterEach(async () => {
    spawnSync('umount', ['-l', disk]);
    await bench.close();
  });

  test('ends a run whose input does not fit as disk-full, and takes smaller ones again', async () => {
    const { device } = bench;
    await bench.start({ stateFolder: disk });
    const large = device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', new Uint8Array(4 * 1024 * 1024))]);
    const run = device.assign(large);
    const { outcome } = await until(() => device.reportsOf(run)[0]);
    assert.equal(outcome.outcome === 'failed' && outcome.reason, 'disk-full');
    assert.match(outcome.outcome === 'failed' ? outcome.detail : '', /disk is full/);
    const small = device.assign(device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'x')]));
    assert.deepEqual((await until(() => device.reportsOf(small)[0])).outcome, { outcome: 'exited', status: 0 });
  });

  test('is made room on by removing what no run holds', async () => {
    const { device } = bench;
    await bench.start({ stateFolder: disk });
    for (const letter of ['a', 'b', 'c', 'd']) {
      const manifest = device.manifest({ runtime: 'shell', entry: 'a' }, [
        device.file('a', new Uint8Array(1_200_000).fill(letter.charCodeAt(0))),
      ]);
      const run = device.assign(manifest);
      assert.deepEqual((await until(() => device.reportsOf(run)[0])).outcome, { outcome: 'exited', status: 0 }, letter);
    }
  });

  test('ends a run whose outputs or log do not fit as disk-full', async () => {
    const { device, executor } = bench;
    await bench.start({ stateFolder: disk });
    const manifest = device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'x')]);
    executor.play = ({ out }) => {
      out.set('large', 'x'.repeat(4_000_000));
      return Promise.resolve({ status: 'exited', code: 0 });
    };
    const first = device.assign(manifest);
    const one = await until(() => device.reportsOf(first)[0]);
    assert.equal(one.outcome.outcome === 'failed' && one.outcome.reason, 'disk-full');
    executor.play = async ({ events, stopped }) => {
      events.onLog('stdout', new Uint8Array(4_000_000).fill(46));
      await stopped;
      return { status: 'killed', reason: 'cancelled', detail: '' };
    };
    const second = device.assign({ ...manifest, limits: { ...manifest.limits, logBytes: 8_000_000 } });
    const two = await until(() => device.reportsOf(second)[0]);
    assert.equal(two.outcome.outcome === 'failed' && two.outcome.reason, 'disk-full');
  });

  test('refuses an assignment that it cannot remember', async () => {
    const { device, executor } = bench;
    await bench.start({ stateFolder: disk });
    await until(() => device.hellos[0]);
    assert.throws(
      () => {
        writeFileSync(path.join(disk, 'filler'), new Uint8Array(4 * 1024 * 1024));
      },
      { code: 'ENOSPC' },
    );
    const run = device.assign(device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'x')]));
    const state = await until(() => device.states.find((one) => one.run === run));
    assert.deepEqual(state, { run, state: 'unknown', note: "the box can't store the run: its disk is full" });
    assert.deepEqual(executor.started, []);
  });
});
