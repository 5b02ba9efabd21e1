/** What a member passes on, and when. Specification §14.1. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { CHAIN_LIMITS } from '../../../device/limits.ts';
import type { ChainKind } from '#protocol/topics.ts';
import { Relay } from '../../../device/chain/relay.ts';

const word = (text: string): Uint8Array => new TextEncoder().encode(text);

function recorded(): { relay: Relay<ChainKind>; said: string[] } {
  const said: string[] = [];
  const relay = new Relay<ChainKind>(
    (kind, payload, retain) => void said.push(`${kind} ${new TextDecoder().decode(payload)}${retain ? ' retained' : ''}`),
  );
  return { relay, said };
}

test('only what came from a peer is held back; it is passed on in its order after a moment (§14.1)', async () => {
  const { relay, said } = recorded();
  const [ballot, transaction] = [word('1'), word('2')];
  relay.heard(ballot);
  relay.heard(transaction);
  assert.deepEqual(
    [relay.takes('ballot', word('1')), relay.takes('ballot', ballot), relay.takes('transaction', transaction)],
    [false, true, true],
  );
  assert.deepEqual(said, []);
  await sleep(CHAIN_LIMITS.relayAfterMs * 2);
  assert.deepEqual(said, ['ballot 1', 'transaction 2']);
  relay.stop();
});

test('blocks and ballots of others are not passed on when their checkpoint is certified, transactions are (§14.1)', async () => {
  const { relay, said } = recorded();
  for (const kind of ['block', 'ballot', 'transaction'] as const) {
    const payload = word(kind);
    relay.heard(payload);
    relay.takes(kind, payload);
  }
  relay.decided();
  await sleep(CHAIN_LIMITS.relayAfterMs * 2);
  assert.deepEqual(said, ['transaction transaction']);
  relay.stop();
});

test('of heads that change in a moment the last is said, retained; nothing after the end (§14.1)', async () => {
  const { relay, said } = recorded();
  for (const head of ['1', '2', '3']) relay.saySoon('head', word(head));
  await sleep(CHAIN_LIMITS.relayAfterMs * 2);
  relay.saySoon('head', word('4'));
  relay.stop();
  await sleep(CHAIN_LIMITS.relayAfterMs * 2);
  assert.deepEqual(said, ['head 3 retained']);
});

test('transactions of others are passed on at a bounded rate, so that a liar spends nobody else’s allowance (§14.3)', async () => {
  const { relay, said } = recorded();
  for (let index = 0; index < 500; index += 1) {
    const payload = word(String(index));
    relay.heard(payload);
    assert.equal(relay.takes('transaction', payload), true);
  }
  await sleep(CHAIN_LIMITS.relayAfterMs * 2);
  assert.ok(said.length >= CHAIN_LIMITS.relayedTransactionsPerSecond && said.length < 2 * CHAIN_LIMITS.relayedTransactionsPerSecond);
  relay.stop();
});

test('and at a bounded rate of bytes, below which small ones still pass (§14.3)', async () => {
  let [bytes, small] = [0, 0];
  const relay = new Relay<ChainKind>((_kind, { length }) => {
    bytes += length;
    if (length === 200) small += 1;
  });
  for (let index = 0; index < 40; index += 1) {
    for (const payload of [new Uint8Array(40_000), new Uint8Array(200)]) {
      relay.heard(payload);
      relay.takes('transaction', payload);
    }
  }
  await sleep(CHAIN_LIMITS.relayAfterMs * 2);
  assert.ok(bytes > 40_000 && bytes < 2 * CHAIN_LIMITS.relayedTransactionBytesPerSecond, `${bytes} bytes`);
  assert.equal(small, 40);
  relay.stop();
});
