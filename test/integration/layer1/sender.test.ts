/** Intentions become transactions once, whatever happens in between; on anvil. Specification §20.8. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { decodeResult, encodeCall } from '#contracts/evm.ts';
import { abi as anchorsAbi } from '#contracts/generated/anchors.ts';
import { bytesIn } from '../../../device/layer1/answers.ts';
import { IntentionStore } from '../../../device/layer1/intention-store.ts';
import type { Standing } from '../../../device/layer1/intention.ts';
import { LAYER1_LIMITS } from '../../../device/layer1/limits.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import {
  chainFor,
  deploy,
  endpointsFor,
  folderFor,
  GWEI,
  header,
  proxyFor,
  senderFor,
  settle,
  statesOf,
  termsOf,
  type Chain,
} from './chains.ts';

const skip = !hasAnvil() && 'no anvil on this machine';
const receiver = new Uint8Array(20).fill(0x77);
const receiverHex = `0x${receiver.toHex()}`;

function payment(name: string, value = 5n): { name: string; to: Uint8Array; data: Uint8Array; value: string } {
  return { name, to: receiver, data: new Uint8Array(), value: String(value) };
}

async function received(chain: Chain): Promise<bigint> {
  return BigInt(String(await chain.rpc('eth_getBalance', receiverHex, 'latest')));
}

test('an intention is waiting, sent, included and final, and is done once however often it is asked for (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const { sender, told } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  await sender.intend(payment('pay/1'));
  await sender.intend(payment('pay/1'));
  await settle(sender, chain, ['pay/1']);
  await sender.intend(payment('pay/1'));
  await sender.look();
  assert.deepEqual(statesOf(told, 'pay/1'), ['waiting', 'sent', 'included', 'final']);
  assert.equal(await received(chain), 5n);
});

test('a chain without a base fee gets legacy transactions (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t, { hardfork: 'istanbul' });
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  await sender.intend(payment('pay/1'));
  await settle(sender, chain, ['pay/1']);
  const { transactions } = (await chain.rpc('eth_getBlockByNumber', '0x1', true)) as { transactions: { type: string }[] };
  assert.deepEqual(
    transactions.map(({ type }) => type),
    ['0x0'],
  );
  assert.equal(await received(chain), 5n);
});

test('a sender that is started looks by itself, and goes on when its own disk fails once (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t, { blockTimeS: 1 });
  const lines: string[] = [];
  const setup = { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key, lookMs: 100 };
  let failures = 1;
  const onStanding = (_: string, { state }: Standing): void => {
    if (state === 'included' && failures-- > 0) throw new Error('the disk is full');
  };
  const { sender } = senderFor(t, { ...setup, log: (event) => lines.push(event), onStanding });
  await sender.intend(payment('pay/1'));
  sender.start();
  while (sender.standing('pay/1')?.state !== 'final') await pause(50);
  assert.ok(lines.includes('layer1-failed'));
  assert.equal(await received(chain), 5n);
});

test('while nothing is under way the chain is looked at seldom, and soon when something is (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const asked: string[] = [];
  const counted = await proxyFor(t, chain.url, (method, result) => {
    asked.push(method);
    return result;
  });
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [counted]), file: join(folderFor(t), 'a'), secret: chain.key, lookMs: 20 });
  sender.start();
  await pause(300);
  assert.equal(asked.join(), '');
  await sender.intend(payment('pay/1'));
  while (sender.standing('pay/1')?.state === 'waiting') await pause(20);
  assert.ok(asked.includes('eth_estimateGas'));
});

test('what could not be stored is not said, and is signed anew from what the disk has (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t, { blocksOnDemand: true });
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  await sender.intend(payment('pay/1'));
  const full = t.mock.method(IntentionStore.prototype, 'store', () => {
    throw new Error('the disk is full');
  });
  await assert.rejects(sender.look(), /the disk is full/);
  full.mock.restore();
  assert.deepEqual(await chain.rpc('txpool_status'), { pending: '0x0', queued: '0x0' });
  await chain.rpc('evm_mine');
  await sender.look();
  assert.deepEqual(sender.standing('pay/1'), { state: 'sent' });
  await settle(sender, chain, ['pay/1']);
  assert.equal(await received(chain), 5n);
});

test('another intention under a name that is open, or one out of its bounds, is refused at once (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  await sender.intend(payment('pay/1', 5n));
  await assert.rejects(sender.intend(payment('pay/1', 6n)), /the name pay\/1 is another intention's/);
  await assert.rejects(sender.intend({ ...payment('pay/2'), data: new Uint8Array(LAYER1_LIMITS.dataBytesMax + 1) }));
  assert.equal(sender.standing('pay/2'), undefined);
});

test('where no endpoint names a tip the price tells it (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const silent = await proxyFor(t, chain.url, (method, result) => (method === 'eth_maxPriorityFeePerGas' ? 'nothing' : result));
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [silent]), file: join(folderFor(t), 'a'), secret: chain.key });
  await sender.intend(payment('pay/1'));
  await settle(sender, chain, ['pay/1']);
  assert.equal(await received(chain), 5n);
});

test('several intentions are done in their order, with one nonce each (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  const names = Array.from({ length: 5 }, (_, index) => `pay/${index}`);
  for (const name of names) await sender.intend(payment(name));
  await settle(sender, chain, names);
  assert.equal(await received(chain), 25n);
});

test('a sender that starts anew goes on in the order in which it was asked (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const setup = { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key };
  const { sender: first } = senderFor(t, { ...setup, terms: { feeCap: 1n, dayBudget: 10n ** 18n } });
  const names = ['pay/10', 'pay/9', 'pay/8'];
  for (const name of names) await first.intend(payment(name));
  await first.look();
  assert.deepEqual(first.standing('pay/10'), { state: 'waiting', why: 'dear' });
  await first.close();
  const { sender, told } = senderFor(t, setup);
  await settle(sender, chain, names);
  assert.deepEqual(
    told.filter(({ standing }) => standing.state === 'sent').map(({ name }) => name),
    names,
  );
});

test('a key without the money waits for funds, whatever the chain says of its call (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const { sender } = senderFor(t, {
    endpoints: endpointsFor(t, [chain.url]),
    file: join(folderFor(t), 'a'),
    secret: new Uint8Array(32).fill(9),
  });
  await sender.intend(payment('pay/1'));
  await sender.look();
  assert.deepEqual(sender.standing('pay/1'), { state: 'waiting', why: 'funds' });
});

test('a closed sender takes nothing, and says so (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  await sender.close();
  await assert.rejects(sender.intend(payment('pay/1')), /the sender is closed; pay\/1 was not taken/);
});

test('what a reorganisation undoes is sent again, and is done once (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const { sender, told } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  await chain.rpc('anvil_mine', '0x3');
  const before = await chain.rpc('evm_snapshot');
  await sender.intend(payment('pay/1'));
  await sender.look();
  await sender.look();
  assert.equal(sender.standing('pay/1')?.state, 'included');
  await chain.rpc('evm_revert', before);
  await chain.rpc('anvil_mine', '0x1');
  await settle(sender, chain, ['pay/1']);
  assert.deepEqual(statesOf(told, 'pay/1'), ['waiting', 'sent', 'included', 'sent', 'included', 'final']);
  assert.equal(await received(chain), 5n);
});

test('a transaction that no block takes gets a higher fee, up to the cap (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t, { blocksOnDemand: true });
  let nowMs = Date.now();
  const setup = { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key, now: () => nowMs };
  const { sender, told } = senderFor(t, { ...setup, terms: { feeCap: 5n * GWEI, dayBudget: 10n ** 18n } });
  await sender.intend(payment('pay/1'));
  for (let minutes = 0; minutes < 12; minutes++) {
    await sender.look();
    nowMs += 61_000;
  }
  const states = statesOf(told, 'pay/1');
  assert.deepEqual([states[1], states[2], sender.standing('pay/1')], ['sent', 'bumped', { state: 'bumped', held: 'dear' }]);
  await settle(sender, chain, ['pay/1']);
  assert.equal(await received(chain), 5n);
  const { transactions } = (await chain.rpc('eth_getBlockByNumber', '0x1', true)) as { transactions: { maxFeePerGas: string }[] };
  assert.ok(BigInt(transactions[0]?.maxFeePerGas ?? '0') <= 5n * GWEI);
});

test('while a chain is dear nothing is signed; when its fees fall the intention is done (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
  await chain.rpc('anvil_setNextBlockBaseFeePerGas', `0x${(500n * GWEI).toString(16)}`);
  await chain.rpc('evm_mine');
  await sender.intend(payment('pay/1'));
  await sender.look();
  assert.deepEqual(sender.standing('pay/1'), { state: 'waiting', why: 'dear' });
  await chain.rpc('anvil_setNextBlockBaseFeePerGas', `0x${GWEI.toString(16)}`);
  await settle(sender, chain, ['pay/1']);
  assert.equal(await received(chain), 5n);
});

test('no more is signed in a day than its budget; the next day goes on (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  let nowMs = 1_000 * 86_400_000;
  const setup = { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key, now: () => nowMs };
  const { sender } = senderFor(t, { ...setup, terms: { feeCap: 100n * GWEI, dayBudget: 10n ** 15n } });
  await sender.intend(payment('pay/1', 8n * 10n ** 14n));
  await sender.intend(payment('pay/2', 8n * 10n ** 14n));
  await settle(sender, chain, ['pay/1']);
  assert.deepEqual(sender.standing('pay/2'), { state: 'waiting', why: 'budget' });
  nowMs += 86_400_000;
  await settle(sender, chain, ['pay/2']);
  assert.equal(await received(chain), 16n * 10n ** 14n);
});

test('a chain that is down delays an intention and stops nothing (§20.8)', { skip }, async (t) => {
  const stateFile = join(folderFor(t), 'chain.json');
  const first = await chainFor(t, { stateFile });
  const endpoints = endpointsFor(t, [first.url]);
  const { sender } = senderFor(t, { endpoints, file: join(folderFor(t), 'a'), secret: first.key });
  await sender.intend(payment('pay/1'));
  await settle(sender, first, ['pay/1']);
  await first.stop();
  await sender.intend(payment('pay/2'));
  await sender.look();
  assert.deepEqual(sender.standing('pay/2'), { state: 'waiting', why: 'chain-away' });
  const again = await chainFor(t, { stateFile, port: first.port });
  await settle(sender, again, ['pay/2']);
  assert.equal(await received(again), 10n);
});

for (const moment of ['before-sign', 'before-store', 'before-say', 'after-say'] as const) {
  test(`a sender that is killed ${moment.replace('-', ' it could ')} does its intention once (§20.8)`, { skip }, async (t) => {
    const chain = await chainFor(t);
    const file = join(folderFor(t), 'a');
    const killed = spawn(process.execPath, [new URL('killed-sender.ts', import.meta.url).pathname, chain.url, file, moment], {
      stdio: 'inherit',
    });
    const [, signal] = (await once(killed, 'close')) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL');
    const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file, secret: chain.key });
    await sender.intend(payment('pay/1'));
    await settle(sender, chain, ['pay/1']);
    assert.equal(await received(chain), 5n);
  });
}

test(
  'an intention whose nonce another program of this key has used is refused, never guessed to be undone (§20.8)',
  { skip },
  async (t) => {
    const chain = await chainFor(t, { blocksOnDemand: true });
    const { sender, told } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
    await sender.intend(payment('pay/1'));
    await sender.look();
    await chain.rpc('anvil_dropAllTransactions');
    const [account] = (await chain.rpc('eth_accounts')) as string[];
    await chain.rpc('eth_sendTransaction', { from: account, to: receiverHex, value: '0x7' });
    await chain.rpc('anvil_mine', '0x4');
    await sender.look();
    assert.deepEqual(told.at(-1)?.standing, {
      state: 'refused',
      reason: 'displaced',
      detail: 'another transaction of this key has the nonce 0',
    });
  },
);

test('answers that differ stop whatever would be signed, and who said what is told (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  let lying = true;
  const liar = await proxyFor(t, chain.url, (method, result) => (lying && method === 'eth_getTransactionCount' ? '0x9' : result));
  const lines: unknown[] = [];
  const endpoints = endpointsFor(t, [chain.url, liar]);
  const setup = { endpoints, file: join(folderFor(t), 'a'), secret: chain.key };
  const { sender } = senderFor(t, { ...setup, log: (event, fields) => lines.push([event, fields?.['why']]) });
  await sender.intend(payment('pay/1'));
  await sender.look();
  assert.deepEqual(sender.standing('pay/1'), { state: 'waiting', why: 'endpoints-differ' });
  const hosts = [chain.url, liar].map((url) => new URL(url).host);
  const words = `${String(hosts[0])} said eth_getTransactionCount is 0; ${String(hosts[1])} said eth_getTransactionCount is 9`;
  assert.ok(
    lines.some((line) => JSON.stringify(line) === JSON.stringify(['layer1-not-seen', words])),
    JSON.stringify(lines),
  );
  lying = false;
  await settle(sender, chain, ['pay/1']);
});

test('what an endpoint that is behind has not seen yet is no difference (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  await chain.rpc('anvil_mine', '0x3');
  let behind = true;
  const lagging = await proxyFor(t, chain.url, (method, result) => {
    if (!behind) return result;
    return method === 'eth_blockNumber' ? '0x3' : method === 'eth_getTransactionReceipt' ? null : result;
  });
  const endpoints = endpointsFor(t, [chain.url, lagging]);
  const { sender } = senderFor(t, { endpoints, file: join(folderFor(t), 'a'), secret: chain.key });
  await sender.intend(payment('pay/1'));
  await sender.look();
  await sender.look();
  assert.deepEqual(sender.standing('pay/1'), { state: 'sent' });
  behind = false;
  await settle(sender, chain, ['pay/1']);
  assert.equal(await received(chain), 5n);
});

test('an anchor is posted once: the same again is refused in the words of the contract (§20.3)', { skip }, async (t) => {
  for (const hardfork of ['osaka', 'shanghai']) {
    const chain = await chainFor(t, { hardfork });
    const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'a'), secret: chain.key });
    const contracts = await deploy(sender, chain, termsOf(new Uint8Array(32).fill(3)));
    const anchors = contracts.get('anchors')?.address ?? new Uint8Array();
    const call = async (name: 'tip' | 'bond'): Promise<Uint8Array> =>
      bytesIn(
        await chain.rpc('eth_call', { to: `0x${anchors.toHex()}`, data: `0x${encodeCall(anchorsAbi, name, []).toHex()}` }, 'latest'),
      ) ?? new Uint8Array();
    const tip = decodeResult(anchorsAbi, 'tip', await call('tip'));
    assert.equal(tip?.seats, 4n);
    const votes = { round: 0, voters: 0b111n, votes: new Uint8Array(3 * 105) };
    const data = encodeCall(anchorsAbi, 'post', [header(1n, tip.anchor), { ...votes, round: 0n }]);
    const post = { to: anchors, data, value: String(decodeResult(anchorsAbi, 'bond', await call('bond'))) };
    await sender.intend({ name: 'post/1', ...post });
    await settle(sender, chain, ['post/1']);
    await sender.intend({ name: 'post/1-again', ...post });
    await settle(sender, chain, ['post/1-again']);
    assert.equal(sender.standing('post/1')?.state, 'final');
    assert.deepEqual(sender.standing('post/1-again'), {
      state: 'refused',
      reason: 'would-revert',
      detail: 'OtherEpoch(given 1, wanted 2)',
    });
  }
});

test('a transaction of one chain is none on another (§20.8)', { skip }, async (t) => {
  const [here, there] = [await chainFor(t, { chainId: 1_001, blocksOnDemand: true }), await chainFor(t, { chainId: 1_002 })];
  const file = join(folderFor(t), 'a');
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [here.url], 1_001), file, secret: here.key });
  await sender.intend(payment('pay/1'));
  await sender.look();
  const stored = new IntentionStore(file);
  const [sending] = stored.load();
  stored.close();
  await assert.rejects(there.rpc('eth_sendRawTransaction', `0x${sending?.attempts[0]?.raw.toHex() ?? ''}`), /chain ?id/i);
  await pause(100);
  assert.equal(await received(there), 0n);
});
