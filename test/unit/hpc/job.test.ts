/** The job machine, clause by clause and under random events. Specification §7.2, §6.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Outcome, Report } from '#protocol/box-messages.ts';
import { hasEnded } from '#protocol/capsule.ts';
import { LIMITS } from '#protocol/limits.ts';
import { dutiesOf, newJob, stepJob, type Job, type JobEvent } from '../../../device/hpc/job.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';

const CAPSULE = 'a'.repeat(32);
const INPUT = '1'.repeat(64);
const OUTPUT = '2'.repeat(64);
const START_MS = 1_000_000;

test('a capsule whose files are all here is ordered at once (§7.2)', () => {
  assert.equal(job({ lacking: [] }).state, 'ordered');
  assert.equal(job({ lacking: [INPUT] }).state, 'submitted');
});

test('a capsule goes from submission to agreement in the order of §7.2', () => {
  const states = ['submitted', 'ordered', 'assigned', 'measured', 'running', 'reported', 'reported', 'reported', 'agreed'];
  const events: JobEvent[] = [
    stored(INPUT),
    drawn(1),
    evidence(1),
    { type: 'runStarted' },
    reported(exited(0), [OUTPUT], 2),
    stored(OUTPUT),
    evidence(2),
    receipt,
  ];
  const seen = [job({ lacking: [INPUT] })];
  for (const event of events) seen.push(stepJob(seen.at(-1) as Job, event));
  assert.deepEqual(
    seen.map((each) => each.state),
    states,
  );
  assert.deepEqual(seen.at(-1)?.end, { state: 'agreed' });
});

test('a receipt is issued only when report, both measurements and all outputs are here (§9.1)', () => {
  const waiting = run(job({ lacking: [] }), drawn(1), evidence(1), reported(exited(0), [OUTPUT], 2));
  assert.deepEqual(
    dutiesOf(waiting).map((duty) => duty.duty),
    ['collectOutput', 'challenge'],
  );
  assert.deepEqual(
    dutiesOf(stepJob(waiting, stored(OUTPUT))).map((duty) => duty.duty),
    ['challenge'],
  );
  assert.deepEqual(
    dutiesOf(run(waiting, stored(OUTPUT), evidence(2))).map((duty) => duty.duty),
    ['issueReceipt'],
  );
});

test('evidence that answers another challenge changes nothing (§6.3)', () => {
  const asked = run(job({ lacking: [] }), drawn(1));
  assert.equal(stepJob(asked, evidence(7)), asked);
});

test('a challenge that waited too long is asked again with a new nonce (§6.3)', () => {
  const asked = run(job({ lacking: [] }), drawn(1));
  const soon = stepJob(asked, { type: 'timePassed', atMs: START_MS + 30_000, nonce: nonce(9) });
  const late = stepJob(asked, { type: 'timePassed', atMs: START_MS + 61_000, nonce: nonce(9) });
  assert.equal(soon, asked);
  assert.deepEqual(late.before, { nonce: nonce(9), issuedAtMs: START_MS + 61_000 });
});

test('a run that its box has lost is tried again, at most three times (§6.4)', () => {
  let current = job({ lacking: [] });
  for (let attempt = 1; attempt <= LIMITS.attemptsMax; attempt += 1) {
    current = run(current, drawn(attempt), evidence(attempt));
    assert.equal(current.attempt, attempt);
    current = stepJob(current, { type: 'runForgotten' });
  }
  assert.deepEqual([current.state, current.end?.reason], ['failed', 'box-lost']);
});

test("an end that is the box's fault is tried again, one that is the capsule's fault is not (§6.4)", () => {
  const measured = run(job({ lacking: [] }), drawn(1), evidence(1));
  const restarted = stepJob(measured, reported({ outcome: 'failed', reason: 'agent-restarted', detail: '' }, [], 2));
  const failed = stepJob(measured, reported(exited(3), [], 2));
  assert.deepEqual([restarted.state, restarted.attempt, restarted.box], ['ordered', 1, undefined]);
  assert.deepEqual([failed.state, failed.end], ['reported', { state: 'failed', reason: 'exit-status' }]);
});

test('a capsule that has not started by its deadline expires; one that runs goes on (§7.1)', () => {
  const late: JobEvent = { type: 'timePassed', atMs: START_MS + 10_001, nonce: nonce(9) };
  const waiting = job({ lacking: [], deadlineMs: START_MS + 10_000 });
  assert.deepEqual(stepJob(waiting, late).end, { state: 'expired', reason: 'deadline' });
  assert.equal(run(waiting, drawn(1), evidence(1), late).state, 'expired');
  assert.equal(run(waiting, drawn(1), evidence(1), { type: 'runStarted' }, late).state, 'running');
});

test('files that a client never delivers fail the capsule after an hour (§8)', () => {
  const waiting = job({ lacking: [INPUT] });
  const late: JobEvent = { type: 'timePassed', atMs: START_MS + DEVICE_LIMITS.inputWaitMaxMs + 1, nonce: nonce(9) };
  assert.equal(stepJob(waiting, late).end?.reason, 'blob-missing');
});

test('cancelling ends what has not begun at once, and lets the box report what has (§7.5)', () => {
  assert.equal(run(job({ lacking: [] }), { type: 'cancelAsked' }).state, 'cancelled');
  const running = run(job({ lacking: [] }), drawn(1), evidence(1), { type: 'cancelAsked' });
  assert.deepEqual(
    dutiesOf(running).map((duty) => duty.duty),
    ['cancelRun'],
  );
  const killed = run(running, reported({ outcome: 'killed', reason: 'cancelled-by-client' }, [], 2), evidence(2), receipt);
  assert.equal(killed.state, 'cancelled');
});

test('no order of events breaks the rules of a job: attempts bounded, ends final, receipts complete (§7.2)', () => {
  const anyEvent = fc.oneof(
    fc.constantFrom<JobEvent>(
      stored(INPUT),
      stored(OUTPUT),
      { type: 'runStarted' },
      { type: 'runForgotten' },
      { type: 'boxSilent' },
      { type: 'cancelAsked' },
    ),
    fc.integer({ min: 1, max: 4 }).map((seed) => drawn(seed)),
    fc.integer({ min: 1, max: 4 }).map((seed) => evidence(seed)),
    fc.constantFrom<JobEvent>(
      reported(exited(0), [OUTPUT], 3),
      reported(exited(1), [], 4),
      reported({ outcome: 'killed', reason: 'memory' }, [], 3),
    ),
    fc.integer({ min: 0, max: 200_000 }).map((ms): JobEvent => ({ type: 'timePassed', atMs: START_MS + ms, nonce: nonce(5) })),
    fc.constantFrom<JobEvent>({ type: 'blobRefused', reason: 'blob-wrong', detail: 'x' }, { type: 'evidenceRefused', detail: 'x' }),
  );
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.boolean(), (events, hasDeadline) => {
      let current = job({ lacking: [INPUT], ...(hasDeadline ? { deadlineMs: START_MS + 50_000 } : {}) });
      for (const event of events) current = checkedStep(current, event);
    }),
    { numRuns: 3_000 },
  );
});

function checkedStep(before: Job, event: JobEvent): Job {
  const after = stepJob(before, event);
  if (hasEnded(before.state)) assert.equal(after, before, 'an end is final');
  if (hasEnded(after.state)) assert.deepEqual(dutiesOf(after), [], 'an ended job owes nothing');
  else assert.notEqual(dutiesOf(after).length, 0, 'an open job always waits for something that somebody does');
  assert.ok(after.attempt <= LIMITS.attemptsMax);
  if (dutiesOf(after).some((duty) => duty.duty !== 'issueReceipt')) return after;
  if (hasEnded(after.state)) return after;
  assert.ok(after.report && after.before?.evidence && after.after?.evidence && after.lacking.length === 0, 'a receipt rests on everything');
  return checkedStep(after, receipt);
}

function job(given: { lacking: string[]; deadlineMs?: number }): Job {
  return newJob({ capsule: CAPSULE, client: 'ada', acceptedAtMs: START_MS, ...given });
}

function run(start: Job, ...events: JobEvent[]): Job {
  return events.reduce(stepJob, start);
}

function nonce(seed: number): Uint8Array {
  return new Uint8Array(32).fill(seed);
}

function stored(digest: string): JobEvent {
  return { type: 'blobStored', digest };
}

function drawn(seed: number): JobEvent {
  return { type: 'boxDrawn', box: 'box-1', nonce: nonce(seed), atMs: START_MS };
}

function evidence(seed: number): JobEvent {
  return { type: 'evidenceAccepted', nonce: nonce(seed), evidence: new Uint8Array([seed]) };
}

function reported(outcome: Outcome, lacking: string[], seed: number): JobEvent {
  return { type: 'reportAccepted', bytes: new Uint8Array([1]), report: { outcome } as Report, lacking, nonce: nonce(seed), atMs: START_MS };
}

function exited(status: number): Outcome {
  return { outcome: 'exited', status };
}

const receipt: JobEvent = { type: 'receiptStored' };
