/** What the store keeps, and for whom. Specification §7.6, §8. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { newOrder, type Order } from '../../../device/gateway/order.ts';
import { newJob, type Job } from '../../../device/hpc/job.ts';
import { openStore, type AcceptedCapsule, type Store } from '../../../device/store/store.ts';

const DIGEST = 'd'.repeat(64);
let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-store-'));
  store = openStore(join(folder, 'device.sqlite'));
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

test('a run has one receipt: the first one stays (§7.6)', () => {
  const job: Job = { ...newJob(assignment), state: 'agreed' };
  store.jobs.save({ job, receipt: new Uint8Array([1]) });
  store.jobs.save({ job: { ...job, state: 'failed' }, receipt: new Uint8Array([2]) });
  assert.deepEqual(store.jobs.job(job.capsule, 1)?.receipt, new Uint8Array([1]));
});

test('jobs that owe nothing any more are not taken up again (§15.3)', () => {
  const open = newJob(assignment);
  store.jobs.save({ job: open, manifest: new Uint8Array([7]) });
  store.jobs.save({ job: { ...newJob({ ...assignment, attempt: 2 }), state: 'cancelled', standing: 'withdrawn' } });
  assert.deepEqual(store.jobs.unclosed(), [{ job: open, manifest: new Uint8Array([7]) }]);
});

test('a receipt comes with its order, and another one in its place when the chain has undone it (§15.4)', () => {
  const order = add('ada', 1);
  const run = { ...order, state: 'reported', attempt: 1, receipt: 'not-final' } as const;
  store.saveOrder(run, { receipt: new Uint8Array([1]) });
  store.saveOrder(run, { receipt: new Uint8Array([2]) });
  assert.deepEqual(store.receipt(order.capsule), new Uint8Array([2]));
  store.saveOrder({ ...run, state: 'agreed', receipt: 'final' }, { endedAtMs: 10, finality: new Uint8Array([3]) });
  assert.deepEqual(
    [store.receipt(order.capsule), store.finality(order.capsule), store.capsule(order.capsule)?.order.state],
    [new Uint8Array([2]), new Uint8Array([3]), 'agreed'],
  );
});

test("an output is its client's from the receipt on, and nobody else's (§8)", () => {
  const order = add('ada', 1);
  assert.equal(store.hasOutput('ada', DIGEST), false);
  end(order);
  assert.deepEqual([store.hasOutput('ada', DIGEST), store.hasOutput('bob', DIGEST)], [true, false]);
});

test('one request of one client is one capsule (§7.3)', () => {
  add('ada', 1);
  assert.throws(() => add('ada', 1), /UNIQUE/);
  assert.equal(store.capsuleOfRequest('ada', request(1))?.client, 'ada');
  assert.equal(store.capsuleOfRequest('bob', request(1)), undefined);
});

test('what is written is there after the store was opened again, orders that can change first of all (§7.6)', () => {
  const [open, done] = [add('ada', 1), add('ada', 2)];
  end(done);
  store.close();
  store = openStore(join(folder, 'device.sqlite'));
  assert.deepEqual(
    store.unsettled().map(({ capsule }) => capsule),
    [open.capsule],
  );
  assert.deepEqual(
    store.capsulesOf('ada').map(({ capsule }) => capsule),
    [done.capsule, open.capsule],
  );
});

test('of a client only so many capsules are kept, and none that has not ended is dropped (§10)', () => {
  const [open, ...others] = [1, 2, 3, 4].map((number) => add('ada', number));
  for (const order of others) store.saveOrder({ ...order, state: 'cancelled', withdrawn: true }, { endedAtMs: 10 });
  store.trimClient('ada', 1);
  assert.deepEqual(
    store.capsulesOf('ada').map(({ capsule }) => capsule),
    [others[2]?.capsule, open?.capsule],
  );
});

test('a name that is given anew inherits nothing (§5.6)', () => {
  const order = add('ada', 1);
  end(order);
  store.addHolding('ada', DIGEST);
  store.forgetClient('ada');
  assert.deepEqual([store.capsulesOf('ada'), store.hasOutput('ada', DIGEST), store.holds('ada', DIGEST)], [[], false, false]);
});

const assignment = {
  ...{ capsule: 'c'.repeat(32), attempt: 1, box: 'box', gateway: { node: new Uint8Array(32), device: 'alpha' } },
  ...{ digest: new Uint8Array(32), manifest: new Uint8Array(32), acceptedAtMs: 1 },
};

function end(order: Order): void {
  const change = { endedAtMs: 10, receipt: new Uint8Array([1]), finality: new Uint8Array([2]), outputs: [DIGEST] };
  store.saveOrder({ ...order, state: 'agreed', attempt: 1, receipt: 'final' }, change);
}

function add(client: string, number: number): Order {
  const capsule = `${client.charCodeAt(0).toString(16)}${number}`.padEnd(32, '0');
  const order = newOrder({ capsule, client, acceptedAtMs: number, wallMs: 1_000, lacking: [] });
  const accepted: AcceptedCapsule = {
    capsule,
    client,
    name: 'x',
    notation: 'cbor',
    request: request(number),
    manifest: new Uint8Array([1]),
    acceptedAtMs: number,
  };
  store.addCapsule(accepted, order);
  return order;
}

function request(number: number): Uint8Array {
  return new Uint8Array(16).fill(number);
}
