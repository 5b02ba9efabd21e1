/** The job machine, clause by clause and under random events. Specification §7.2, §6.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Outcome, Report } from '#protocol/box-messages.ts';
import { hasEnded } from '#protocol/capsule.ts';
import { LIMITS } from '#protocol/limits.ts';
import { dutiesOf, hasReceipt, isClosed, newJob, stepJob, type Job, type JobEvent } from '../../../device/hpc/job.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';

const CAPSULE = 'a'.repeat(32);
const INPUT = '1'.repeat(64);
const OUTPUT = '2'.repeat(64);
const START_MS = 1_000_000;

test('a run goes from its assignment to agreement in the order of §7.2', () => {
  const states = ['assigned', 'assigned', 'assigned', 'assigned', 'measured', 'running', 'reported', 'reported', 'reported', 'agreed'];
  const events: JobEvent[] = [
    given([INPUT]),
    stored(INPUT),
    begun(1),
    evidence(1),
    { type: 'runStarted', atMs: 0 },
    reported(exited(0), [OUTPUT], 2),
    stored(OUTPUT),
    evidence(2),
    receipt,
  ];
  const seen = [job()];
  for (const event of events) seen.push(stepJob(seen.at(-1) as Job, event));
  assert.deepEqual(
    seen.map((each) => each.state),
    states,
  );
  assert.deepEqual(seen.at(-1)?.end, { state: 'agreed' });
});

test('the box is challenged when the order and all files are here, and not before (§15.3)', () => {
  assert.deepEqual(duties(job()), ['tellState']);
  assert.deepEqual(duties(run(job(), given([INPUT]))), ['tellState', 'collectInput']);
  assert.deepEqual(duties(run(job(), given([INPUT]), stored(INPUT))), ['tellState', 'beginMeasuring']);
  assert.deepEqual(duties(run(job(), given([]), begun(1))), ['tellState', 'challenge']);
  assert.equal(stepJob(job(), begun(1)).before, undefined);
});

test('an order that was given stays: a second one changes nothing (§15.3)', () => {
  const ordered = run(job(), given([INPUT]));
  assert.equal(stepJob(ordered, { ...given([]), client: 'eve' }), ordered);
});

test('what is held against a run is its end whatever it reports; a run that is ended for it has no receipt (§17.2, §17.5)', () => {
  const disputed = { reason: 'box-opened', detail: 'case: the case is open' } as const;
  const opened = run(measured(), { type: 'runStarted', atMs: 0 }, { type: 'disputed', dispute: disputed });
  const goesOn = run(opened, reported(exited(0), [], 2), evidence(2), receipt);
  assert.deepEqual([goesOn.state, goesOn.end, goesOn.disputed], ['disputed', { state: 'disputed', ...disputed }, disputed]);
  const fenced = run(opened, { type: 'boxCutOff', reason: 'box-fenced', detail: 'box is fenced' });
  assert.deepEqual([fenced.state, fenced.end?.reason, hasReceipt(fenced)], ['failed', 'box-fenced', false]);
});

test('a receipt is issued only when report, both measurements and all outputs are here (§9.1)', () => {
  const waiting = run(measured(), reported(exited(0), [OUTPUT], 2));
  assert.deepEqual(duties(waiting), ['tellState', 'collectOutput', 'challenge']);
  assert.deepEqual(duties(stepJob(waiting, stored(OUTPUT))), ['tellState', 'challenge']);
  assert.deepEqual(duties(run(waiting, stored(OUTPUT), evidence(2))), ['tellState', 'issueReceipt']);
});

test('the receipt goes to the gateway first, then its digest to the chain (§15.4)', () => {
  const ended = run(measured(), reported(exited(0), [], 2), evidence(2), receipt);
  assert.deepEqual(duties(ended), ['deliverReceipt']);
  const delivered = stepJob(ended, { type: 'acknowledged' });
  assert.deepEqual(duties(delivered), ['settle']);
  const final = stepJob(delivered, { type: 'receiptFinal' });
  assert.deepEqual([duties(final), isClosed(final)], [[], true]);
});

test('a gateway that never takes the receipt does not keep it from the chain (§15.4)', () => {
  const ended = run(measured(), reported(exited(0), [], 2), evidence(2), receipt);
  const soon = stepJob(ended, passed(DEVICE_LIMITS.deliveryWaitMaxMs));
  const late = stepJob(ended, passed(DEVICE_LIMITS.deliveryWaitMaxMs + 1));
  assert.equal(soon, ended);
  assert.deepEqual(duties(late), ['deliverReceipt', 'settle']);
  const final = stepJob(late, { type: 'receiptFinal' });
  assert.deepEqual(duties(final), ['deliverReceipt']);
  assert.equal(isClosed(stepJob(final, passed(DEVICE_LIMITS.retentionMs + 1))), true, 'nothing is kept for ever');
});

test('evidence that answers another challenge changes nothing (§6.3)', () => {
  const asked = run(job(), given([]), begun(1));
  assert.equal(stepJob(asked, evidence(7)), asked);
});

test('a challenge that waited too long is asked again with a new nonce (§6.3)', () => {
  const asked = run(job(), given([]), begun(1));
  assert.equal(stepJob(asked, passed(30_000)), asked);
  assert.deepEqual(stepJob(asked, passed(61_000)).before, { nonce: nonce(9), issuedAtMs: START_MS + 61_000 });
});

test('a run that its box has lost ends without a receipt, and gateway and chain are told (§15.5)', () => {
  const lost = stepJob(measured(), { type: 'runForgotten' });
  assert.deepEqual([lost.state, lost.end?.reason, hasReceipt(lost), duties(lost)], ['failed', 'box-lost', false, ['tellState', 'giveUp']]);
});

test("an end that is the box's fault has a receipt only at the last attempt, one that is the capsule's fault always (§15.5)", () => {
  const restarted = reported({ outcome: 'failed', reason: 'agent-restarted', detail: '' }, [], 2);
  const early = stepJob(measured(), restarted);
  assert.deepEqual([early.state, early.end?.reason, hasReceipt(early)], ['failed', 'agent-restarted', false]);
  assert.equal(stepJob(measured(LIMITS.attemptsMax), restarted).state, 'reported');
  const failed = stepJob(measured(), reported(exited(3), [], 2));
  assert.deepEqual([failed.state, failed.end], ['reported', { state: 'failed', reason: 'exit-status' }]);
});

test('a job that ends without a receipt keeps nothing that its box has reported (§9.1)', () => {
  const waiting = run(measured(), reported(exited(0), [OUTPUT], 2));
  for (const event of [
    { type: 'evidenceRefused', detail: 'other software' },
    { type: 'blobRefused', reason: 'blob-missing', detail: 'it never came' },
    { type: 'boxSilent' },
  ] as const) {
    const ended = stepJob(waiting, event);
    assert.deepEqual([ended.state, ended.report], ['failed', undefined]);
  }
});

test('a run that has not started by its deadline expires; one that runs goes on (§7.1)', () => {
  const waiting = { ...measured(), deadlineMs: START_MS + 10_000 };
  assert.deepEqual(stepJob(waiting, passed(10_001)).end, { state: 'expired', reason: 'deadline' });
  assert.equal(run(waiting, { type: 'runStarted', atMs: 0 }, passed(10_001)).state, 'running');
});

test('cancelling ends what has not begun at once, and lets the box report what has (§7.5)', () => {
  assert.equal(run(job(), { type: 'cancelAsked' }).state, 'cancelled');
  const running = run(measured(), { type: 'cancelAsked' });
  assert.deepEqual(duties(running), ['tellState', 'cancelRun']);
  const killed = run(running, reported({ outcome: 'killed', reason: 'cancelled-by-client' }, [], 2), evidence(2), receipt);
  assert.deepEqual([killed.state, hasReceipt(killed)], ['cancelled', true]);
});

test('a run that the chain takes back stops, and owes nothing to anybody (§15.3)', () => {
  for (const each of [job(), measured(), run(measured(), reported(exited(0), [], 2))]) {
    const gone = stepJob(each, { type: 'withdrawn' });
    assert.deepEqual([gone.state, duties(gone), isClosed(gone)], ['cancelled', [], true]);
  }
});

test('a run that stands on the chain again is said to be lost, for its box has forgotten it (§15.3)', () => {
  const again = run(measured(), { type: 'withdrawn' }, { type: 'assignedAgain' });
  assert.deepEqual([again.state, again.end?.reason, duties(again)], ['failed', 'box-lost', ['tellState', 'giveUp']]);
});

test('no order of events breaks the rules of a job: ends final, receipts complete and never undone (§7.2)', () => {
  const anyEvent = fc.oneof(
    fc.constantFrom<JobEvent>(
      given([INPUT]),
      stored(INPUT),
      stored(OUTPUT),
      { type: 'runStarted', atMs: 0 },
      { type: 'runForgotten' },
      { type: 'boxSilent' },
      { type: 'cancelAsked' },
      { type: 'acknowledged' },
      { type: 'withdrawn' },
      { type: 'assignedAgain' },
      { type: 'receiptFinal' },
    ),
    fc.integer({ min: 1, max: 4 }).map((seed) => begun(seed)),
    fc.integer({ min: 1, max: 4 }).map((seed) => evidence(seed)),
    fc.constantFrom<JobEvent>(
      reported(exited(0), [OUTPUT], 3),
      reported(exited(1), [], 4),
      reported({ outcome: 'killed', reason: 'memory' }, [], 3),
    ),
    fc.integer({ min: 0, max: 2_000_000 }).map((ms) => passed(ms, 5)),
    fc.constantFrom<JobEvent>({ type: 'blobRefused', reason: 'blob-wrong', detail: 'x' }, { type: 'evidenceRefused', detail: 'x' }),
  );
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.boolean(), (events, hasDeadline) => {
      let current: Job = { ...job(), ...(hasDeadline ? { deadlineMs: START_MS + 50_000 } : {}) };
      for (const event of events) current = checkedStep(current, event);
    }),
    { numRuns: 3_000 },
  );
});

function checkedStep(before: Job, event: JobEvent): Job {
  const after = stepJob(before, event);
  if (hasReceipt(before)) assert.deepEqual([after.state, after.report], [before.state, before.report], 'a receipt stays true');
  if (hasEnded(before.state)) assert.ok(hasEnded(after.state), 'an end is final');
  if (isClosed(after)) assert.deepEqual(dutiesOf(after), [], 'a closed job owes nothing');
  else assert.notEqual(dutiesOf(after).length, 0, 'an open job always waits for something that somebody does');
  if (!duties(after).includes('issueReceipt')) return after;
  assert.ok(after.report && after.before?.evidence && after.after?.evidence && after.lacking.length === 0, 'a receipt rests on everything');
  return checkedStep(after, receipt);
}

function job(attempt = 1): Job {
  const digest = new Uint8Array(32);
  const gateway = { node: digest, device: 'bravo' };
  return newJob({ capsule: CAPSULE, attempt, box: 'box-1', gateway, digest, manifest: digest, acceptedAtMs: START_MS });
}

function measured(attempt = 1): Job {
  return run(job(attempt), given([]), begun(1), evidence(1));
}

function duties(each: Job): string[] {
  return dutiesOf(each).map(({ duty }) => duty);
}

function run(start: Job, ...events: JobEvent[]): Job {
  return events.reduce(stepJob, start);
}

function given(lacking: string[]): JobEvent & { type: 'orderGiven' } {
  return { type: 'orderGiven', client: 'ada', request: new Uint8Array(16), lacking };
}

function passed(ms: number, seed = 9): JobEvent {
  return { type: 'timePassed', atMs: START_MS + ms, nonce: nonce(seed) };
}

function nonce(seed: number): Uint8Array {
  return new Uint8Array(32).fill(seed);
}

function stored(digest: string): JobEvent {
  return { type: 'blobStored', digest };
}

function begun(seed: number): JobEvent {
  return { type: 'measuringBegun', nonce: nonce(seed), atMs: START_MS };
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

const receipt: JobEvent = { type: 'receiptStored', atMs: START_MS };
