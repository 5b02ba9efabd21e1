/** Capsules through the whole agent and the real sandbox, with the software state of this machine (protocol/README.md §6). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Report } from '#protocol/box-messages.ts';
import { detectRuntimes } from '../../../hpc-agent/runtimes.ts';
import { openSandbox, type SandboxExecutor } from '../../../hpc-agent/sandbox/sandbox.ts';
import { agentDigest, openSoftwareSource } from '../../../hpc-agent/software-state.ts';
import { openAgentBench, type AgentBench } from './agent-bench.ts';
import { until } from './memory-device.ts';

describe('a capsule through agent and sandbox', () => {
  let bench: AgentBench;
  let executor: SandboxExecutor;
  before(async () => {
    const opening = await openSandbox({ runtimes: await detectRuntimes() });
    if (opening.status === 'unavailable') throw new Error(opening.detail);
    ({ executor } = opening);
    bench = openAgentBench();
    await bench.start({ executor });
  });
  after(async () => {
    await bench.close();
    await executor.close();
  });

  const text = async ({ digest, bytes }: { digest: Uint8Array; bytes: number }) => {
    const content = await bench.device.fetch(digest, bytes);
    return content === 'missing' ? content : new TextDecoder().decode(content);
  };

  async function run(runtime: string, entry: string, files: Record<string, string>, limits = {}): Promise<Report> {
    const { device } = bench;
    const manifest = device.manifest(
      { runtime, entry, limits },
      Object.entries(files).map(([path, content]) => device.file(path, content)),
    );
    const name = device.assign(manifest);
    return until(() => device.reportsOf(name)[0], `the report of the ${runtime} capsule`);
  }

  test('in Python reads its input, tells its progress, writes output and log', async () => {
    const code = `
import json, os
numbers = [int(line) for line in open("/capsule/data/numbers.txt")]
with os.fdopen(3, "w") as channel:
    print(json.dumps({"progress": 0.5, "note": "half"}), file=channel, flush=True)
    print(json.dumps({"progress": 1}), file=channel, flush=True)
os.makedirs("/out/deep")
open("/out/deep/sum.txt", "w").write(str(sum(numbers)))
print("summed", len(numbers))
`;
    const report = await run('python', 'main.py', { 'main.py': code, 'data/numbers.txt': '1\n2\n39\n' });
    assert.deepEqual(report.outcome, { outcome: 'exited', status: 0 }, await text(report.stderr));
    assert.deepEqual(
      report.outputs.map(({ path }) => path),
      ['deep/sum.txt'],
    );
    assert.equal(await text(report.outputs[0]!), '42');
    assert.equal(await text(report.stdout), 'summed 3\n');
    assert.ok(report.usage.cpuMs > 0 && report.usage.wallMs > 0 && report.usage.memoryBytesMax > 0);
    assert.equal(bench.device.progress.filter((progress) => progress.run === report.run).at(-1)?.permille, 1_000);
    await until(() => bench.device.logs.some((log) => log.run === report.run));
  });

  test('in shell ends with its status, and its log survives the failure', async () => {
    const report = await run('shell', 'main.sh', { 'main.sh': 'echo said; echo aside >&2; echo left > /out/file; exit 7' });
    assert.deepEqual(report.outcome, { outcome: 'exited', status: 7 });
    assert.deepEqual(
      [await text(report.stdout), await text(report.stderr), await text(report.outputs[0]!)],
      ['said\n', 'aside\n', 'left\n'],
    );
  });

  test('that passes a limit is killed and reported with the limit', async () => {
    const report = await run('shell', 'main.sh', { 'main.sh': 'echo begun; while :; do :; done' }, { wallSeconds: 1 });
    assert.deepEqual({ ...report.outcome, signal: undefined }, { outcome: 'killed', reason: 'wall-time', signal: undefined });
    assert.equal(await text(report.stdout), 'begun\n');
  });

  test('that needs a runtime which the box lacks is reported so', async () => {
    const { outcome } = await run('cobol', 'main.cob', { 'main.cob': '' });
    assert.equal(outcome.outcome === 'failed' && outcome.reason, 'runtime-missing');
  });

  test('that runs is ended by a cancellation, with all its processes', async () => {
    const { device } = bench;
    const manifest = device.manifest({ runtime: 'shell', entry: 'a' }, [device.file('a', 'echo up; sleep 600 & sleep 600')]);
    const name = device.assign(manifest);
    await until(() => device.logs.some((log) => log.run === name));
    device.cancel(name);
    assert.deepEqual((await until(() => device.reportsOf(name)[0])).outcome, { outcome: 'killed', reason: 'cancelled-by-client' });
  });
});

describe('the software state of a box (§6.3)', () => {
  test('is the same at each reading, and the digest of the agent covers its files', async () => {
    const source = await openSoftwareSource(await detectRuntimes(), ['bubblewrap 0.8.0']);
    const [first, second] = [await source.read(), await source.read()];
    assert.deepEqual(first, second);
    assert.deepEqual(first.agent, await agentDigest());
    assert.match(first.bootId, /^[0-9a-f-]{36}$/);
    assert.ok(first.runtimes.some(({ name }) => name === 'shell'));
    assert.ok(first.kernel.length > 0 && first.packages.length === 32 && first.commandLine.length === 32);
  });
});
