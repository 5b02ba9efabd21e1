/** What is collected from /out, and what is left there. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Outputs } from '../../../hpc-agent/executor.ts';
import { openSandboxBench, sha256, type SandboxBench } from './sandbox-bench.ts';

function names(outputs: Outputs): string[] {
  return outputs.files.map(({ path }) => path);
}

describe('what is collected from a capsule', () => {
  let bench: SandboxBench;
  before(async () => {
    bench = await openSandboxBench();
  });
  after(() => bench.close());

  test('regular files come with size and digest, in the order of their bytes', async () => {
    const ran = await bench.run({
      runtime: 'shell',
      code: 'cd /out; mkdir -p b/c; echo 1 > b/c/z; echo 2 > a; echo 3 > B; echo 4 > b.txt; : > empty',
    });
    assert.deepEqual(names(ran.outputs), ['B', 'a', 'b.txt', 'b/c/z', 'empty']);
    assert.deepEqual(
      ran.outputs.files.map(({ digest }) => digest),
      ['3\n', '2\n', '4\n', '1\n', ''].map(sha256),
    );
    assert.deepEqual(ran.outputs.ignored, []);
  });

  test('links are not followed, and pipes, sockets and devices are left', async () => {
    const code = `
import os, socket
os.symlink("/etc/shadow", "/out/link"); os.symlink("/", "/out/folder"); os.symlink("../../../../etc", "/out/up")
os.mkfifo("/out/pipe"); socket.socket(socket.AF_UNIX).bind("/out/socket")
open("/out/real", "w").write("real"); os.link("/out/real", "/out/second")`;
    const ran = await bench.run({ code });
    assert.deepEqual(names(ran.outputs), ['real', 'second']);
    assert.deepEqual(
      ran.outputs.ignored,
      ['folder', 'link', 'pipe', 'socket', 'up'].map((path) => ({ path, reason: 'not-a-regular-file' })),
    );
  });

  test('names that mean something else elsewhere are left, and are printable in the report', async () => {
    const code = `
import os
for name in [b"good", b"back\\\\slash", b"new\\nline", b"escape\\x1b[2J", b"\\xff\\xfe"]: open(b"/out/" + name, "w").write("x")
os.mkdir(b"/out/\\x07bell"); open(b"/out/\\x07bell/inside", "w")`;
    const ran = await bench.run({ code });
    assert.deepEqual(names(ran.outputs), ['good']);
    assert.equal(ran.outputs.ignored.length, 5);
    for (const { path, reason } of ran.outputs.ignored) {
      assert.equal(reason, 'name-refused');
      assert.match(path, /^[^\p{Cc}]+$/u);
    }
  });

  test('a tree that is too deep is left', async () => {
    const ran = await bench.run({ code: 'import os\nos.makedirs("/out/" + "/".join("d" * 40)); open("/out/top", "w")' });
    assert.deepEqual([names(ran.outputs), ran.outputs.ignored.map(({ reason }) => reason)], [['top'], ['too-deep']]);
  });

  test('a path that leads out of the capsule is refused', async () => {
    for (const name of ['../evil', '/etc/cron.d/evil', 'a/../../evil', 'a//b', './a', 'a\\..\\b', 'a\0b', '', 'main/inside']) {
      const job = bench.jobFor({ code: '' });
      const [main] = job.files;
      assert.ok(main);
      const preparation = await bench.executor.prepare({ ...job, files: [main, { path: name, source: main.source }] });
      assert.ok(preparation.status === 'refused' && preparation.reason === 'path-refused', JSON.stringify(name));
    }
  });

  test('outputs can be read until the workspace is disposed of', async () => {
    const workspace = await bench.prepare({ runtime: 'shell', code: 'echo result > /out/result' });
    await workspace.run({ onLog: () => undefined, onProgress: () => undefined });
    const [file] = (await workspace.outputs()).files;
    assert.ok(file);
    assert.equal(readFileSync(file.source, 'utf8'), 'result\n');
    await workspace.dispose();
    assert.throws(() => readFileSync(file.source));
  });

  test('nothing is left on the disk or open after a workspace is disposed of', async () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let round = 0; round < 5; round += 1) await bench.run({ runtime: 'shell', code: 'echo x > /out/x' });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });
});
