/** What executors, gateways and boxes try against a capsule on the chain, each with the check that it fails at. Specification §15, §9.2. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ReportMessage, type Report } from '#protocol/box-messages.ts';
import { BlobChunk } from '#protocol/blob-transfer.ts';
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { blobDigest, domainDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeManifest, encodeManifest } from '#protocol/manifest.ts';
import { RunNews, RunOrder } from '#protocol/peer-messages.ts';
import { ReceiptMessage, type Receipt } from '#protocol/receipt.ts';
import { peekSigned, signMessage } from '#protocol/signed.ts';
import { judgeOrderReceipt } from '../../../device/gateway/order-receipt.ts';
import { alpha, bravo, crypto, network, stranger, text } from '../protocol/workshop.ts';
import { Bench, type DeviceName, type PeerMessage } from './bench.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

test('a receipt of another executor is refused, however well it holds (§15.4)', async () => {
  const { ordered, receipt } = await agreed('alpha', 'alpha');
  const elsewhere = { ...ordered, executor: { ...ordered.executor, node: bravo.node, device: 'bravo' } };
  assert.equal(reasonOf(receipt, elsewhere), 'other-executor');
});

test('a receipt of another box is refused, by name and by key (§15.4)', async () => {
  const { ordered, receipt } = await agreed('alpha', 'bravo');
  assert.equal(reasonOf(receipt, { ...ordered, executor: { ...ordered.executor, box: 'other-box' } }), 'other-box');
  assert.equal(reasonOf(receipt, { ...ordered, executor: { ...ordered.executor, key: stranger.publicKey } }), 'other-box');
  const { key: _, ...unknown } = ordered.executor;
  assert.equal(reasonOf(receipt, { ...ordered, executor: unknown }), 'other-box');
});

test('a receipt of another attempt is refused (§15.4)', async () => {
  const { ordered, receipt } = await agreed('alpha', 'bravo');
  assert.equal(reasonOf(receipt, { ...ordered, attempt: 2 }), 'other-attempt');
});

test('a receipt for another gateway, another client, another request or another manifest is refused (§15.4)', async () => {
  const { ordered, receipt } = await agreed('alpha', 'bravo');
  assert.equal(reasonOf(receipt, { ...ordered, gateway: { node: bravo.node, device: 'bravo' } }), 'other-gateway');
  assert.equal(reasonOf(receipt, { ...ordered, client: 'eve' }), 'other-submission');
  assert.equal(reasonOf(receipt, { ...ordered, request: new Uint8Array(16) }), 'other-submission');
  assert.equal(reasonOf(receipt, { ...ordered, acceptedAtMs: ordered.acceptedAtMs + 1 }), 'other-submission');
  assert.equal(reasonOf(receipt, { ...ordered, manifest: Uint8Array.of(1) }), 'other-manifest');
});

test("a result copied from another box's run makes no receipt: report and evidence name their box and run (§9.2)", async () => {
  const copied = await agreed('alpha', 'alpha');
  const gateway = bench.device('alpha');
  await offerOnly('bravo');
  bench.device('bravo').box.outcome = 'hold';
  const id = await gateway.submit({ name: 'second' });
  await bench.until(() => gateway.state(id) === 'running');
  const stolen = receiptOf(copied.receipt);
  const order = gateway.store.capsule(id);
  assert.ok(order);
  const taken = { ...stolen, capsule: id, request: order.request, manifest: order.manifest, node: bravo.node, device: 'bravo' };
  deliverAs('bravo', id, signMessage(ReceiptMessage, { ...taken, deviceEvidence: bravo.evidence }, bravo.sign));
  await bench.settled();
  assert.notEqual(gateway.state(id), 'agreed');
  assert.match(bench.lines.join('\n'), /receiptRefused .*"executor":"bravo"/);
});

test('a report of other outputs than the box signed is refused, and the run goes to another box (§9.2)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.tamper = changeReceipts((receipt) => {
    const report = peekSigned(ReportMessage, receipt.report);
    assert.ok(report.status === 'decoded');
    const outputs: Report['outputs'] = [{ path: 'answer', digest: blobDigest(text('another')), bytes: 7 }];
    return { ...receipt, report: signMessage(ReportMessage, { ...report.value, outputs }, bravo.sign) };
  });
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'failed', 20);
  assert.equal(gateway.news(id)?.reason, 'box-evidence-refused');
  assert.deepEqual([gateway.store.receipt(id), gateway.result(id)?.outputs], [undefined, []]);
});

test('an executor that lies about the state ends nothing: an end needs a receipt (§15.4)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.device('bravo').box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  for (const state of ['agreed', 'disputed', 'cancelled'] as const) {
    await bench.until(() => gateway.state(id) === 'running' || gateway.state(id) === 'failed', 10);
    say('bravo', { news: 'state', run: runNow(id), state });
    await bench.settled();
    assert.ok(['ordered', 'assigned', 'running', 'failed'].includes(gateway.state(id) ?? ''), `${state}: ${String(gateway.state(id))}`);
  }
  assert.equal(gateway.store.receipt(id), undefined);
});

test('a member whose box was not drawn can say nothing about a run (§15.3)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('alpha');
  bench.device('alpha').box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  say('bravo', { news: 'state', run: `${id}.1`, state: 'failed', reason: 'box-lost' });
  say('bravo', { news: 'log', run: `${id}.1`, stream: 'stdout', offset: 0, content: text('lies') });
  await bench.settled();
  assert.equal(gateway.state(id), 'running');
  assert.ok(!gateway.published.some(({ topic }) => 'kind' in topic && topic.kind === 'log'));
});

test('a gateway that sends another manifest than it ordered gets nothing run: the digest on the chain decides (§15.3)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.tamper = changeOrders((order) => {
    const manifest = decodeManifest(order.manifest);
    assert.ok(manifest.status === 'decoded');
    return { ...order, manifest: encodeManifest({ ...manifest.value, arguments: ['--steal'] }) };
  });
  await gateway.submit();
  await bench.block();
  await bench.block();
  await bench.pass(10_000);
  assert.deepEqual(bench.device('bravo').box.assigned, []);
  assert.match(bench.lines.join('\n'), /bravo orderRefused .*"reason":"manifest"/);
});

test("a gateway that names another client or request gets nothing run: the capsule's id decides (§15.3)", async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.tamper = changeOrders((order) => ({ ...order, client: 'eve' }));
  const id = await gateway.submit();
  await bench.block();
  await bench.block();
  assert.equal(gateway.state(id), 'assigned');
  assert.deepEqual(bench.device('bravo').box.assigned, []);
  assert.match(bench.lines.join('\n'), /bravo orderRefused .*"reason":"client"/);
});

test('a file that is swapped on the way from the gateway is refused, and none of it is run (§8)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.tamper = (message) => {
    if (message.kind !== 'chunk' || message.from !== 'alpha') return message;
    const chunk = decodeBulk(BlobChunk, message.payload, LIMITS.packetBytesMax);
    assert.ok(chunk.status === 'decoded' && chunk.value.chunk === 'content');
    const content = text('print(43)');
    return { ...message, payload: encodeBulk(BlobChunk, { ...chunk.value, content }) };
  };
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'failed', 20);
  assert.equal(gateway.news(id)?.reason, 'blob-wrong');
  assert.deepEqual(bench.device('bravo').box.assigned, []);
});

test('files of a capsule go to the member whose box was drawn, and to nobody else (§8)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('alpha');
  bench.device('alpha').box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  const digest = blobDigest(text('print(42)')).toHex();
  assert.deepEqual([gateway.rooms.orders.mayHave('alpha', digest), gateway.rooms.orders.mayHave('bravo', digest)], [true, false]);
});

test('a box has the files of a capsule while it is measured for the run and has not reported, neither before nor after (§8)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('alpha');
  const { box } = gateway;
  const ask = async (): Promise<string | undefined> => {
    box.need(blobDigest(text('print(42)')));
    await bench.settled();
    return box.given.at(-1);
  };
  box.outcome = 'hold';
  box.answersChallenges = false;
  const id = await gateway.submit();
  await bench.until(() => gateway.store.jobs.job(id, 1)?.job.before !== undefined);
  assert.equal(await ask(), 'missing', 'challenged, and not measured yet');
  box.answersChallenges = true;
  await bench.until(() => gateway.state(id) === 'running');
  assert.equal(await ask(), 'content');
  box.finish({ outcome: 'exited', status: 0 });
  await bench.settled();
  assert.equal(await ask(), 'missing', 'reported');
});

test('outputs go to the gateway of the capsule, and to no other member (§8)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'agreed');
  const digest = blobDigest(text('answer of bravo-box')).toHex();
  const { controller } = bench.device('bravo').rooms;
  assert.deepEqual([controller.mayHave('alpha', digest), controller.mayHave('bravo', digest)], [true, false]);
});

test('a box of an expelled member loses its run, and its receipt comes too late (§15.2)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.device('bravo').box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  bench.chain.expel(bravo.node);
  await bench.settled();
  assert.equal(gateway.state(id), 'ordered');
  bench.device('bravo').box.finish({ outcome: 'exited', status: 0 });
  await offerOnly('alpha');
  await bench.until(() => gateway.state(id) === 'agreed');
  assert.equal(gateway.result(id)?.outputs[0]?.text, 'answer of alpha-box');
});

test("an executor can not put another's receipt on the chain, nor one for a run that was given away (§15.4)", async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  bench.device('bravo').box.outcome = 'hold';
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'running');
  const receipt = domainDigest('receipt', Uint8Array.of(1));
  bench.chain.for(alpha.node).act({ action: 'receipt', capsule: id, attempt: 1, receipt, state: 'agreed' });
  bench.chain.for(bravo.node).act({ action: 'receipt', capsule: id, attempt: 2, receipt, state: 'agreed' });
  bench.chain.for(bravo.node).act({ action: 'retry', capsule: id, attempt: 1 });
  bench.chain.for(bravo.node).act({ action: 'cancellation', capsule: id });
  await bench.block();
  assert.deepEqual(bench.chain.refusals, [
    'receipt: not-the-executor',
    'receipt: other-attempt',
    'retry: not-the-gateway',
    'cancellation: not-the-gateway',
  ]);
});

test('words of peers that are no CBOR, or of unknown runs, crash nothing (§2.3)', async () => {
  await bench.offer('bravo');
  for (const kind of ['order', 'news', 'need', 'chunk'] as const)
    for (const payload of [new Uint8Array(), Uint8Array.of(0xff), text('{}'), new Uint8Array(1_000).fill(0x5b)])
      for (const to of ['alpha', 'bravo'] as const) bench.device(to).hear({ from: 'bravo', to, kind, payload });
  say('bravo', { news: 'receipt', run: `${'e'.repeat(32)}.1`, receipt: Uint8Array.of(1) });
  await bench.settled();
  assert.equal(
    await bench
      .device('alpha')
      .submit()
      .then((id) => bench.device('alpha').state(id)),
    'ordered',
  );
});

/** A capsule of `gateway` that ran on a box of `executor`: its receipt, and what the gateway knew. */
async function agreed(gatewayName: DeviceName, executorName: DeviceName) {
  const gateway = bench.device(gatewayName);
  await bench.offer(executorName);
  const id = await gateway.submit();
  await bench.until(() => gateway.state(id) === 'agreed');
  const [capsule, receipt] = [gateway.store.capsule(id), gateway.store.receipt(id)];
  assert.ok(capsule?.order.executor && receipt);
  const { node } = gatewayName === 'alpha' ? alpha : bravo;
  const ordered = { ...capsule, gateway: { node, device: gatewayName }, attempt: 1, executor: capsule.order.executor };
  assert.equal(reasonOf(receipt, ordered), 'accepted');
  return { ordered, receipt };
}

