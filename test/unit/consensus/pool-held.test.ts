/** Transactions that a member holds for a block of its own, since others hold the same (§18.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTransaction, transactionId } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { poolCandidates } from '../../../device/consensus/pool.ts';
import { forge, genesisOf, memberOf, sayBlock } from './forge.ts';
import { World } from './world.ts';

test('what is held is said to nobody, stands among the candidates, and goes when the state refuses it (§18.5)', () => {
  const world = new World(['alpha', 'bravo']);
  world.tpmMs = Infinity;
  const alpha = world.start('alpha');
  const { publicKey } = memberOf(world, 'bravo').operationalKey('boot');
  const reading = { timeMs: 1, resetCount: 1, restartCount: 0 };
  const voucher = memberOf(world, 'bravo').voucher(alpha.state.networkId, reading, publicKey);
  const transaction = encodeTransaction({ kind: 'voucher', voucher });
  const id = hex(transactionId(transaction));
  world.tell(alpha, { type: 'transactionMade', transaction, gossip: 'held' });
  assert.ok(alpha.state.pool.transactions.has(id));
  assert.ok(poolCandidates(alpha.state).some((candidate) => hex(transactionId(candidate)) === id));
  assert.equal(alpha.state.pool.transactions.get(id)?.saidMs, undefined);

  // Another with the same key: once a block holds the voucher, the boot is known and neither is of use.
  const other = encodeTransaction({
    kind: 'voucher',
    voucher: memberOf(world, 'bravo').voucher(alpha.state.networkId, { ...reading, timeMs: 2 }, publicKey),
  });
  world.tell(alpha, { type: 'transactionMade', transaction: other, gossip: 'held' });
  sayBlock(world, alpha, forge(world, genesisOf(world), 'bravo', { candidates: [transaction] }));
  assert.equal(alpha.state.pool.transactions.size, 0);
});
