/** What the store keeps, and for whom. Specification §7.6, §8. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
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

test('a run has one receipt: a second one is refused, and nothing of it is kept (§7.6)', () => {
  const job = add('ada', 1);
  const ended: Job = { ...job, state: 'agreed', attempt: 1 };
  store.saveReceipt(ended, new Uint8Array([1]), [DIGEST], 10);
  assert.throws(() => store.saveReceipt({ ...ended, state: 'failed' }, new Uint8Array([2]), [], 11), /UNIQUE/);
  assert.deepEqual(store.receipt(job.capsule), new Uint8Array([1]));
  assert.equal(store.capsule(job.capsule)?.job.state, 'agreed');
});

test("an output is its client's from the receipt on, and nobody else's (§8)", () => {
  const job = add('ada', 1);
  assert.equal(store.hasOutput('ada', DIGEST), false);
  store.saveReceipt({ ...job, state: 'agreed', attempt: 1 }, new Uint8Array([1]), [DIGEST], 10);
  assert.deepEqual([store.hasOutput('ada', DIGEST), store.hasOutput('bob', DIGEST)], [true, false]);
});

test('one request of one client is one capsule (§7.3)', () => {
  add('ada', 1);
  assert.throws(() => add('ada', 1), /UNIQUE/);
  assert.equal(store.capsuleOfRequest('ada', request(1))?.client, 'ada');
  assert.equal(store.capsuleOfRequest('bob', request(1)), undefined);
});

test('what is written is there after the store was opened again, jobs that have not ended first of all (§7.6)', () => {
  const [open, done] = [add('ada', 1), add('ada', 2)];
  store.saveReceipt({ ...done, state: 'agreed', attempt: 1 }, new Uint8Array([1]), [], 10);
  store.close();
  store = openStore(join(folder, 'device.sqlite'));
  assert.deepEqual(
    store.unended().map(({ capsule }) => capsule),
    [open.capsule],
  );
  assert.deepEqual(
    store.capsulesOf('ada').map(({ capsule }) => capsule),
    [done.capsule, open.capsule],
  );
});

test('of a client only so many capsules are kept, and none that has not ended is dropped (§10)', () => {
  const [open, ...others] = [1, 2, 3, 4].map((number) => add('ada', number));
  for (const job of others) store.saveJob({ ...job, state: 'cancelled' }, 10);
  store.trimClient('ada', 1);
  assert.deepEqual(
    store.capsulesOf('ada').map(({ capsule }) => capsule),
    [others[2]?.capsule, open?.capsule],
  );
});

test('a name that is given anew inherits nothing (§5.6)', () => {
  const job = add('ada', 1);
  store.saveReceipt({ ...job, state: 'agreed', attempt: 1 }, new Uint8Array([1]), [DIGEST], 10);
  store.addHolding('ada', DIGEST);
  store.forgetClient('ada');
  assert.deepEqual([store.capsulesOf('ada'), store.hasOutput('ada', DIGEST), store.holds('ada', DIGEST)], [[], false, false]);
});

function add(client: string, number: number): Job {
  const capsule = `${client.charCodeAt(0).toString(16)}${number}`.padEnd(32, '0');
  const job = newJob({ capsule, client, acceptedAtMs: number, lacking: [] });
  const accepted: AcceptedCapsule = {
    capsule,
    client,
    name: 'x',
    notation: 'cbor',
    request: request(number),
    manifest: new Uint8Array([1]),
    acceptedAtMs: number,
  };
  store.addCapsule(accepted, job);
  return job;
}

function request(number: number): Uint8Array {
  return new Uint8Array(16).fill(number);
}
