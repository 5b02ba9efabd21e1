/** The pool's room, and that of a block, are shared among the authors of transactions (§14.3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signAction } from '#protocol/chain/signed-action.ts';
import { encodeTransaction, transactionId, type ActionOf } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { poolCandidates } from '../../../device/consensus/pool.ts';
import { CONSENSUS_LIMITS } from '../../../device/limits.ts';
import { forge, genesisOf, memberOf, say, sayBlock } from './forge.ts';
import { World, type Actor } from './world.ts';

const authors = ['bravo', 'charlie', 'delta'];

/** Alpha, and a chain with the vouchers of the others. */
function watcher(): { world: World; alpha: Actor } {
  const world = new World(['alpha', ...authors]);
  world.tpmMs = Infinity;
  const alpha = world.start('alpha');
  const candidates = authors.map((name) => {
    const { publicKey } = memberOf(world, name).operationalKey('boot');
    const reading = { timeMs: 1, resetCount: 1, restartCount: 0 };
    return encodeTransaction({ kind: 'voucher', voucher: memberOf(world, name).voucher(alpha.state.networkId, reading, publicKey) });
  });
  sayBlock(world, alpha, forge(world, genesisOf(world), 'bravo', { candidates }));
  return { world, alpha };
}

/** A member's offer, as long as it gets. */
function offer({ world, alpha }: ReturnType<typeof watcher>, author: string, serial: number, count: number): Uint8Array {
  const member = memberOf(world, author);
  const { publicKey, sign } = member.operationalKey('boot');
  const runtimes = Array.from({ length: 16 }, (_, index) => `r${index}${'a'.repeat(28)}`);
  const boxes = Array.from({ length: count }, (_, index) => ({
    ...{ name: `box-${String(index).padStart(2, '0')}`, key: new Uint8Array(32), trust: 'self-reported' as const, runtimes },
  }));
  const action: ActionOf<'boxes'> = { action: 'boxes', serial, boxes };
  return signAction(alpha.state.networkId, { by: member.node, key: publicKey }, action, sign);
}

const waits = ({ state }: Actor, transaction: Uint8Array): boolean => state.pool.transactions.has(hex(transactionId(transaction)));

test('of one author 256 transactions wait, whoever passes them on, and nobody else’s go for them (§14.3)', () => {
  const all = watcher();
  const { world, alpha } = all;
  const other = offer(all, 'charlie', 1, 0);
  say(world, alpha, 'charlie', 'transaction', other);
  for (let serial = 1; serial <= 600; serial += 1)
    say(world, alpha, serial % 2 === 0 ? 'charlie' : 'delta', 'transaction', offer(all, 'bravo', serial, 0));
  assert.ok(waits(alpha, other));
  assert.equal(alpha.state.pool.transactions.size, 1 + CONSENSUS_LIMITS.transactionsPerPeerMax);
});

test('of too many bytes those of the author that has most go (§14.3)', () => {
  const all = watcher();
  const { world, alpha } = all;
  const other = offer(all, 'charlie', 1, 0);
  world.tell(alpha, { type: 'transactionMade', transaction: other });
  for (let serial = 1; serial <= 250; serial += 1)
    for (const author of ['bravo', 'delta']) say(world, alpha, author, 'transaction', offer(all, author, serial, 64));
  assert.ok(waits(alpha, other));
  assert.ok(alpha.state.pool.bytes <= CONSENSUS_LIMITS.poolBytesMax, `${alpha.state.pool.bytes} bytes`);
  assert.ok(alpha.state.pool.transactions.size < 500, 'nothing had to go');
});

test('whoever leads takes first what has the fewest bytes of its author before it: nobody fills the blocks alone (§14.3)', () => {
  const all = watcher();
  const { world, alpha } = all;
  for (let serial = 1; serial <= 40; serial += 1) say(world, alpha, 'bravo', 'transaction', offer(all, 'bravo', serial, 64));
  const late = [1, 2].map((serial) => offer(all, 'charlie', serial, 0));
  for (const transaction of late) say(world, alpha, 'charlie', 'transaction', transaction);
  const places = late.map((transaction) => poolCandidates(alpha.state).findIndex((candidate) => hex(candidate) === hex(transaction)));
  assert.deepEqual(places, [1, 2]);
  const own = poolCandidates(alpha.state).filter((candidate) => candidate.length > 10_000);
  assert.equal(hex(own[0] ?? new Uint8Array()), hex(offer(all, 'bravo', 1, 64)), 'of one author the oldest first');
});
