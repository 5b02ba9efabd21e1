/** Capsules that ask for more than the box's own word, from the submission to the end. Specification §6.3-6.4, §15.2, §15.10. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { LIMITS } from '#protocol/limits.ts';
import type { TrustLevel } from '#protocol/trust-level.ts';
import { bravo } from '../protocol/workshop.ts';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

/** What bravo says of its box, whatever that has shown: a lie, or true until a moment ago. */
async function saysItsBoxIs(trust: TrustLevel): Promise<void> {
  const { name, keys } = bench.device('bravo').box;
  const serial = (bench.chain.state.members.get(bravo.node.toHex())?.boxesSerial ?? 0) + 1;
  bench.chain.for(bravo.node).act({ action: 'boxes', serial, boxes: [{ name, key: keys.publicKey, trust, runtimes: ['node'] }] });
  await bench.block();
}

test('one for which no box of its level is offered waits, and its client is told what is lacking (§15.6)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit({ policy: { trust: 'software-tpm' } });
  for (let blocks = 0; blocks < 4; blocks += 1) await bench.block();
  const lacking = 'no box with node is offered as software-tpm or higher; the highest that is offered is self-reported';
  assert.deepEqual([gateway.state(id), gateway.news(id)?.detail], ['ordered', lacking]);
  assert.deepEqual(bench.chain.capsule(id)?.attempts, []);
  await saysItsBoxIs('tpm-measured');
  assert.equal(gateway.news(id)?.detail, undefined, 'one is offered now');
});

test('it ends at its deadline with what was lacking (§15.6)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit({ policy: { trust: 'tpm-measured', deadlineSeconds: 10 } });
  await bench.block();
  await bench.pass(11_000);
  const { state, reason, detail } = gateway.result(id) ?? {};
  assert.deepEqual([state, reason], ['expired', 'deadline']);
  assert.match(detail ?? '', /^no box with node is offered as tpm-measured or higher; the highest that is offered is self-reported$/);
});

test('an executor whose box shows less than it was offered as gives the run up, and no receipt is made (§6.4)', async () => {
  const [gateway, executor] = [bench.device('alpha'), bench.device('bravo')];
  await bench.offer('bravo');
  const id = await gateway.submit({ policy: { trust: 'software-tpm' } });
  await bench.block();
  await saysItsBoxIs('software-tpm');
  await bench.block();
  const { state, reason, detail, box } = gateway.news(id) ?? {};
  assert.deepEqual([state, reason, box], ['ordered', 'trust-lacking', 'bravo-box']);
  assert.equal(detail, 'the box is self-reported by its measurements of this run; the capsule asks for software-tpm');
  assert.deepEqual([executor.box.assigned, gateway.store.receipt(id)], [[], undefined], 'the box never saw the capsule');
  await bench.pass(LIMITS.retryAnswerMs);
  await bench.block();
  assert.deepEqual([bench.chain.capsule(id)?.attempts.length, bench.chain.capsule(id)?.awaitsDraw], [1, 'yes']);
});

test('a box of a higher level than is asked for is as good (§15.2)', async () => {
  const gateway = bench.device('alpha');
  await bench.offer('bravo');
  const id = await gateway.submit();
  await bench.block();
  await saysItsBoxIs('tpm-measured');
  await bench.until(() => gateway.state(id) === 'agreed');
  assert.deepEqual(bench.chain.capsule(id)?.attempts[0]?.box, 'bravo-box');
});
