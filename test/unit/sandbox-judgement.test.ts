/** The pure judgements of the sandbox: jobs, paths, progress, users, ends, and why bubblewrap does not work. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JobLimits, PreparedJob } from '../../hpc-agent/executor.ts';
import { commandFor } from '../../hpc-agent/runtimes.ts';
import { commandLine, hiddenOptions, type SandboxPlan } from '../../hpc-agent/sandbox/bubblewrap.ts';
import { identityForSlot } from '../../hpc-agent/sandbox/identity.ts';
import { judgeJob } from '../../hpc-agent/sandbox/job.ts';
import { judgePath, printable } from '../../hpc-agent/sandbox/paths.ts';
import { explainFailure, judgeVersion } from '../../hpc-agent/sandbox/probe.ts';
import { LineSplitter, parseProgress } from '../../hpc-agent/sandbox/progress.ts';
import { judgeEnd, outCapacityBytes, reasonToKill, type Reading } from '../../hpc-agent/sandbox/verdict.ts';

const MiB = 1024 * 1024;
const limits: JobLimits = {
  wallMs: 1000,
  cpuMs: 1000,
  memoryBytes: 64 * MiB,
  processes: 4,
  outputBytes: MiB,
  logBytes: 1000,
  scratchBytes: MiB,
};
const job: PreparedJob = {
  id: '1',
  runtime: 'shell',
  entry: 'main',
  arguments: [],
  environment: {},
  files: [{ path: 'main', source: '/blob' }],
  limits,
};

function reasonFor(change: Partial<PreparedJob>): string {
  const verdict = judgeJob({ ...job, ...change });
  return verdict.status === 'refused' ? verdict.reason : verdict.status;
}

describe('a job', () => {
  test('is accepted when every part of it is bounded', () => assert.equal(reasonFor({}), 'accepted'));
  test('is refused with a limit that is out of bounds or no whole number', () => {
    for (const wrong of [
      { wallMs: 0 },
      { memoryBytes: 1 },
      { processes: 1e9 },
      { outputBytes: -1 },
      { cpuMs: 1.5 },
      { logBytes: Number.NaN },
    ]) {
      assert.equal(reasonFor({ limits: { ...limits, ...wrong } }), 'limits-refused', JSON.stringify(wrong));
    }
  });
  test('is refused when its entry is not among its files', () => assert.equal(reasonFor({ entry: 'other' }), 'entry-missing'));
  test('is refused when it starts a file that is not marked executable', () =>
    assert.equal(reasonFor({ runtime: 'executable' }), 'entry-not-executable'));
  test("is refused when it sets what is the sandbox's own, or what no shell could name", () => {
    for (const environment of [{ CAPSTAN_OUT: '/' }, { 'A=B': '' }, { '': '' }, { A: 'x\0y' }])
      assert.equal(reasonFor({ environment }), 'environment-refused');
    assert.equal(reasonFor({ arguments: ['a\0b'] }), 'arguments-refused');
  });
});

describe('a path', () => {
  test('that is accepted stays below the folder it is joined to', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b.c', '..', '.', '', '/', '\\', '\u0007', 'ä'), { maxLength: 6 }), (parts) => {
        const path = parts.join('/');
        if (judgePath(path).status === 'refused') return;
        assert.equal(new URL(path, 'file:///capsule/').pathname.startsWith('/capsule/'), true);
        assert.ok(!path.split('/').some((segment) => ['', '.', '..'].includes(segment)));
      }),
    );
  });
  test('is printable in a report, whatever it was', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => assert.doesNotMatch(printable(text), /[\p{Cc}\u202e\u2028]/u)));
  });
});

describe('progress', () => {
  test('is a number from 0 to 1, with a printable note', () => {
    assert.deepEqual(parseProgress('{"progress":0.5,"note":"a\\u001bb"}'), { progress: 0.5, note: 'a\ufffdb' });
    for (const wrong of ['', 'x', '1', 'null', '[]', '{}', '{"progress":"1"}', '{"progress":-1}', '{"progress":1e999}'])
      assert.equal(parseProgress(wrong), undefined);
  });
  test('lines are the same however the bytes were cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\n', ''))),
        fc.integer({ min: 1, max: 7 }),
        (lines, size) => {
          const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
          const splitter = new LineSplitter();
          const got: string[] = [];
          for (let at = 0; at < bytes.length; at += size) got.push(...splitter.push(bytes.subarray(at, at + size)));
          assert.deepEqual(got, new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).split('\n').slice(0, -1));
        },
      ),
    );
  });
  test('a line without end is dropped and the next one is read', () => {
    const splitter = new LineSplitter();
    assert.deepEqual(splitter.push(new TextEncoder().encode('x'.repeat(10_000))), []);
    assert.deepEqual(splitter.push(new TextEncoder().encode('x\nnext\n')), ['next']);
  });
});

describe('whom a capsule runs as', () => {
  const whole = '         0          0 4294967295\n';
  test('an agent that is not root lends nothing', () => assert.deepEqual(identityForSlot(1000, whole, 5), { kind: 'own' }));
  test('root lends each slot a user of its own', () => {
    assert.deepEqual(identityForSlot(0, whole, 5), { kind: 'lent', uid: 1_900_000_005, gid: 1_900_000_005 });
    assert.notDeepEqual(identityForSlot(0, whole, 5), identityForSlot(0, whole, 6));
  });
  test('a container with few users lends nobody', () =>
    assert.deepEqual(identityForSlot(0, '0 100000 65536\n', 5), { kind: 'lent', uid: 65_534, gid: 65_534 }));
});

describe('how a run is reported', () => {
  const idle: Reading = {
    tree: { cpuMs: 10, memoryBytes: MiB, memoryBytesMax: MiB, processes: 1, isOutOfMemory: false },
    out: { bytesFree: 1, entries: 1 },
    scratch: { bytesFree: 1, entries: 1 },
  };
  const light = { bytes: 0, files: 0 };
  const reasonAt = (reading: Partial<Reading>) => reasonToKill(limits, { ...idle, ...reading })?.reason;
  test('a running capsule is killed by what it exceeds, and not by what it fills', () => {
    assert.equal(reasonAt({}), undefined);
    assert.equal(reasonAt({ tree: { ...idle.tree, cpuMs: 1001 } }), 'cpu-time');
    assert.equal(reasonAt({ tree: { ...idle.tree, memoryBytes: 64 * MiB + 1 } }), 'memory');
    assert.equal(reasonAt({ tree: { ...idle.tree, isOutOfMemory: true } }), 'memory');
    assert.equal(reasonAt({ out: { bytesFree: 0, entries: 2 } }), 'output-size');
    assert.equal(reasonAt({ out: { bytesFree: 1, entries: 1e6 } }), 'output-files');
    assert.equal(reasonAt({ scratch: { bytesFree: 0, entries: 2 } }), undefined);
    assert.equal(reasonAt({ scratch: { bytesFree: 1, entries: 1e6 } }), 'scratch-full');
  });
  test('an exit is an exit, whatever its code', () => {
    assert.deepEqual(judgeEnd(limits, { code: 3 }, undefined, idle, light), { status: 'exited', code: 3 });
  });
  test('a full /tmp explains a failure and not a success', () => {
    const full = { ...idle, scratch: { bytesFree: 0, entries: 2 } };
    assert.equal(judgeEnd(limits, { code: 0 }, undefined, full, light).status, 'exited');
    assert.deepEqual(Object.entries(judgeEnd(limits, { code: 1 }, undefined, full, light)).slice(0, 2), [
      ['status', 'killed'],
      ['reason', 'scratch-full'],
    ]);
  });
  test('what the executor killed it for comes before what is found afterwards', () => {
    const verdict = judgeEnd(
      limits,
      { code: 137, signal: 'SIGKILL' },
      { reason: 'cancelled', detail: '' },
      { ...idle, tree: { ...idle.tree, isOutOfMemory: true } },
      light,
    );
    assert.ok(verdict.status === 'killed' && verdict.reason === 'cancelled');
  });
  test('more output than agreed is no result, even after a good exit', () => {
    const verdict = judgeEnd(limits, { code: 0 }, undefined, idle, { bytes: MiB + 1, files: 1 });
    assert.ok(verdict.status === 'killed' && verdict.reason === 'output-size');
  });
  test("/out holds the limit in as many files as are accepted, a page's rounding each", () => {
    assert.ok(outCapacityBytes(limits.outputBytes) >= limits.outputBytes + 1024 * 4095);
  });
});

describe('the command line', () => {
  const plan: SandboxPlan = {
    capsuleFolder: '/stage/capsule',
    systemFolder: '/stage/system',
    configuration: [],
    limits,
    canCloseNamespaces: true,
    bounding: 'group',
    command: commandFor('python', '/usr/bin/python3', '/capsule/main', ['--share-net']),
    environment: { SECRET: 'hidden' },
  };
  test('closes every namespace, drops every capability and hides the environment', () => {
    const words = commandLine(plan);
    for (const option of [
      '--unshare-all',
      '--unshare-user',
      '--disable-userns',
      '--die-with-parent',
      '--new-session',
      '--clearenv',
      '--seccomp',
    ])
      assert.ok(words.includes(option), option);
    assert.equal(words[words.indexOf('--cap-drop') + 1], 'ALL');
    assert.ok(!words.some((word) => word.includes('hidden')));
    assert.match(hiddenOptions(plan.environment), /--setenv\0SECRET\0hidden\0/);
  });
  test("ends its own options before the capsule's words", () => {
    const words = commandLine(plan);
    assert.deepEqual(words.slice(words.lastIndexOf('--') + 1), ['/usr/bin/python3', '-u', '/capsule/main', '--share-net']);
    assert.ok(words.indexOf('--') < words.indexOf('--share-net'));
  });
  test('a capsule cannot override where its results go', () => {
    assert.match(hiddenOptions({ CAPSTAN_OUT: '/tmp' }), /^--setenv\0CAPSTAN_OUT\0\/out\0/);
  });
});

describe('why there is no sandbox', () => {
  const usual = { appArmorRestriction: undefined, unprivilegedClone: undefined, namespacesMax: '10000' };
  test('a bubblewrap before 0.8 is too old', () => {
    assert.deepEqual(
      ['0.6.1', '0.8.0', '0.11', '1.0'].map((version) => judgeVersion(version)?.reason),
      ['bubblewrap-too-old', undefined, undefined, undefined],
    );
  });
  test('each known obstacle is told with its remedy', () => {
    const detail = (complaint: string, settings: Partial<typeof usual> | Record<string, string>) =>
      explainFailure(complaint, { ...usual, ...settings }).detail;
    assert.match(detail('bwrap: setting up uid map: Permission denied', { appArmorRestriction: '1' }), /AppArmor.*\/usr\/bin\/bwrap/);
    assert.match(detail('bwrap: No permissions to create a new namespace', { unprivilegedClone: '0' }), /unprivileged_userns_clone=1/);
    assert.match(detail('bwrap: Creating new namespace failed', { namespacesMax: '0' }), /max_user_namespaces/);
    assert.match(detail("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", {}), /container/);
    assert.match(detail('bwrap: something else', {}), /something else/);
  });
});
