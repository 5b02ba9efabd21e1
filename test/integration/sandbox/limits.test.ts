/** What a capsule may use, and how a run that goes beyond is ended and reported. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KillReason } from '../../../hpc-agent/executor.ts';
import { openSandboxBench, type Ran, type SandboxBench } from './sandbox-bench.ts';

const MiB = 1024 * 1024;

function assertKilled(ran: Ran, reason: KillReason): void {
  assert.deepEqual(
    { status: ran.outcome.status, reason: 'reason' in ran.outcome && ran.outcome.reason },
    { status: 'killed', reason },
    ran.stderr,
  );
}

// It holds on when nothing more is given, as a careful program would, so that the measuring sees it.
const hog = `
import time
held = []
while True:
    try: held.append(bytearray(b"x" * 1048576))
    except MemoryError: time.sleep(0.05)`;
const spinners = 'import os\nfor _ in range(3): os.fork()\nwhile True: pass';
const forkBomb = `
import os, sys, time
count = 0
try:
    while count < 500:
        if os.fork() == 0: time.sleep(30); os._exit(0)
        count += 1
except BlockingIOError: pass
print(count)`;

for (const metering of ['best', 'polled'] as const) {
  describe(`what a capsule may use (metering: ${metering})`, () => {
    let bench: SandboxBench;
    before(async () => {
      bench = await openSandboxBench({ metering });
    });
    after(() => bench.close());

    test('memory beyond the limit ends it, and the report says memory', async () => {
      const ran = await bench.run({ code: hog, limits: { memoryBytes: 64 * MiB } });
      assertKilled(ran, 'memory');
      assert.ok(ran.outcome.usage.memoryBytesMax > 32 * MiB);
    });

    test('memory is counted over the whole tree', async () => {
      const code = 'import os, time\nfor _ in range(4): os.fork()\nheld = bytearray(b"x" * (16 * 1048576))\ntime.sleep(20)';
      assertKilled(await bench.run({ code, limits: { memoryBytes: 128 * MiB } }), 'memory');
    });

    test('processor time is counted over the whole tree', async () => {
      const ran = await bench.run({ code: spinners, limits: { cpuMs: 400 } });
      assertKilled(ran, 'cpu-time');
      assert.ok(ran.outcome.usage.cpuMs > 400 && ran.outcome.usage.wallMs < 5000, JSON.stringify(ran.outcome.usage));
    });

    test('a fork bomb stops at the limit of processes and is gone afterwards', async () => {
      const ran = await bench.run({ code: forkBomb, limits: { processes: 20 } });
      assert.equal(ran.outcome.status, 'exited');
      const children = Number(ran.stdout);
      assert.ok(children >= 10 && children <= 20, `${children} children`);
    });
  });
}

describe('how long and how much', () => {
  let bench: SandboxBench;
  before(async () => {
    bench = await openSandboxBench();
  });
  after(() => bench.close());

  test('wall time ends what sleeps', async () => {
    const ran = await bench.run({ runtime: 'shell', code: 'sleep 30', limits: { wallMs: 200 } });
    assertKilled(ran, 'wall-time');
    assert.ok(ran.outcome.usage.wallMs >= 195 && ran.outcome.usage.wallMs < 1000, `${ran.outcome.usage.wallMs} ms`);
  });

  test('wall time ends a tree that has left its session and its parents', async () => {
    const code =
      'import os, time\nfor _ in range(4):\n  if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\nprint("up", flush=True)\ntime.sleep(30)';
    assertKilled(await bench.run({ code, limits: { wallMs: 300 } }), 'wall-time');
  });

  test('children that a capsule leaves behind end with it', async () => {
    const code = 'import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(30)\n';
    const ran = await bench.run({ code });
    assert.equal(ran.outcome.status, 'exited');
    assert.ok(ran.outcome.usage.wallMs < 5000);
  });

  test('a log beyond the limit is cut there and ends the capsule', async () => {
    const ran = await bench.run({
      runtime: 'shell',
      code: 'while :; do echo aaaaaaaaaaaaaaaaaaaaaaaa; echo b >&2; done',
      limits: { logBytes: 10_000 },
    });
    assertKilled(ran, 'log-flood');
    assert.equal(ran.stdout.length + ran.stderr.length, 10_000);
  });

  test('a log of exactly the limit is whole', async () => {
    const ran = await bench.run({ code: 'print("a" * 9999)', limits: { logBytes: 10_000 } });
    assert.deepEqual([ran.outcome.status, ran.stdout.length], ['exited', 10_000]);
  });

  test('progress without end ends the capsule', async () => {
    assertKilled(await bench.run({ runtime: 'shell', code: 'while :; do head -c 65536 /dev/zero >&3; done' }), 'log-flood');
  });

  test('/out takes the limit and no more', async () => {
    const code = (bytes: number) => `open("/out/result", "wb").write(bytes(${bytes}))`;
    const whole = await bench.run({ code: code(MiB), limits: { outputBytes: MiB } });
    assert.deepEqual([whole.outcome.status, whole.outputs.files[0]?.bytes], ['exited', MiB]);
    assertKilled(await bench.run({ code: code(MiB + 1), limits: { outputBytes: MiB } }), 'output-size');
  });

  test('a flood into /out stops at its bound', async () => {
    const ran = await bench.run({ runtime: 'shell', code: 'cat /dev/zero > /out/flood', limits: { outputBytes: MiB } });
    assertKilled(ran, 'output-size');
    assert.ok(ran.outcome.usage.memoryBytesMax < 64 * MiB);
  });

  test('a file with holes counts as long as it reads', async () => {
    const ran = await bench.run({ code: 'open("/out/hole", "wb").truncate(1 << 40)' });
    assertKilled(ran, 'output-size');
    assert.deepEqual(ran.outputs, { files: [], ignored: [{ path: 'hole', reason: 'too-large' }] });
  });

  test('files without number in /out end the capsule', async () => {
    const ran = await bench.run({ code: 'for i in range(10**6): open(f"/out/{i}", "w")' });
    assertKilled(ran, 'output-files');
  });

  test('a flood into /tmp or /dev/shm stops at its bound', async () => {
    const ran = await bench.run({ runtime: 'shell', code: 'cat /dev/zero > /tmp/flood' });
    assertKilled(ran, 'scratch-full');
    const survived = await bench.run({
      runtime: 'shell',
      code: 'cat /dev/zero > /tmp/flood; stat -c %s /tmp/flood',
      limits: { scratchBytes: MiB },
    });
    assert.deepEqual([survived.outcome.status, survived.stdout], ['exited', `${MiB}\n`]);
  });

  test('a signal is reported by name', async () => {
    const ran = await bench.run({ runtime: 'shell', code: 'kill -SEGV $$' });
    assertKilled(ran, 'signal');
    assert.ok(ran.outcome.status === 'killed' && ran.outcome.signal === 'SIGSEGV');
  });

  test('a cancelled capsule ends at once, whenever that is', async () => {
    for (const waitMs of [0, 3, 60]) {
      const workspace = await bench.prepare({ runtime: 'shell', code: 'sleep 30' });
      const running = workspace.run({ onLog: () => undefined, onProgress: () => undefined });
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await workspace.stop('cancelled');
      const outcome = await running;
      await workspace.dispose();
      assert.ok(outcome.status === 'killed' && outcome.reason === 'cancelled', JSON.stringify(outcome));
      assert.ok(outcome.usage.wallMs < 2000);
    }
  });

  test('a capsule that is cancelled before its run never runs', async () => {
    const workspace = await bench.prepare({ runtime: 'shell', code: 'echo ran' });
    await workspace.stop('cancelled');
    const outcome = await workspace.run({ onLog: () => assert.fail('it ran'), onProgress: () => undefined });
    await workspace.dispose();
    assert.ok(outcome.status === 'killed' && outcome.reason === 'cancelled');
  });
});
