/** Checks of a box during a run: when they are due, and what comes of them. Specification §6.6. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Report } from '#protocol/box-messages.ts';
import { LIMITS } from '#protocol/limits.ts';
import { drawMoments, momentBytes } from '../../../device/hpc/check-moments.ts';
import { dutiesOf, newJob, stepJob, type Job, type JobEvent } from '../../../device/hpc/job.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';

const START_MS = 1_000_000;
const MOMENTS = [START_MS + 5_000, START_MS + 40_000, START_MS + 90_000];

test('a check is asked at each drawn moment, and not before (§6.6)', () => {
  const running = run(measured(), { type: 'runStarted', atMs: 0, moments: MOMENTS });
  assert.deepEqual(checksOf(run(running, passed(4_999))), []);
  const first = run(running, passed(5_001, 11));
  assert.deepEqual(checksOf(first), ['asked']);
  assert.ok(dutiesOf(first).some((duty) => duty.duty === 'challenge' && duty.check === true && duty.measuring.nonce[0] === 11));
  const answered = run(first, answer(11), passed(6_000));
  assert.deepEqual(checksOf(answered), ['answered']);
  assert.deepEqual(checksOf(run(answered, passed(40_000, 12), answer(12), passed(90_000, 13), answer(13), passed(500_000))), [
    'answered',
    'answered',
    'answered',
  ]);
});

test('a box that never says that it runs is checked from the moment at which it has the run (§6.6)', () => {
  const silent = run(measured(MOMENTS), passed(5_001, 11));
  assert.deepEqual([silent.state, silent.assignedAtMs, checksOf(silent)], ['measured', START_MS, ['asked']]);
  assert.deepEqual(checksOf(run(silent, answer(11), passed(40_001, 12), answer(12))), ['answered', 'answered']);
  assert.equal(run(silent, passed(65_002)).end?.reason, 'box-evidence-refused');
});

test('a box that says late that it runs is checked anew, and says no open check away (§6.6)', () => {
  const later = MOMENTS.map((moment) => moment + 200_000);
  const waited = run(measured(MOMENTS), passed(5_001, 11), answer(11), passed(40_001, 12), answer(12), passed(90_001, 13), answer(13));
  const started = run(waited, { type: 'runStarted', atMs: START_MS + 200_000, moments: later });
  assert.deepEqual(checksOf(started), []);
  assert.deepEqual(checksOf(run(started, passed(205_001, 14))), ['asked']);
  const asked = run(measured(MOMENTS), passed(5_001, 11), { type: 'runStarted', atMs: START_MS + 6_000, moments: later });
  assert.deepEqual(checksOf(asked), ['asked']);
  assert.equal(run(asked, passed(65_002)).end?.reason, 'box-evidence-refused');
});

test('a check that is not answered for a minute ends the run (§6.6)', () => {
  const asked = run(measured(), { type: 'runStarted', atMs: 0, moments: MOMENTS }, passed(5_000, 11));
  assert.equal(run(asked, passed(65_000)).state, 'running');
  const refused = run(asked, passed(65_001));
  assert.deepEqual([refused.state, refused.end?.reason], ['failed', 'box-evidence-refused']);
});

test('an answer to another challenge is none (§6.6)', () => {
  const asked = run(measured(), { type: 'runStarted', atMs: 0, moments: MOMENTS }, passed(5_000, 11));
  assert.deepEqual(checksOf(run(asked, answer(12))), ['asked']);
});

test('a run that ends while a check is on its way is not held up by it (§6.6)', () => {
  const asked = run(measured(), { type: 'runStarted', atMs: 0, moments: MOMENTS }, passed(5_000, 11), answer(11), passed(40_000, 12));
  const ended = run(asked, reported);
  assert.deepEqual([ended.state, checksOf(ended)], ['reported', ['answered']]);
});

test('a run that is being cancelled is not checked (§6.6)', () => {
  assert.deepEqual(
    checksOf(run(measured(), { type: 'runStarted', atMs: 0, moments: MOMENTS }, { type: 'cancelAsked' }, passed(50_000))),
    [],
  );
});

test('moments are drawn apart from one another and within what the run may take (§6.6)', () => {
  const { checkAfterMsMin, checkAfterMsMax } = DEVICE_LIMITS;
  const seen = new Set<number>();
  for (let round = 0; round < 500; round += 1) {
    const wallMs = [100, 60_000, 3_600_000, LIMITS.wallMsMax][round % 4] ?? 0;
    const moments = drawMoments(new Uint8Array(randomBytes(momentBytes)), START_MS, wallMs);
    assert.equal(moments.length, LIMITS.boxChecksMax);
    assert.deepEqual(
      moments,
      moments.toSorted((left, right) => left - right),
    );
    const [first = 0, , last = 0] = moments;
    assert.ok(first >= START_MS + checkAfterMsMin && first < START_MS + checkAfterMsMax);
    assert.ok(last < START_MS + checkAfterMsMax + Math.max(checkAfterMsMax, wallMs));
    seen.add(first);
  }
  assert.ok(seen.size > 450, `${seen.size} of 500 first moments differ`);
});

test('the first moment is so early that a run which nobody checked within 90 s was never open to a check (§6.6)', () => {
  const latestAnswerMs = DEVICE_LIMITS.checkAfterMsMax + DEVICE_LIMITS.dutyIntervalMs + 60_000;
  assert.ok(latestAnswerMs < LIMITS.uncheckedRunMsMax);
});

function checksOf({ checks }: Job): string[] {
  return (checks ?? []).map(({ evidence }) => (evidence ? 'answered' : 'asked'));
}

/** @param moments drawn when the box was given the run */
function measured(moments?: number[]): Job {
  const digest = new Uint8Array(32);
  const gateway = { node: digest, device: 'bravo' };
  const job = newJob({ capsule: 'a'.repeat(32), attempt: 1, box: 'box-1', gateway, digest, manifest: digest, acceptedAtMs: START_MS });
  const given: JobEvent = { type: 'orderGiven', client: 'ada', request: new Uint8Array(16), lacking: [] };
  return run(
    job,
    given,
    { type: 'measuringBegun', nonce: nonce(1), atMs: START_MS },
    {
      ...answer(1),
      ...(moments ? { given: { assignedAtMs: START_MS, moments } } : {}),
    },
  );
}

function run(start: Job, ...events: JobEvent[]): Job {
  return events.reduce(stepJob, start);
}

function passed(ms: number, seed = 9): JobEvent {
  return { type: 'timePassed', atMs: START_MS + ms, nonce: nonce(seed) };
}

function nonce(seed: number): Uint8Array {
  return new Uint8Array(32).fill(seed);
}

function answer(seed: number): JobEvent {
  return { type: 'evidenceAccepted', nonce: nonce(seed), evidence: new Uint8Array([seed]) };
}

const reported: JobEvent = {
  type: 'reportAccepted',
  bytes: new Uint8Array([1]),
  report: { outcome: { outcome: 'exited', status: 0 } } as Report,
  lacking: [],
  nonce: nonce(20),
  atMs: START_MS,
};
