/** What a capsule gets: its runtime, files, arguments, environment, logs and progress. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openSandboxBench, sha256, type SandboxBench } from './sandbox-bench.ts';

describe('what a capsule gets', () => {
  let bench: SandboxBench;
  before(async () => {
    bench = await openSandboxBench();
  });
  after(() => bench.close());

  const greetings: Readonly<Record<string, string>> = {
    shell: 'echo "hello $1" > "$CAPSTAN_OUT/greeting"',
    python: 'import os, sys; open(os.environ["CAPSTAN_OUT"] + "/greeting", "w").write(f"hello {sys.argv[1]}\\n")',
    node: 'require("node:fs").writeFileSync(process.env.CAPSTAN_OUT + "/greeting", `hello ${process.argv[2]}\\n`)',
    perl: 'open(my $out, ">", "$ENV{CAPSTAN_OUT}/greeting"); print $out "hello $ARGV[0]\\n"',
  };
  for (const [runtime, code] of Object.entries(greetings)) {
    test(`a ${runtime} capsule reads its arguments and leaves its result in /out`, async () => {
      const ran = await bench.run({ runtime, code, arguments: ["o'world $HOME"] });
      assert.deepEqual([ran.outcome.status, ran.stderr], ['exited', '']);
      const content = "hello o'world $HOME\n";
      assert.deepEqual(
        ran.outputs.files.map(({ path: name, bytes, digest }) => ({ name, bytes, digest })),
        [{ name: 'greeting', bytes: content.length, digest: sha256(content) }],
      );
    });
  }

  test('a compiled capsule starts by itself', async () => {
    const source = '#include <stdio.h>\nint main(void) { puts("compiled"); return 7; }\n';
    const program = path.join(bench.folder, 'program');
    execFileSync('gcc', ['-x', 'c', '-o', program, '-'], { input: source });
    const ran = await bench.run({ runtime: 'executable', code: readFileSync(program) });
    assert.deepEqual([ran.stdout, ran.outcome.status, 'code' in ran.outcome && ran.outcome.code], ['compiled\n', 'exited', 7]);
  });

  test('the same capsule leaves the same outputs', async () => {
    const code =
      'import os\nfor name in sorted({"a", "b", "c"}): open("/out/" + name, "w").write(str(list({"x", "y", "z"})) + str(os.getpid()))';
    const runs = [await bench.run({ code }), await bench.run({ code })];
    const [first, second] = runs.map(({ outputs }) => outputs.files.map(({ path: name, digest }) => ({ name, digest })));
    assert.equal(first?.length, 3);
    assert.deepEqual(first, second);
  });

  test('progress lines on descriptor 3 arrive, and others are dropped', async () => {
    const code = 'printf \'{"progress":0.25,"note":"a\\\\u0007b"}\\nnonsense\\n{"progress":2}\\n{"progress":1}\\n\' >&3';
    const ran = await bench.run({ runtime: 'shell', code });
    assert.deepEqual(ran.progress, [{ progress: 0.25, note: 'a\ufffdb' }, { progress: 1 }]);
  });

  test('logs keep their streams and can be opened by name', async () => {
    const ran = await bench.run({ runtime: 'shell', code: 'echo one; echo two >&2; echo three > /dev/stdout; exit 3' });
    assert.deepEqual([ran.stdout, ran.stderr], ['one\nthree\n', 'two\n']);
    assert.ok(ran.outcome.status === 'exited' && ran.outcome.code === 3);
  });

  test('the working folder is the capsule, read-only, with its own files in it', async () => {
    const code = 'pwd; cat data/input.txt; echo x > main || echo refused; echo x > new || echo refused';
    const ran = await bench.run({ runtime: 'shell', code, files: { 'data/input.txt': 'input\n' } });
    assert.equal(ran.stdout, '/capsule\ninput\nrefused\nrefused\n');
  });

  test("the environment is the capsule's and nothing of the agent's", async () => {
    process.env['CAPSTAN_TEST_SECRET'] = 'of the agent';
    const ran = await bench.run({ runtime: 'shell', code: 'env | sort', environment: { GREETING: 'a=b', LANG: 'C' } });
    delete process.env['CAPSTAN_TEST_SECRET'];
    assert.deepEqual(ran.stdout.trim().split('\n'), [
      'CAPSTAN_OUT=/out',
      'CAPSTAN_PROGRESS=3',
      'GREETING=a=b',
      'HOME=/tmp',
      'LANG=C',
      'PATH=/usr/bin:/bin',
      'PWD=/capsule',
      'PYTHONHASHSEED=0',
      'TZ=UTC',
    ]);
  });

  test('a blob that was swapped after it was ordered is refused', async () => {
    const job = bench.jobFor({ code: 'print(1)' });
    const swapped = job.files.map((file) => ({ ...file, digest: sha256('another') }));
    const preparation = await bench.executor.prepare({ ...job, files: swapped });
    assert.ok(preparation.status === 'refused' && preparation.reason === 'digest-mismatch');
  });

  test('a runtime that this box lacks is refused and the others are named', async () => {
    const preparation = await bench.executor.prepare({ ...bench.jobFor({ code: '' }), runtime: 'cobol' });
    assert.ok(preparation.status === 'refused' && preparation.reason === 'runtime-missing');
    assert.match(preparation.detail, /shell.*python/);
  });
});
