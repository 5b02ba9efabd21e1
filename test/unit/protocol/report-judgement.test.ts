/** What no honest run of a manifest can have left, and what one still can. Specification §9.3. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Outcome, Report } from '#protocol/box-messages.ts';
import { END_REASONS, type EndReason } from '#protocol/capsule.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Manifest } from '#protocol/manifest.ts';
import { objectionToReport } from '#protocol/report-judgement.ts';
import { manifest as written, software, startMs, text } from './workshop.ts';

const MIB = 2 ** 20;
const limits = { wallMs: 60_000, cpuMs: 60_000, memoryBytes: 64 * MIB, processes: 8, outputBytes: 100, logBytes: 100 };
const manifest: Manifest = { ...written, limits };
const digest = blobDigest(text('x'));
const blob = (bytes: number) => ({ digest, bytes });
const report: Report = {
  ...{ network: digest, device: 'alpha', box: 'box', run: `${'a'.repeat(32)}.1`, capsule: digest },
  outcome: { outcome: 'exited', status: 0 },
  startedAtMs: startMs,
  endedAtMs: startMs + 2_000,
  usage: { wallMs: 1_900, cpuMs: 1_500, memoryBytesMax: 30 * MIB },
  outputs: [{ path: 'a', ...blob(60) }],
  stdout: blob(60),
  stderr: blob(40),
};
const objectionTo = (changes: Partial<Report>, policy: Partial<Manifest['policy']> = {}): string =>
  objectionToReport({ ...report, ...changes }, { ...manifest, policy: { ...manifest.policy, ...policy } }, software) ?? 'none';
const lasting = (wallMs: number, usage: Partial<Report['usage']> = {}): Partial<Report> => ({
  endedAtMs: startMs + wallMs,
  usage: { ...report.usage, wallMs, ...usage },
});
const using = (usage: Partial<Report['usage']>): Partial<Report> => ({ usage: { ...report.usage, ...usage } });
const killed = (reason: EndReason): Partial<Report> => ({ outcome: { outcome: 'killed', reason }, outputs: [] });
const failed = (reason: EndReason): Partial<Report> => ({ outcome: { outcome: 'failed', reason, detail: '' }, outputs: [] });
const memoryMax = limits.memoryBytes + limits.outputBytes + 1_152 * MIB;

describe('the last that is taken and the first that is not (§9.3)', () => {
  const edges: readonly (readonly [rule: string, last: Partial<Report>, first: Partial<Report>, words: RegExp])[] = [
    ['an end before the start', { ...lasting(0) }, { ...lasting(0), endedAtMs: startMs - 1 }, /end 1 ms before its start/],
    ['a run longer than its times', using({ wallMs: 7_000 }), using({ wallMs: 7_001 }), /a run of 7001 ms between times 2000 ms apart/],
    [
      'times much longer than the run',
      { endedAtMs: startMs + 3_601_900 },
      { endedAtMs: startMs + 3_601_901 },
      /times 3601901 ms apart around a run of 1900 ms/,
    ],
    ['wall time', lasting(66_000), lasting(66_001), /a run of 66001 ms; its manifest allows 60000 ms/],
    [
      'wall time of a killed run',
      { ...lasting(120_000), ...killed('wall-time') },
      { ...lasting(120_001), ...killed('wall-time') },
      /120001 ms/,
    ],
    [
      'a kill for time before its time',
      { ...lasting(59_000), ...killed('wall-time') },
      { ...lasting(58_999), ...killed('wall-time') },
      /killed for its time after 58999 ms/,
    ],
    ['processor time', using({ cpuMs: 90_000 }), using({ cpuMs: 90_001 }), /90001 ms of processor time/],
    ['memory', using({ memoryBytesMax: memoryMax }), using({ memoryBytesMax: memoryMax + 1 }), /bytes of memory/],
    ['the log, both streams together', { stderr: blob(40) }, { stderr: blob(41) }, /101 bytes of log/],
    [
      'the outputs together',
      {
        outputs: [
          { path: 'a', ...blob(60) },
          { path: 'b', ...blob(40) },
        ],
      },
      {
        outputs: [
          { path: 'a', ...blob(60) },
          { path: 'b', ...blob(41) },
        ],
      },
      /101 bytes of output/,
    ],
    [
      'one path twice',
      {
        outputs: [
          { path: 'a', ...blob(1) },
          { path: 'ab', ...blob(1) },
        ],
      },
      {
        outputs: [
          { path: 'a', ...blob(1) },
          { path: 'a', ...blob(2) },
        ],
      },
      /lists one path twice/,
    ],
    [
      'a path inside another',
      {
        outputs: [
          { path: 'a/b', ...blob(1) },
          { path: 'ab', ...blob(1) },
        ],
      },
      {
        outputs: [
          { path: 'a/b', ...blob(1) },
          { path: 'a', ...blob(1) },
        ],
      },
      /"a\/b" as a file and as a folder/,
    ],
    ['outputs of a killed run', killed('memory'), { ...killed('memory'), outputs: report.outputs }, /outputs of a run that was killed/],
    [
      'outputs of a failed run',
      failed('disk-full'),
      { ...failed('disk-full'), outputs: report.outputs },
      /outputs of a run that was failed/,
    ],
  ];
  for (const [rule, last, first, words] of edges) {
    test(rule, () => {
      assert.equal(objectionTo(last), 'none');
      assert.match(objectionTo(first), words);
    });
  }

  test('the tenth counts where it is more than the slack', () => {
    const long = { ...manifest, limits: { ...limits, wallMs: 1_000_000, cpuMs: 1_000_000 } };
    const judge = (wallMs: number, cpuMs: number) => objectionToReport({ ...report, ...lasting(wallMs, { cpuMs }) }, long);
    assert.equal(judge(1_100_000, 1_100_000), undefined);
    assert.match(judge(1_100_001, 0) ?? '', /a run of/);
    assert.match(judge(0, 1_100_001) ?? '', /processor time/);
  });
});

describe('the policy (§9.3)', () => {
  test('one report does not stand for several replicas', () => {
    assert.match(objectionTo({}, { replicas: 31 }), /31 replicas; one box's report can't stand for them/);
  });

  test('a run that began after the deadline, by more than clocks may differ, is none; one that never began may be late', () => {
    const deadlineMs = startMs - LIMITS.clockSkewMaxMs;
    assert.equal(objectionTo({}, { deadlineMs }), 'none');
    assert.match(objectionTo({}, { deadlineMs: deadlineMs - 1 }), /30001 ms after the deadline/);
    assert.match(objectionTo(killed('memory'), { deadlineMs: deadlineMs - 1 }), /after the deadline/);
    assert.equal(objectionTo(failed('cancelled-by-client'), { deadlineMs: deadlineMs - 1 }), 'none');
  });
});

describe('the runtimes of the box (§9.3)', () => {
  const judge = (outcome: Outcome, names: readonly string[]) =>
    objectionToReport({ ...report, outcome, outputs: [] }, manifest, {
      ...software,
      runtimes: names.map((name) => ({ name, version: '1', digest })),
    });
  const exited: Outcome = { outcome: 'exited', status: 0 };

  test('a run needs the one of the manifest; one that failed for lack of it does not', () => {
    assert.equal(judge(exited, ['python', 'node']), undefined);
    assert.match(judge(exited, ['python']) ?? '', /asks for the runtime "node", which the box does not have/);
    assert.equal(judge({ outcome: 'failed', reason: 'runtime-missing', detail: '' }, ['python']), undefined);
  });

  test('one that is listed twice is no answer', () =>
    assert.match(judge(exited, ['node', 'node']) ?? '', /lists the runtime "node" twice/));
});

test('killed and failed have only reasons that a box can give (§9.3)', () => {
  const possible = (make: (reason: EndReason) => Partial<Report>) =>
    END_REASONS.filter((reason) => objectionTo({ ...make(reason), ...lasting(60_000) }) === 'none');
  assert.deepEqual(possible(killed).toSorted(), [
    'cancelled-by-client',
    'cpu-time',
    'log-flood',
    'memory',
    'output-files',
    'output-size',
    'processes',
    'signal',
    'wall-time',
  ]);
  assert.deepEqual(
    END_REASONS.filter((reason) => !possible(failed).includes(reason)),
    [
      ...['exit-status', 'wall-time', 'cpu-time', 'memory', 'processes', 'log-flood', 'signal'],
      ...['box-evidence-refused', 'trust-lacking', 'box-lost', 'deadline', 'box-fenced', 'readings-contradict', 'box-opened'],
    ],
  );
});

test('a run killed for its memory may have been over it, and one that was interrupted may have stood still for days (§9.3)', () => {
  assert.equal(objectionTo({ ...killed('memory'), ...using({ memoryBytesMax: 2 ** 40 }) }), 'none');
  assert.equal(objectionTo({ ...failed('agent-restarted'), endedAtMs: startMs + 3 * 86_400_000, ...using({ wallMs: 0 }) }), 'none');
});
