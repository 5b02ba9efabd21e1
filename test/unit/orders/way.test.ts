/** The way of a capsule through the chain, with lost words, restarts, silent and failing boxes. Specification §15. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Answer } from '#protocol/client-messages.ts';
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { RunNews, RunOrder } from '#protocol/peer-messages.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';
import { alpha, crypto, network } from '../protocol/workshop.ts';
import { Bench, type PeerMessage, type TestDevice } from './bench.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

test('a capsule goes to the box of another device, and its client gets result, receipt and finality at the gateway (§15)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit();
  assert.equal(gateway.state(id), 'ordered');
  await bench.block();
  assert.equal(gateway.state(id), 'ordered', 'the block that orders it draws no box');
  await bench.block();
  assert.equal(gateway.state(id), 'agreed');
  assert.deepEqual(
    gateway.result(id)?.outputs.map(({ path, text }) => [path, text]),
    [['answer', 'answer of bravo-box']],
  );
  const receipt = gateway.store.receipt(id);
  const verdict = receipt && judgeReceipt(receipt, { network, crypto, nowMs: bench.nowMs });
  assert.ok(verdict?.status === 'verified', JSON.stringify(verdict));
  assert.deepEqual([verdict.receipt.gateway.device, verdict.receipt.device, verdict.receipt.box.name], ['alpha', 'bravo', 'bravo-box']);
  await bench.block();
  assert.equal(bench.chain.capsule(id)?.end?.state, 'agreed');
  assert.deepEqual(gateway.finality(id)?.finality, 'not-final');
  assert.deepEqual(await listed(gateway), [['agreed', 'not-final']]);
  bench.chain.finalise();
  await bench.settled();
  assert.deepEqual(await listed(gateway), [['agreed', 'final']]);
  assert.deepEqual(gateway.finality(id), { finality: 'final', capsule: id, proof: Uint8Array.of(1) });
  assert.deepEqual([gateway.store.unsettled(), bench.device('bravo').store.jobs.unclosed()], [[], []]);
  assert.deepEqual(bench.chain.refusals, []);
});

test('of a capsule without a receipt no finality is told (§7.5)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit();
  assert.deepEqual(await listed(gateway), [['ordered', undefined]]);
  await gateway.cancel(id);
  assert.deepEqual(await listed(gateway), [['cancelled', undefined]]);
});

test('gateway and executor may be one device, and nothing is different (§15.3)', async () => {
  const { device } = { device: bench.device('alpha') };
  await bench.offer('alpha');
  const id = await device.submit();
  await bench.until(() => device.state(id) === 'agreed');
  assert.equal(device.result(id)?.outputs[0]?.text, 'answer of alpha-box');
});

test('every word between the devices may be lost once, and some come twice (§5.4)', async () => {
  const seen = new Set<string>();
  bench.tamper = (message) => {
    const key = `${message.from} ${message.kind} ${newsKind(message)}`;
    if (!seen.has(key)) return void seen.add(key);
    setImmediate(() => bench.device(message.to as 'alpha').hear(message));
    return message;
  };
  await bench.offer('bravo');
  const id = await bench.device('alpha').submit();
  await bench.until(() => bench.chain.capsule(id)?.end !== undefined, 20);
  assert.equal(bench.device('alpha').state(id), 'agreed');
  assert.deepEqual(bench.device('bravo').box.assigned, [`${id}.1`]);
});

test('both devices may be killed after every step (§7.6)', async () => {
  await bench.offer('bravo');
  const id = await bench.device('alpha').submit();
  for (let round = 0; round < 8 && bench.chain.capsule(id)?.end === undefined; round += 1) {
    await bench.device('alpha').restart();
    await bench.device('bravo').restart();
    await bench.pass();
    await bench.block();
  }
  assert.equal(bench.device('alpha').state(id), 'agreed');
  assert.deepEqual(bench.chain.capsule(id)?.end?.state, 'agreed');
});

test('an executor that is silent, and answers nothing on the chain, loses the run to another box (§15.5)', async () => {
  const { gateway, executor, id } = await atWork();
  executor.isOn = false;
  await bench.pass(DEVICE_LIMITS.executorSilenceMaxMs);
  assert.equal(gateway.state(id), 'running');
  await bench.offer('alpha');
  await bench.pass(DEVICE_LIMITS.executorSilenceMaxMs);
  const { state, reason, box, detail } = gateway.news(id) ?? {};
  assert.deepEqual([state, reason, box], ['ordered', 'box-lost', 'bravo-box'], 'the client is told why (§7.4)');
  assert.match(detail ?? '', /^device bravo has said nothing for \d+ s$/);
  await bench.until(() => gateway.state(id) === 'agreed', 14);
  assert.equal(bench.chain.capsule(id)?.attempts.length, 2);
  assert.deepEqual([gateway.news(id)?.attempt, gateway.news(id)?.box], [2, 'alpha-box']);
});

test('a gateway that wants another box gets none from an executor that is at work (§15.5)', async () => {
  const { gateway, executor, id } = await atWork();
  bench.chain.for(alpha.node).act({ action: 'retry', capsule: id, attempt: 1 });
  for (let blocks = 0; blocks < 12; blocks += 1) {
    await bench.pass();
    await bench.block();
  }
  assert.deepEqual([bench.chain.capsule(id)?.attempts.length, bench.chain.capsule(id)?.asked], [1, undefined]);
  executor.box.finish({ outcome: 'exited', status: 0 });
  await bench.until(() => gateway.state(id) === 'agreed');
});

test('a run whose news were lost goes on where it is (§15.5)', async () => {
  const { gateway, executor, id } = await atWork();
  bench.tamper = (message) => (message.from === 'bravo' ? undefined : message);
  await bench.pass(DEVICE_LIMITS.executorSilenceMaxMs * 2);
  assert.equal(gateway.state(id), 'ordered');
  bench.tamper = (message) => message;
  await bench.until(() => gateway.state(id) === 'running');
  executor.box.finish({ outcome: 'exited', status: 0 });
  await bench.until(() => gateway.state(id) === 'agreed');
  assert.equal(bench.chain.capsule(id)?.attempts.length, 1);
});

test('an executor that comes back after its run was given away stops it (§15.3)', async () => {
  const { gateway, executor, id } = await atWork();
  executor.isOn = false;
  await bench.offer('alpha');
  await bench.pass(DEVICE_LIMITS.executorSilenceMaxMs + 1);
  await bench.until(() => gateway.state(id) === 'agreed', 14);
  await executor.restart();
  await bench.pass();
  assert.ok(executor.box.cancelled.includes(`${id}.1`));
  assert.equal(executor.store.receipt(id), undefined);
  assert.equal(bench.chain.capsule(id)?.attempts.length, 2);
});

test("a failure of the box is tried again three times, and then its reason is the capsule's end (§15.5)", async () => {
  const gateway = bench.device('alpha');
  await bench.offer('alpha', 'bravo');
  for (const name of ['alpha', 'bravo'] as const)
    bench.device(name).box.outcome = { outcome: 'failed', reason: 'sandbox-unavailable', detail: 'no namespaces' };
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'failed', 20);
  assert.equal(gateway.news(id)?.reason, 'sandbox-unavailable');
  assert.equal(bench.chain.capsule(id)?.attempts.length, LIMITS.attemptsMax);
  const boxes = new Set(bench.chain.capsule(id)?.attempts.map(({ box }) => box));
  assert.equal(boxes.size, 2, 'the first two attempts had different boxes');
  assert.ok(gateway.store.receipt(id), 'the last attempt has a receipt');
});

test("a program's own failure is an end with a receipt (§7.2)", async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.device('bravo').box.outcome = { outcome: 'exited', status: 3 };
  const id = await gateway.submit();
  await bench.until(() => bench.chain.capsule(id)?.end !== undefined);
  assert.deepEqual([gateway.state(id), gateway.result(id)?.exitStatus, bench.chain.capsule(id)?.end?.reason], ['failed', 3, 'exit-status']);
});

test('a capsule that is cancelled before its draw ends at once, and the chain hears of it (§7.5)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit();
  await gateway.cancel(id);
  assert.equal(gateway.state(id), 'cancelled');
  await bench.until(() => bench.chain.capsule(id)?.end !== undefined);
  assert.equal(bench.chain.capsule(id)?.end?.state, 'cancelled');
  assert.deepEqual(bench.device('bravo').box.assigned, []);
});

test('a running capsule that is cancelled is killed at its box and ends with a receipt (§7.5)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.device('bravo').box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  await gateway.cancel(id);
  await bench.until(() => gateway.state(id) === 'cancelled');
  assert.ok(gateway.store.receipt(id));
  await bench.block();
  assert.equal(bench.chain.capsule(id)?.end?.reason, 'cancelled-by-client');
});

test('an assignment that is undone with its block stops, and the box that is drawn instead runs it (§15.3)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('alpha', 'bravo');
  for (const name of ['alpha', 'bravo'] as const) bench.device(name).box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  const first = bench.chain.capsule(id)?.attempts[0]?.box;
  bench.chain.undo(1);
  await bench.settled();
  assert.equal(gateway.state(id), 'ordered');
  while (bench.chain.capsule(id)?.attempts[0]?.box === first || bench.chain.capsule(id)?.attempts.length === 0) {
    if (bench.chain.capsule(id)?.attempts.length === 1) bench.chain.undo(1);
    bench.chain.luck += 1;
    await bench.block();
  }
  await bench.pass();
  await bench.pass(DEVICE_LIMITS.withdrawalWaitMs + 1);
  const [loser, winner] = first === 'alpha-box' ? (['alpha', 'bravo'] as const) : (['bravo', 'alpha'] as const);
  assert.ok(bench.device(loser).box.cancelled.includes(`${id}.1`));
  bench.device(winner).box.finish({ outcome: 'exited', status: 0 });
  await bench.until(() => gateway.state(id) === 'agreed');
  assert.equal(gateway.result(id)?.outputs[0]?.text, `answer of ${winner}-box`);
});

test('a receipt that is not final gives way when the chain has drawn another box after all (§15.4)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('alpha', 'bravo');
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'agreed');
  const first = bench.chain.capsule(id)?.attempts[0]?.box;
  const isOther = () => bench.chain.capsule(id)?.attempts[0]?.box !== first && bench.chain.capsule(id)?.attempts.length === 1;
  const submissionHeight = bench.chain.capsule(id)?.orderedHeight ?? 0;
  while (!isOther()) {
    bench.chain.undo(bench.chain.height - submissionHeight);
    bench.chain.luck += 1;
    bench.chain.block();
  }
  await bench.until(() => bench.chain.capsule(id)?.end !== undefined);
  const other = first === 'alpha-box' ? 'bravo-box' : 'alpha-box';
  assert.equal(gateway.result(id)?.outputs[0]?.text, `answer of ${other}`);
  bench.chain.finalise();
  await bench.settled();
  assert.equal(gateway.finality(id)?.finality, 'final');
});

test('an executor gives its receipt again to a gateway that asks for the run anew (§15.4)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit();
  await bench.until(() => bench.chain.capsule(id)?.end !== undefined);
  bench.chain.finalise();
  await bench.settled();
  const again: string[] = [];
  bench.tamper = (message) => {
    again.push(newsKind(message));
    return message;
  };
  const capsule = gateway.store.capsule(id);
  assert.ok(capsule);
  const payload = encodeBulk(RunOrder, {
    order: 'run',
    run: `${id}.1`,
    client: 'ada',
    request: capsule.request,
    manifest: capsule.manifest,
  });
  bench.device('bravo').hear({ from: 'alpha', to: 'bravo', kind: 'order', payload });
  await bench.settled();
  assert.equal(again[0], 'receipt');
});

test('a capsule expires when no box was drawn by its deadline (§7.1)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit({ policy: { deadlineSeconds: 10 } });
  await bench.pass(11_000);
  assert.deepEqual([gateway.state(id), gateway.news(id)?.reason], ['expired', 'deadline']);
});

test('a box is offered while it is present, and offered no more when it has been silent (§15.2)', async () => {
  await bench.offer('bravo');
  assert.deepEqual(
    [...bench.chain.state.boxes.values()].map(({ box }) => [box.name, box.runtimes]),
    [['bravo-box', ['node']]],
  );
  bench.device('bravo').box.isOn = false;
  await bench.pass(DEVICE_LIMITS.boxSilenceMaxMs + 1);
  await bench.block();
  assert.equal(bench.chain.state.boxes.size, 0);
});

test('a device that starts anew during a run keeps it, whatever it hears before it knows its boxes and takes up its jobs (§6.4, §15.10)', async () => {
  const { gateway, executor, id } = await atWork();
  await executor.restart(async () => {
    await bench.block();
    executor.pair();
    executor.box.hello();
    await bench.block();
  });
  await bench.until(() => gateway.state(id) === 'running');
  await bench.block();
  assert.equal(bench.chain.state.boxes.size, 1, 'its box stays offered');
  assert.deepEqual(executor.box.cancelled, []);
  executor.box.finish({ outcome: 'exited', status: 0 });
  await bench.until(() => gateway.state(id) === 'agreed');
  assert.equal(bench.chain.capsule(id)?.attempts.length, 1);
});

test('a box stays offered over a restart of its device (§15.2)', async () => {
  await bench.offer('bravo');
  bench.device('bravo').box.isOn = false;
  await bench.device('bravo').restart();
  await bench.pass();
  await bench.block();
  assert.equal(bench.chain.state.boxes.size, 1);
});

function newsKind({ kind, payload }: PeerMessage): string {
  const news = kind === 'news' ? decodeBulk(RunNews, payload, payload.length) : undefined;
  if (news?.status !== 'decoded') return '';
  return news.value.news === 'state' ? news.value.state : news.value.news;
}

/** State and finality of the capsules that a query lists. */
async function listed(gateway: TestDevice): Promise<unknown[]> {
  const payload = new TextEncoder().encode('{"query":"list"}');
  await gateway.rooms.gateway.clientSaid({ client: 'ada', kind: 'query', payload }, gateway.rooms.orders);
  const answer = gateway.last(Answer, (topic) => topic.to === 'client' && topic.kind === 'answer');
  assert.ok(answer?.answer === 'capsules');
  return answer.capsules.map(({ state, finality }) => [state, finality]);
}

/** A capsule through alpha that runs at bravo until it is told to end. */
async function atWork(): Promise<{ gateway: TestDevice; executor: TestDevice; id: string }> {
  const [gateway, executor] = [bench.device('alpha'), bench.device('bravo')];
  await bench.offer('bravo');
  executor.box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  return { gateway, executor, id };
}
