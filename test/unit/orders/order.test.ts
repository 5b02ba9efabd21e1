/** The machine of an order, clause by clause and under random events. Specification §7.2, §15. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasEnded } from '#protocol/capsule.ts';
import { LIMITS } from '#protocol/limits.ts';
import {
  isOut,
  isSettled,
  newOrder,
  orderDuties,
  stepOrder,
  type Executor,
  type Order,
  type OrderEvent,
} from '../../../device/gateway/order.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';

const INPUT = '1'.repeat(64);
const OUTPUT = '2'.repeat(64);
const START_MS = 1_000_000;
const WALL_MS = 60_000;

test('an order goes from submission to agreement in the order of §7.2', () => {
  const events: OrderEvent[] = [stored(INPUT), drawn(1), moved('measured'), moved('running'), receipt('agreed', [OUTPUT]), stored(OUTPUT)];
  const seen = [order([INPUT])];
  for (const event of events) seen.push(stepOrder(seen.at(-1) as Order, event));
  assert.deepEqual(
    seen.map(({ state }) => state),
    ['submitted', 'ordered', 'assigned', 'measured', 'running', 'reported', 'agreed'],
  );
});

test('the capsule goes to the chain when its files are here, and not before (§15.1)', () => {
  assert.deepEqual(duties(order([INPUT])), ['collectInput']);
  assert.deepEqual(duties(order([])), ['submit']);
});

test('what the executor says moves a run forward, never back, and never to its end (§15.4)', () => {
  const running = run(order([]), drawn(1), moved('running'));
  for (const state of ['assigned', 'measured', 'reported', 'agreed', 'failed', 'cancelled'] as const)
    assert.equal(stepOrder(running, moved(state)), running, state);
});

test('a failed attempt asks the chain for another box, three times in all (§15.5)', () => {
  let current = order([]);
  for (let attempt = 1; attempt <= LIMITS.attemptsMax; attempt += 1) {
    current = run(current, drawn(attempt), failed);
    if (attempt < LIMITS.attemptsMax) assert.deepEqual(orderDuties(current), [{ duty: 'retry', attempt }]);
    assert.equal(stepOrder(current, drawn(attempt)), current, 'the chain still shows the attempt that failed');
  }
  assert.deepEqual([current.state, current.end?.reason, duties(current)], ['failed', 'box-lost', ['withdraw']]);
});

test('an end without a receipt is said to the chain until it knows (§15)', () => {
  const cancelled = run(order([]), { type: 'cancelAsked' });
  assert.deepEqual([cancelled.state, duties(cancelled)], ['cancelled', ['withdraw']]);
  const known = stepOrder(cancelled, { type: 'withdrawn' });
  assert.deepEqual([duties(known), isSettled(known)], [[], true]);
  assert.equal(isSettled(run(order([INPUT]), { type: 'cancelAsked' })), true, 'the chain never knew of it');
});

test('cancelling a run asks its executor to stop it; should that fail, the order ends as cancelled (§7.5)', () => {
  const cancelling = run(order([]), drawn(1), moved('running'), { type: 'cancelAsked' });
  assert.deepEqual([cancelling.state, duties(cancelling)], ['running', ['cancelRun']]);
  assert.equal(stepOrder(cancelling, failed).state, 'cancelled');
  assert.equal(stepOrder(cancelling, receipt('cancelled', [])).state, 'cancelled');
});

test('a receipt ends an order when the outputs are here, and settles it when a checkpoint holds it (§15.4)', () => {
  const agreed = run(order([]), drawn(1), receipt('agreed', [OUTPUT]), stored(OUTPUT));
  assert.deepEqual([agreed.state, agreed.receipt, isSettled(agreed)], ['agreed', 'not-final', false]);
  const final = stepOrder(agreed, { type: 'receiptFinal' });
  assert.deepEqual([final.receipt, isSettled(final)], ['final', true]);
});

test('an end that is not final is undone when the chain has given the capsule to another box; a final one never (§15.4)', () => {
  const agreed = run(order([]), drawn(1), receipt('agreed', []));
  assert.equal(stepOrder(agreed, drawn(1)), agreed);
  const undone = stepOrder(agreed, drawn(1, 'bravo'));
  assert.deepEqual([undone.state, undone.executor?.device, undone.end, undone.receipt], ['assigned', 'bravo', undefined, 'none']);
  const final = stepOrder(agreed, { type: 'receiptFinal' });
  assert.equal(stepOrder(final, drawn(1, 'bravo')), final);
});

test('outputs that do not come make the attempt fail, not the capsule (§15.5)', () => {
  const waiting = run(order([]), drawn(1), receipt('agreed', [OUTPUT]));
  const wrong = stepOrder(waiting, { type: 'blobRefused', reason: 'blob-wrong', detail: 'x' });
  assert.deepEqual([wrong.state, wrong.failure?.reason, wrong.end, wrong.receipt], ['ordered', 'blob-wrong', undefined, 'none']);
});

test('what has not started by its deadline expires; what runs goes on (§7.1)', () => {
  const late = passed(10_001);
  const waiting: Order = { ...order([]), deadlineMs: START_MS + 10_000 };
  assert.equal(stepOrder(waiting, late).state, 'expired');
  assert.equal(run(waiting, drawn(1), moved('measured'), late).state, 'expired');
  assert.equal(run(waiting, drawn(1), moved('running'), late).state, 'running');
});

test('an executor that begins or ends too late loses the run, however alive it says it is (§15.5)', () => {
  const assigned = run(order([]), drawn(1));
  assert.equal(stepOrder(assigned, passed(DEVICE_LIMITS.startWaitMaxMs + 1)).failure?.reason, 'box-lost');
  const running = run(assigned, moved('running'));
  assert.equal(stepOrder(running, passed(DEVICE_LIMITS.runSpareMs)), running);
  assert.equal(stepOrder(running, passed(WALL_MS + DEVICE_LIMITS.runSpareMs + 1)).failure?.reason, 'box-lost');
});

test('no order of events breaks the rules of an order: attempts bounded, ends with a receipt or withdrawn (§7.2)', () => {
  const anyEvent = fc.oneof(
    fc.constantFrom<OrderEvent>(stored(INPUT), stored(OUTPUT), failed, { type: 'receiptFinal' }, { type: 'withdrawn' }),
    fc.constantFrom<OrderEvent>({ type: 'cancelAsked' }, { type: 'blobRefused', reason: 'blob-missing', detail: 'x' }),
    fc.constantFrom<OrderEvent>(moved('assigned'), moved('measured'), moved('running'), moved('agreed')),
    fc.constantFrom<OrderEvent>(receipt('agreed', [OUTPUT]), receipt('failed', []), receipt('cancelled', [])),
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('alpha', 'bravo')).map(([attempt, device]) => drawn(attempt, device)),
    fc.integer({ min: 0, max: 2 }).map((attempts): OrderEvent => ({ type: 'undrawn', attempts })),
    fc.constantFrom<OrderEvent>({ type: 'boxSought', lacking: 'none' }, { type: 'boxSought', lacking: undefined }),
    fc.integer({ min: 0, max: 10_000_000 }).map((ms) => passed(ms)),
  );
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.boolean(), (events, hasDeadline) => {
      let current: Order = { ...order([INPUT]), ...(hasDeadline ? { deadlineMs: START_MS + 50_000 } : {}) };
      for (const event of events) current = checkedStep(current, event);
    }),
    { numRuns: 3_000 },
  );
});

function checkedStep(before: Order, event: OrderEvent): Order {
  const after = stepOrder(before, event);
  assert.ok(after.attempt <= LIMITS.attemptsMax);
  if (isSettled(before)) assert.equal(after, before, 'what is settled is final');
  if (hasEnded(after.state)) assert.ok(after.end && after.end.state === after.state, 'an end says how');
  if (after.receipt !== 'none') assert.ok(after.executor && after.end, 'a receipt is of an executor');
  if (hasEnded(after.state) && after.receipt === 'none' && !after.withdrawn) assert.deepEqual(duties(after), ['withdraw']);
  if (isOut(after)) assert.equal(after.waitsFor, undefined, 'what a box has waits for none');
  if (after.state === 'ordered') assert.equal(duties(after).length, 1, 'what is ordered is on its way to the chain');
  return after;
}

function order(lacking: string[]): Order {
  return newOrder({ capsule: 'a'.repeat(32), client: 'ada', acceptedAtMs: START_MS, wallMs: WALL_MS, lacking });
}

function run(start: Order, ...events: OrderEvent[]): Order {
  return events.reduce(stepOrder, start);
}

function duties(each: Order): string[] {
  return orderDuties(each).map(({ duty }) => duty);
}

function stored(digest: string): OrderEvent {
  return { type: 'blobStored', digest };
}

function drawn(attempt: number, device = 'alpha'): OrderEvent {
  const executor: Executor = { node: new Uint8Array(32).fill(device.length), device, box: `${device}-box`, key: new Uint8Array(32) };
  return { type: 'drawn', attempt, executor, atMs: START_MS };
}

function moved(state: Order['state']): OrderEvent {
  return { type: 'runMoved', state, atMs: START_MS };
}

function receipt(state: Order['state'], lacking: string[]): OrderEvent {
  return { type: 'receiptAccepted', state, lacking };
}

function passed(ms: number): OrderEvent {
  return { type: 'timePassed', atMs: START_MS + ms };
}

const failed: OrderEvent = { type: 'attemptFailed', reason: 'box-lost', detail: 'x' };