function reasonOf(receipt: Uint8Array, ordered: Parameters<typeof judgeOrderReceipt>[1]): string {
  const verdict = judgeOrderReceipt(receipt, ordered, { network, crypto, nowMs: bench.nowMs });
  return verdict.status === 'refused' ? verdict.reason : verdict.status;
}

async function offerOnly(name: DeviceName): Promise<void> {
  for (const other of ['alpha', 'bravo'] as const) if (other !== name) bench.device(other).rooms.controller.setPairedBoxes([]);
  await bench.pass(6_000);
  await bench.offer(name);
}

function receiptOf(encoded: Uint8Array): Receipt {
  const peeked = peekSigned(ReceiptMessage, encoded);
  assert.ok(peeked.status === 'decoded');
  return peeked.value;
}

function say(from: DeviceName, news: RunNews): void {
  bench.device('alpha').hear({ from, to: 'alpha', kind: 'news', payload: encodeBulk(RunNews, news) });
}

function deliverAs(from: DeviceName, capsule: string, receipt: Uint8Array): void {
  say(from, { news: 'receipt', run: `${capsule}.1`, receipt });
}

function runNow(capsule: string): string {
  return `${capsule}.${bench.chain.capsule(capsule)?.attempts.length ?? 0}`;
}

/** Every receipt of bravo changed and signed anew. */
function changeReceipts(change: (receipt: Receipt) => Receipt): (message: PeerMessage) => PeerMessage {
  return (message) => {
    const news = message.kind === 'news' ? decodeBulk(RunNews, message.payload, LIMITS.packetBytesMax) : undefined;
    if (news?.status !== 'decoded' || news.value.news !== 'receipt') return message;
    const receipt = signMessage(ReceiptMessage, change(receiptOf(news.value.receipt)), bravo.sign);
    return { ...message, payload: encodeBulk(RunNews, { ...news.value, receipt }) };
  };
}

function changeOrders(change: (order: RunOrder & { order: 'run' }) => RunOrder): (message: PeerMessage) => PeerMessage {
  return (message) => {
    const order = message.kind === 'order' ? decodeBulk(RunOrder, message.payload, LIMITS.packetBytesMax) : undefined;
    if (order?.status !== 'decoded' || order.value.order !== 'run') return message;
    return { ...message, payload: encodeBulk(RunOrder, change(order.value)) };
  };
}
