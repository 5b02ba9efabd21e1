/** Fork choice (§12.7), the lock (§13.3), and what the pool makes of a head that moves (§14.3). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeTransaction, transactionId, type Action } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS } from '../../../device/limits.ts';
import { makeAction } from '../../../device/consensus/machine.ts';
import { ballotOf, byWait, forge, forgeChain, genesisOf, kindsOf, say, sayBlock, voucherOf, type Made } from './forge.ts';
import { unixStartMs, World, type Actor } from './world.ts';

function watcher(name?: string): { world: World; alpha: Actor; genesis: Made; order: string[] } {
  const world = new World(['alpha', 'bravo', 'charlie', 'delta']);
  const genesis = genesisOf(world);
  const order = byWait(world, genesis);
  world.tpmMs = Infinity;
  return { world, alpha: world.start(name ?? order.at(-1) ?? ''), genesis, order };
}

const headKey = ({ state }: Actor): string => state.head.key;
const keyOf = ({ position }: Made): string => hex(position.id);
const now = (world: World): number => unixStartMs + world.nowMs;

describe('the head', () => {
  test('is the block of greatest height, on whichever branch', () => {
    const { world, alpha, genesis, order } = watcher();
    const left = forge(world, genesis, order[0] ?? '');
    const right = forge(world, genesis, order[1] ?? '');
    const above = forge(world, right, order[0] ?? '');
    sayBlock(world, alpha, left);
    sayBlock(world, alpha, right);
    assert.equal(headKey(alpha), keyOf(left), 'first seen, and the smaller wait');
    sayBlock(world, alpha, above);
    assert.equal(headKey(alpha), keyOf(above));
    const moved = alpha.reports.filter((news) => news.report === 'headMoved').map(({ depth }) => depth);
    assert.deepEqual(moved, [0, 1]);
  });

  test('is the smaller wait of two on one parent if that was seen before the other was due, or a tolerance later', () => {
    const { world, alpha, genesis } = watcher();
    const base = forge(world, genesis, 'bravo', { timeMs: now(world) });
    sayBlock(world, alpha, base);
    const [short, , long] = byWait(world, base).map((name) => forge(world, base, name)) as [Made, Made, Made];
    const dueMs = (alpha.state.tree.blocks.get(keyOf(base))?.anchorMs ?? 0) + long.waitMs;
    world.run(dueMs - world.nowMs);
    sayBlock(world, alpha, long);
    assert.equal(headKey(alpha), keyOf(long));
    world.run(20);
    sayBlock(world, alpha, short);
    assert.equal(headKey(alpha), keyOf(short), '20 ms are the tolerance of 1 s');
  });

  test('is the first one seen otherwise: a late smaller wait does not restart everyone', () => {
    const { world, alpha, genesis } = watcher();
    const base = forge(world, genesis, 'bravo', { timeMs: now(world) });
    sayBlock(world, alpha, base);
    const [short, , long] = byWait(world, base).map((name) => forge(world, base, name)) as [Made, Made, Made];
    const dueMs = (alpha.state.tree.blocks.get(keyOf(base))?.anchorMs ?? 0) + long.waitMs;
    world.run(dueMs - world.nowMs);
    sayBlock(world, alpha, long);
    world.run(21);
    sayBlock(world, alpha, short);
    assert.equal(headKey(alpha), keyOf(long));
  });

  test('of two heads on different parents is the first seen: forks fed in secret win nothing by being late', () => {
    const { world, alpha, genesis, order } = watcher();
    const live = forgeChain(world, forge(world, genesis, order[1] ?? ''), 3);
    const secret = forgeChain(world, forge(world, genesis, order[0] ?? ''), 3);
    const all = [live, secret].map((chain) => [chain[0]?.below, ...chain] as Made[]);
    for (const block of all.flat()) sayBlock(world, alpha, block);
    assert.equal(headKey(alpha), keyOf(live.at(-1) ?? genesis));
  });
});

test('a locked voter follows nothing but descendants of its lock, until it is unlocked (§12.7, §13.3)', () => {
  const { world, alpha, genesis, order } = watcher();
  const others = world.members.filter(({ name }) => name !== alpha.name).map(({ name }) => name);
  for (const name of others) say(world, alpha, name, 'voucher', voucherOf(world, name));
  const locked = forge(world, genesis, order[0] ?? '');
  sayBlock(world, alpha, locked);
  const about = { number: 1, previous: genesis.position.id };
  for (const name of others.slice(0, 2))
    say(world, alpha, name, 'ballot', ballotOf(world, name, about, { round: 0, step: 'prevote', value: locked.position.id }));
  assert.equal(hex(alpha.state.finality.decision.locked?.value ?? new Uint8Array()), keyOf(locked));
  const rivals = forgeChain(world, forge(world, genesis, order[1] ?? ''), 3);
  for (const rival of [rivals[0]?.below, ...rivals]) if (rival) sayBlock(world, alpha, rival);
  assert.equal(headKey(alpha), keyOf(locked), 'three blocks higher, and not followed');
  const child = forge(world, locked, order[1] ?? '');
  sayBlock(world, alpha, child);
  assert.equal(headKey(alpha), keyOf(child));
  world.kill(alpha);
  world.boot(alpha);
  assert.equal(headKey(alpha), keyOf(child), 'also after a restart');
});

describe('transactions (§11.3, §14.3)', () => {
  const submission = (text: string): Action => ({ action: 'boxes', serial: Number(text), boxes: [] });

  /** Alpha with its voucher on the chain. */
  function ready(): ReturnType<typeof watcher> & { tip: Made } {
    const all = watcher('alpha');
    const { world, alpha, genesis } = all;
    const voucher = alpha.member.voucher(
      alpha.state.networkId,
      { timeMs: 1, resetCount: 1, restartCount: 0 },
      alpha.state.setup.operationalKey,
    );
    const tip = forge(world, genesis, 'bravo', { candidates: [encodeTransaction({ kind: 'voucher', voucher })] });
    sayBlock(world, alpha, tip);
    return { ...all, tip };
  }

  test('an own one is said at once, again after two intervals, and no more when a block holds it', () => {
    const { world, alpha, tip } = ready();
    const transaction = makeAction(alpha.state, submission('1'));
    assert.ok(kindsOf(world.tell(alpha, { type: 'transactionMade', transaction })).includes('broadcast transaction'));
    assert.ok(!kindsOf(world.tell(alpha, { type: 'transactionMade', transaction })).includes('broadcast transaction'));
    const said = (): number => kindsOf(alpha.effects).filter((kind) => kind === 'broadcast transaction').length;
    world.run(2_000);
    assert.equal(said(), 2);
    sayBlock(world, alpha, forge(world, tip, 'bravo', { candidates: [transaction] }));
    assert.equal(alpha.state.pool.transactions.size, 0);
    world.run(10_000);
    assert.equal(said(), 2);
  });

  test('what stood only in blocks that were left comes back', () => {
    const { world, alpha, tip } = ready();
    const transaction = makeAction(alpha.state, submission('1'));
    world.tell(alpha, { type: 'transactionMade', transaction });
    const left = forge(world, tip, 'bravo', { candidates: [transaction] });
    sayBlock(world, alpha, left);
    assert.equal(alpha.state.pool.transactions.size, 0);
    for (const block of [...forgeChain(world, forge(world, tip, 'charlie'), 1)].flatMap((made) => [made.below, made])) {
      if (block) sayBlock(world, alpha, block);
    }
    assert.deepEqual([...alpha.state.pool.transactions.keys()], [hex(transactionId(transaction))]);
    assert.equal([...alpha.state.pool.transactions.values()][0]?.from, alpha.state.self);
  });

  test('another’s is passed on once by whoever takes it, and refused ones are not judged twice at one head', () => {
    const { world, alpha, tip } = ready();
    const bravo = world.start('bravo');
    const transaction = makeAction(bravo.state, submission('1'));
    assert.ok(
      !kindsOf(say(world, alpha, 'bravo', 'transaction', transaction)).includes('broadcast transaction'),
      'bravo has no voucher here',
    );
    const refused = (): number => alpha.reports.filter(({ report }) => report === 'messageRefused').length;
    say(world, alpha, 'charlie', 'transaction', transaction);
    assert.equal(refused(), 1);
    const voucher = encodeTransaction({
      kind: 'voucher',
      voucher: bravo.member.voucher(alpha.state.networkId, { timeMs: 1, resetCount: 1, restartCount: 0 }, bravo.state.setup.operationalKey),
    });
    sayBlock(world, alpha, forge(world, tip, 'charlie', { candidates: [voucher] }));
    assert.ok(kindsOf(say(world, alpha, 'bravo', 'transaction', transaction)).includes('broadcast transaction'));
    assert.ok(!kindsOf(say(world, alpha, 'charlie', 'transaction', transaction)).includes('broadcast transaction'));
  });

  test('an own one that no state takes is given up in the end, and said so', () => {
    const { world, alpha, tip } = ready();
    const transaction = makeAction(alpha.state, { action: 'cancellation', capsule: '00000000000000000000000000000000' });
    world.tell(alpha, { type: 'transactionMade', transaction });
    const blocks = forgeChain(world, tip, CONSENSUS_LIMITS.ownTransactionHeights);
    for (const block of blocks.slice(0, -1)) sayBlock(world, alpha, block);
    assert.equal(alpha.state.pool.transactions.size, 1);
    for (const block of blocks.slice(-1)) sayBlock(world, alpha, block);
    assert.equal(alpha.state.pool.transactions.size, 0);
    assert.ok(alpha.reports.some((news) => news.report === 'messageRefused' && news.from === alpha.state.self));
  });

  test('an own one that was said and is refused at this head is not tried until the head moves: no wake in vain', () => {
    const { world, alpha, tip } = ready();
    const [first, second] = ['1', '2'].map((serial) => makeAction(alpha.state, submission(serial))) as [Uint8Array, Uint8Array];
    world.tell(alpha, { type: 'transactionMade', transaction: first });
    sayBlock(world, alpha, forge(world, tip, 'bravo', { candidates: [second] }));
    assert.equal(alpha.state.pool.transactions.size, 1);
    alpha.effects.length = 0;
    world.run(20_000);
    assert.ok(alpha.effects.length < 100, `${alpha.effects.length} effects in 20 s`);
  });

  test('of one peer 256 wait at most, and the oldest go', () => {
    const { world, alpha } = ready();
    for (let serial = 1; serial <= 300; serial += 1) {
      const transaction = makeAction(alpha.state, submission(String(serial)));
      say(world, alpha, 'bravo', 'transaction', transaction);
    }
    assert.equal(alpha.state.pool.transactions.size, CONSENSUS_LIMITS.transactionsPerPeerMax);
    const bytes = [...alpha.state.pool.transactions.values()].reduce((sum, { encoded }) => sum + encoded.length, 0);
    assert.equal(alpha.state.pool.bytes, bytes);
  });
});
