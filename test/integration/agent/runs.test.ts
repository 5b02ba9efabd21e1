/** Runs of an agent under a device in memory (protocol/README.md §6.4, §8). */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { sameBytes } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, encodeManifest } from '#protocol/manifest.ts';
import { openAgentBench, software, usage, type AgentBench } from './agent-bench.ts';
import { until } from './memory-device.ts';

const text = (content: Uint8Array) => new TextDecoder().decode(content);

describe('a box under its device', () => {
  let bench: AgentBench;
  beforeEach(() => {
    bench = openAgentBench();
  });
  afterEach(() => bench.close());

  const shell = () => bench.device.manifest({ runtime: 'shell', entry: 'main.sh' }, [bench.device.file('main.sh', 'echo hello\n')]);
  const reportOf = (run: string) => until(() => bench.device.reportsOf(run)[0], `the report of ${run}`);

  test('says hello at each connection with its software and the runs that it holds (§6.1)', async () => {
    await bench.start();
    const hello = await until(() => bench.device.hellos[0]);
    assert.deepEqual(hello.software, software);
    assert.deepEqual(hello.runs, []);
    const run = bench.device.assign(shell());
    await reportOf(run);
    bench.device.cut();
    bench.device.connect();
    assert.deepEqual((await until(() => bench.device.hellos[1])).runs, [run]);
    await until(() => bench.device.reportsOf(run).length >= 2, 'the report again');
  });

  test('says hello again to a device that introduces itself anew: it has not heard the one at the connection (§6.1)', async () => {
    const { device } = bench;
    await bench.start();
    await until(() => device.hellos[0]);
    device.introduce();
    device.challenge(`${'ab'.repeat(16)}.1`);
    await until(() => device.evidence[0]);
    assert.equal(device.hellos.length, 1, 'what the broker has kept says nothing new');
    device.introduce(device.name, device.key, false);
    await until(() => device.hellos[1], 'the hello at an introduction');
  });

  test('fetches, runs, reports, serves what the run left, and forgets it when acknowledged (§6.4)', async () => {
    const { device, executor } = bench;
    executor.play = async ({ job, out, events, readText }) => {
      out.set('result/a.txt', `${await readText('main.sh')}${job.arguments.join()}`);
      events.onLog('stdout', new TextEncoder().encode('to the log'));
      events.onLog('stderr', new TextEncoder().encode('and aside'));
      return { status: 'exited', code: 3 };
    };
    await bench.start();
    const manifest = { ...shell(), arguments: ['x', 'y'] };
    const run = device.assign(manifest);
    const report = await reportOf(run);
    assert.deepEqual(report.outcome, { outcome: 'exited', status: 3 });
    assert.deepEqual(report.capsule, capsuleDigest(encodeManifest(manifest)));
    assert.deepEqual(report.usage, { wallMs: Math.round(usage.wallMs), cpuMs: 3, memoryBytesMax: 4096 });
    const [output] = report.outputs;
    assert.equal(output?.path, 'result/a.txt');
    assert.equal(text((await device.fetch(output.digest, output.bytes)) as Uint8Array), 'echo hello\nx,y');
    assert.equal(text((await device.fetch(report.stdout.digest, report.stdout.bytes)) as Uint8Array), 'to the log');
    assert.equal(text((await device.fetch(report.stderr.digest, report.stderr.bytes)) as Uint8Array), 'and aside');
    assert.deepEqual(
      device.states.filter((state) => state.run === run).map(({ state }) => state),
      ['fetching', 'running', 'reported'],
    );

    device.acknowledge(run);
    const folder = path.join(bench.folder, 'state', 'runs', run);
    await until(() => readdirSync(folder).join() === 'record');
    assert.equal(await device.fetch(output.digest, 1), 'missing');
    device.assign(manifest, { run, capsule: run.slice(0, 32) });
    await until(() => device.states.find((state) => state.run === run && state.state === 'unknown'));
    assert.deepEqual(executor.started, [run]);
  });

  test('runs as many at once as it has places, the others in the order in which they came, and answers repeated assignments', async () => {
    const { device, executor } = bench;
    const gates: (() => void)[] = [];
    executor.play = async () => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return { status: 'exited', code: 0 };
    };
    await bench.start({ places: 2 });
    const runs = Array.from({ length: 5 }, () => device.assign(shell()));
    await until(() => executor.started.length === 2);
    device.assign(shell(), { run: runs[0] as string });
    device.assign(shell(), { run: runs[4] as string });
    await until(() => device.states.filter(({ run }) => run === runs[0]).length === 3);
    assert.equal(device.states.filter(({ run }) => run === runs[4]).at(-1)?.state, 'fetching');
    while (device.reports.length < 5) {
      gates.shift()?.();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(executor.together, 2);
    const placed = bench.lines.flatMap((line) => /run-state run=(\S+) state=fetching/.exec(line)?.[1] ?? []);
    assert.deepEqual([placed.slice(0, 2).sort(), placed.slice(2)], [runs.slice(0, 2).sort(), runs.slice(2)]);
    assert.deepEqual(executor.started.toSorted(), runs.toSorted());
  });

  test('a run that got its place after the deadline does not start (§7.1)', async () => {
    const { device, executor } = bench;
    await bench.start();
    const manifest = shell();
    const { outcome } = await reportOf(device.assign({ ...manifest, policy: { ...manifest.policy, deadlineMs: Date.now() - 1 } }));
    assert.deepEqual(outcome, { outcome: 'failed', reason: 'deadline', detail: 'stopped before it started' });
    assert.deepEqual(executor.started, []);
  });

  test('a run in line, one that fetches and one that runs are cancelled, and the next gets the place', async () => {
    const { device, executor } = bench;
    executor.play = async ({ stopped }) => {
      await stopped;
      return { status: 'killed', reason: 'cancelled', detail: '' };
    };
    await bench.start({ places: 2 });
    device.tamper = () => undefined;
    const fetching = device.assign(shell());
    await until(() => device.needs > 0);
    device.tamper = (chunk) => chunk;
    const running = device.assign(device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'other')]));
    await until(() => executor.started.includes(running));
    const waiting = device.assign(device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'third')]));
    for (const run of [waiting, fetching, running]) device.cancel(run);
    const outcomes = await Promise.all([waiting, fetching, running].map(async (run) => (await reportOf(run)).outcome));
    const notStarted = { outcome: 'failed', reason: 'cancelled-by-client', detail: 'stopped before it started' };
    assert.deepEqual(outcomes, [notStarted, notStarted, { outcome: 'killed', reason: 'cancelled-by-client' }]);
    const next = device.assign(device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'fourth')]));
    await until(() => executor.started.includes(next));
    device.cancel(next);
    await reportOf(next);
    device.cancel('0'.repeat(32) + '.1');
    await until(() => device.states.find(({ run, state }) => run.startsWith('0000') && state === 'unknown'));
  });

  test('a large blob comes in pieces through loss, repetition and disorder, and is kept for the next run (§8)', async () => {
    const { device, executor } = bench;
    const content = Uint8Array.from({ length: 1024 * 1024 + 11 }, (_, index) => (index * 7 + (index >> 10)) & 0xff);
    let count = 0;
    device.tamper = (chunk) => ((count += 1) % 7 === 0 ? undefined : chunk);
    let clockMs = Date.now();
    const ticking = setInterval(() => {
      clockMs += 3_000;
    }, 100);
    executor.play = async ({ job }) => ({ status: 'exited', code: statSync(job.files[1]?.source ?? '').size === content.length ? 0 : 1 });
    await bench.start({ nowMs: () => clockMs });
    const files = [device.file('main.sh', 'true'), device.file('data', content)];
    const manifest = device.manifest({ runtime: 'shell', entry: 'main.sh' }, files);
    const first = await reportOf(device.assign(manifest));
    clearInterval(ticking);
    assert.deepEqual(first.outcome, { outcome: 'exited', status: 0 });
    const asked = device.needs;
    assert.ok(asked > 18 && asked < 30, `${asked} asks`);
    await reportOf(device.assign(manifest));
    assert.equal(device.needs, asked, 'the second run asks for nothing');
  });

  test('a blob that the device lacks ends the run as blob-missing, one with other content as blob-wrong after a second try (§8)', async () => {
    const { device } = bench;
    await bench.start();
    const missing = device.file('main.sh', 'never given');
    device.blobs.delete(hex(missing.digest));
    const lacking = await reportOf(device.assign(device.manifest({ runtime: 'shell', entry: 'main.sh' }, [missing])));
    assert.equal(lacking.outcome.outcome === 'failed' && lacking.outcome.reason, 'blob-missing');

    const wrong = device.file('main.sh', 'as promised');
    device.blobs.set(hex(wrong.digest), new TextEncoder().encode('as perverted'.slice(0, 11)));
    const before = device.needs;
    const refused = await reportOf(device.assign(device.manifest({ runtime: 'shell', entry: 'main.sh' }, [wrong])));
    assert.equal(refused.outcome.outcome === 'failed' && refused.outcome.reason, 'blob-wrong');
    assert.equal(device.needs - before, 2);
    assert.ok(!existsSync(path.join(bench.folder, 'state', 'blobs', `${hex(wrong.digest)}.part`)));

    let lies = 1;
    device.tamper = (chunk) =>
      lies-- > 0 && chunk.chunk === 'content' ? { ...chunk, content: chunk.content.map((byte) => byte ^ 1) } : chunk;
    const healed = device.file('main.sh', 'right at last');
    assert.deepEqual((await reportOf(device.assign(device.manifest({ runtime: 'shell', entry: 'main.sh' }, [healed])))).outcome, {
      outcome: 'exited',
      status: 0,
    });
  });

  test('two runs that want one blob share its fetch, and one that gives up takes nothing from the other', async () => {
    const { device } = bench;
    await bench.start({ places: 3 });
    const manifest = device.manifest({ runtime: 'shell', entry: 'a' }, [
      device.file('a', new Uint8Array(4 * LIMITS.chunkBytesMax).fill(9)),
    ]);
    device.tamper = () => undefined;
    const runs = [device.assign(manifest), device.assign(manifest)] as const;
    await until(() => bench.lines.filter((line) => line.includes('state=fetching')).length === 2);
    await until(() => device.needs === 4);
    device.tamper = (chunk) => chunk;
    device.cancel(runs[0]);
    device.cancel(runs[1]);
    const third = device.assign(manifest);
    assert.deepEqual((await reportOf(third)).outcome, { outcome: 'exited', status: 0 });
    for (const run of runs) assert.equal((await reportOf(run)).outcome.outcome, 'failed');
    assert.ok(device.needs <= 8, `${device.needs} asks`);
  });

  test('a lost connection delays a fetch, and nothing that was fetched is fetched again', async () => {
    const { device } = bench;
    const content = new Uint8Array(40 * LIMITS.chunkBytesMax).fill(5);
    let answers = 0;
    device.tamper = (chunk) => {
      answers += 1;
      if (answers === 20) device.cut();
      return chunk;
    };
    await bench.start();
    const run = device.assign(device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', content)]));
    await until(() => answers === 20);
    device.connect();
    assert.deepEqual((await reportOf(run)).outcome, { outcome: 'exited', status: 0 });
    assert.ok(device.needs <= 40 + 2 * LIMITS.chunksInFlightMax, `${device.needs} asks`);
  });

  test('goes on running while nobody hears it, and says everything at the next connection', async () => {
    const { device, executor } = bench;
    const gate = Promise.withResolvers<undefined>();
    executor.play = async ({ events }) => {
      await gate.promise;
      events.onLog('stdout', new TextEncoder().encode('in the dark'));
      return { status: 'exited', code: 0 };
    };
    await bench.start();
    const run = device.assign(shell());
    await until(() => executor.started.length === 1);
    device.cut();
    gate.resolve(undefined);
    await until(() => bench.lines.some((line) => line.includes('state=reported')));
    assert.equal(device.reports.length, 0);
    device.connect();
    await reportOf(run);
    assert.equal(text((await until(() => device.logs[0])).content), 'in the dark');
  });

  test('progress comes at most four times a second, and its last value always', async () => {
    const { device, executor } = bench;
    executor.play = async ({ events }) => {
      for (let step = 0; step <= 1_000; step += 1) events.onProgress({ progress: step / 1_000, note: `step ${step}\n` });
      return { status: 'exited', code: 0 };
    };
    await bench.start();
    const run = device.assign(shell());
    await reportOf(run);
    assert.deepEqual(
      device.progress.map(({ permille, note }) => [permille, note]),
      [
        [0, 'step 0 '],
        [1_000, 'step 1000 '],
      ],
    );
  });

  test('the log is bounded by the manifest, and its pieces fit together', async () => {
    const { device, executor } = bench;
    const written = new TextEncoder().encode('0123456789'.repeat(10_000));
    executor.play = async ({ events }) => {
      events.onLog('stdout', written);
      events.onLog('stderr', written);
      return { status: 'killed', reason: 'log-flood', detail: '' };
    };
    await bench.start();
    const manifest = shell();
    const run = device.assign({ ...manifest, limits: { ...manifest.limits, logBytes: 150_000 } });
    const report = await reportOf(run);
    assert.deepEqual([report.stdout.bytes, report.stderr.bytes], [100_000, 50_000]);
    await until(() => device.logs.reduce((sum, { content }) => sum + content.length, 0) === 150_000);
    const joined = new Uint8Array(100_000);
    for (const { stream, offset, content } of device.logs) if (stream === 'stdout') joined.set(content, offset);
    assert.ok(sameBytes(joined, written));
    assert.ok(device.logs.every(({ content }) => content.length <= LIMITS.logChunkBytesMax));
    assert.deepEqual(blobDigest(joined), report.stdout.digest);
  });

  test('more files than a report can carry end the run as output-files', async () => {
    const { device, executor } = bench;
    await bench.start();
    for (const [count, length] of [
      [LIMITS.outputFilesMax + 1, 8],
      [500, 200],
    ] as const) {
      executor.play = ({ out }) => {
        for (let index = 0; index < count; index += 1) out.set(`${'n'.repeat(length)}${index}`, 'x');
        return Promise.resolve({ status: 'exited', code: 0 });
      };
      const { outcome, outputs } = await reportOf(device.assign(shell()));
      assert.equal(outcome.outcome === 'failed' && outcome.reason, 'output-files');
      assert.deepEqual(outputs, []);
    }
  });

  test('a blob that the disk has changed is not run, and fetched anew for the next attempt', async () => {
    const { device } = bench;
    await bench.start();
    const manifest = shell();
    await reportOf(device.assign(manifest));
    const { chmodSync, writeFileSync } = await import('node:fs');
    const blob = path.join(bench.folder, 'state', 'blobs', hex(manifest.files[0]!.digest));
    chmodSync(blob, 0o644);
    writeFileSync(blob, 'echo jello\n');
    const changed = await reportOf(device.assign(manifest));
    assert.equal(changed.outcome.outcome === 'failed' && changed.outcome.reason, 'blob-wrong');
    assert.deepEqual((await reportOf(device.assign(manifest))).outcome, { outcome: 'exited', status: 0 });
  });
});
