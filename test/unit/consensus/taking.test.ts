/** When a block is taken (§11.2, §12.4, §12.6, §14.3): early, late, undated, unconnected, unsound, and too many of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CONSENSUS_LIMITS } from '../../../device/limits.ts';
import { heldUntilMs } from '../../../device/consensus/taking.ts';
import { ballotOf, byWait, certificateOf, forge, forgeChain, genesisOf, kindsOf, say, sayBlock, voucherOf, type Made } from './forge.ts';
import { heightOf, unixStartMs, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta'];

/** Alpha alone, with its voucher made; the others are forged. */
function watcher(awayMs = 0): { world: World; alpha: Actor; genesis: Made } {
  const world = new World(names);
  world.tpmMs = Infinity;
  world.nowMs += awayMs;
  return { world, alpha: world.start('alpha'), genesis: genesisOf(world) };
}

const has = (actor: Actor, { position }: Made): boolean => actor.state.tree.blocks.has(hex(position.id));
const refusals = (actor: Actor): string[] => actor.reports.flatMap((news) => (news.report === 'blockRefused' ? [news.reason] : []));

describe('held until due (§12.4)', () => {
  test('a block before its wait has passed on this clock is queued, not refused, and taken when it is due', () => {
    const { world, alpha, genesis } = watcher();
    const first = forge(world, genesis, byWait(world, genesis)[0] ?? '', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, first);
    assert.ok(has(alpha, first), 'the first one counts from the genesis, long ago');
    const anchor = alpha.state.tree.blocks.get(hex(first.position.id))?.anchorMs ?? 0;
    const second = forge(world, first, byWait(world, first)[0] ?? '');
    sayBlock(world, alpha, second);
    assert.ok(!has(alpha, second));
    const dueMs = anchor + second.waitMs;
    assert.equal(heldUntilMs(alpha.state), dueMs);
    assert.ok((alpha.wakeAtMs ?? Infinity) <= dueMs);
    assert.deepEqual(refusals(alpha), []);
    world.run(dueMs - world.nowMs - 1);
    assert.ok(!has(alpha, second));
    world.run(1);
    assert.ok(has(alpha, second));
  });

  test('a chain made ahead of time gains one tolerance, not one for each block: forged chips, withholding', () => {
    const { world, alpha, genesis } = watcher();
    const live = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, live);
    const ahead = forgeChain(world, live, 12);
    const startedMs = world.nowMs;
    for (const block of ahead) sayBlock(world, alpha, block);
    for (const [index, block] of ahead.entries()) {
      const waitedMs = ahead.slice(0, index + 1).reduce((sum, { waitMs }) => sum + waitMs, 0);
      world.runUntil(() => has(alpha, block), 60_000);
      assert.equal(
        world.nowMs - startedMs,
        waitedMs - 20,
        `block ${index + 2} after the waits below it, less one fiftieth of the interval`,
      );
    }
  });

  test('time lost between waits is no savings: a live block counts from when it was seen', () => {
    const { world, alpha, genesis } = watcher();
    const first = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, first);
    world.run(600_000);
    const late = forge(world, first, byWait(world, first)[0] ?? '', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, late);
    assert.ok(has(alpha, late));
    const next = forge(world, late, byWait(world, late)[0] ?? '');
    sayBlock(world, alpha, next);
    assert.ok(!has(alpha, next), 'ten idle minutes do not let the next block come at once');
  });

  test('a member that was away takes an hour of blocks at once, since their dates and waits fit its clock', () => {
    const { world, alpha, genesis } = watcher(3_600_000);
    let tip: Made = genesis;
    let timeMs = unixStartMs;
    const chain: Made[] = [];
    while (chain.length < 40) {
      const leader = byWait(world, tip)[0] ?? '';
      const block = forge(world, tip, leader, { timeMs: (timeMs += 5_000 + forge(world, tip, leader).waitMs) });
      chain.push(block);
      tip = block;
    }
    for (const block of chain) sayBlock(world, alpha, block);
    assert.equal(heightOf(alpha), 40);
  });

  test('a chain that was made in secret is followed at the pace of its waits, however it is dated', () => {
    const { world, alpha, genesis } = watcher();
    const base = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, base);
    const secret = forgeChain(world, base, 3);
    world.run(600_000);
    for (const block of secret) sayBlock(world, alpha, block);
    const shownMs = world.nowMs;
    assert.deepEqual(
      secret.map((block) => has(alpha, block)),
      [true, false, false],
    );
    for (const [index, block] of secret.entries()) {
      const waitedMs = secret.slice(1, index + 1).reduce((sum, { waitMs }) => sum + waitMs, 0);
      world.runUntil(() => has(alpha, block), 60_000);
      assert.equal(world.nowMs - shownMs, Math.max(0, waitedMs - 20));
    }
  });

  test('half of the voters override the hold, fewer do not', () => {
    const { world, alpha, genesis } = watcher();
    for (const name of ['bravo', 'charlie', 'delta']) say(world, alpha, name, 'voucher', voucherOf(world, name));
    const base = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, base);
    const chain = forgeChain(world, base, 3);
    for (const block of chain) sayBlock(world, alpha, block);
    const [, , third] = chain as [Made, Made, Made];
    const about = { number: 1, previous: genesis.position.id };
    const prevote = (name: string): Uint8Array => ballotOf(world, name, about, { round: 0, step: 'prevote', value: third.position.id });
    say(world, alpha, 'bravo', 'ballot', prevote('bravo'));
    assert.ok(!has(alpha, third));
    say(world, alpha, 'charlie', 'ballot', prevote('charlie'));
    assert.ok(has(alpha, third), 'two of four have taken it on their own clocks');
  });

  test('a finality certificate overrides the hold', () => {
    const { world, alpha, genesis } = watcher();
    for (const name of ['bravo', 'charlie', 'delta']) say(world, alpha, name, 'voucher', voucherOf(world, name));
    const first = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    const second = forge(world, first, 'charlie');
    sayBlock(world, alpha, first);
    sayBlock(world, alpha, second);
    assert.ok(!has(alpha, second));
    const certificate = certificateOf(world, ['bravo', 'charlie', 'delta'], { number: 1, previous: genesis.position.id }, second.position);
    alpha.state.finality.pending.set(1, { certificate, from: 'test', judged: false });
    world.tell(alpha, { type: 'ticked' });
    assert.equal(alpha.state.finality.last.number, 1);
    assert.ok(has(alpha, second));
  });

  test('a member that heard nothing for a while holds no block for the waits that it missed, once a checkpoint shows them (§12.4)', () => {
    const { world, alpha, genesis } = watcher();
    for (const name of ['bravo', 'charlie', 'delta']) say(world, alpha, name, 'voucher', voucherOf(world, name));
    const first = forge(world, genesis, byWait(world, genesis)[0] ?? '', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, first);
    const missed = forgeChain(world, first, 8);
    const last = missed.at(-1) ?? genesis;
    world.run(missed.reduce((sum, { waitMs }) => sum + waitMs, 0) + 1_000);
    for (const block of missed) sayBlock(world, alpha, block);
    assert.ok(!has(alpha, last), 'it has not seen them live');
    const certificate = certificateOf(world, ['bravo', 'charlie', 'delta'], { number: 1, previous: genesis.position.id }, last.position);
    alpha.state.finality.pending.set(1, { certificate, from: 'test', judged: false });
    world.tell(alpha, { type: 'ticked' });
    assert.equal(alpha.state.finality.last.number, 1);
    const next = forge(world, last, byWait(world, last)[0] ?? '');
    sayBlock(world, alpha, next);
    world.run(next.waitMs);
    assert.ok(has(alpha, next), 'its own wait is over');
  });

  test('after the machine slept, blocks made meanwhile are due', () => {
    const { world, alpha, genesis } = watcher();
    const first = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, first);
    const second = forge(world, first, 'charlie', { timeMs: unixStartMs + world.nowMs + 1_000_000 });
    const at = { monotonicMs: world.nowMs + 10, unixMs: unixStartMs + world.nowMs + 1_000_010 };
    world.at = () => at;
    sayBlock(world, alpha, second);
    assert.ok(has(alpha, second));
  });
});

describe('chain time (§11.2)', () => {
  test('a block dated further ahead than clocks may differ is held until it is not', () => {
    const { world, alpha, genesis } = watcher();
    const block = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs + LIMITS.clockSkewMaxMs + 500 });
    sayBlock(world, alpha, block);
    assert.ok(!has(alpha, block));
    world.run(499);
    assert.ok(!has(alpha, block));
    world.run(1);
    assert.ok(has(alpha, block));
  });
});

describe('a block dated ahead, which half of the voters have taken', () => {
  const aheadMs = LIMITS.clockSkewMaxMs + 60_000;
  function backed(): { world: World; alpha: Actor; block: Made; genesis: Made } {
    const { world, alpha, genesis } = watcher();
    for (const name of ['bravo', 'charlie', 'delta']) say(world, alpha, name, 'voucher', voucherOf(world, name));
    const block = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs + aheadMs });
    sayBlock(world, alpha, block);
    const about = { number: 1, previous: genesis.position.id };
    const prevote = (name: string): Uint8Array => ballotOf(world, name, about, { round: 0, step: 'prevote', value: block.position.id });
    for (const name of ['bravo', 'charlie']) say(world, alpha, name, 'ballot', prevote(name));
    return { world, alpha, block, genesis };
  }

  test('is held all the same: a liar and one wrong clock of four do not move chain time (§11.2)', () => {
    const { world, alpha, block } = backed();
    assert.ok(!has(alpha, block));
    world.run(aheadMs - LIMITS.clockSkewMaxMs);
    assert.ok(has(alpha, block));
  });

  test('is taken with its certificate (§12.4)', () => {
    const { world, alpha, block, genesis } = backed();
    const about = { number: 1, previous: genesis.position.id };
    const certificate = certificateOf(world, ['bravo', 'charlie', 'delta'], about, block.position);
    alpha.state.finality.pending.set(1, { certificate, from: 'test', judged: false });
    world.tell(alpha, { type: 'ticked' });
    assert.ok(has(alpha, block));
    assert.equal(alpha.state.finality.last.number, 1);
  });
});

describe('unsound blocks', () => {
  test('a certificate short of the wait is refused, once, and the block is not judged again (§12.3)', () => {
    const { world, alpha, genesis } = watcher();
    const early = forge(world, genesis, 'bravo', { shortMs: 1 });
    const kinds = kindsOf(sayBlock(world, alpha, early));
    assert.ok(kinds.includes('report blockRefused') && !kinds.some((kind) => kind.startsWith('broadcast')), 'the sender is told nothing');
    assert.equal(refusals(alpha).length, 1);
    sayBlock(world, alpha, early, 'charlie');
    assert.equal(refusals(alpha).length, 1);
  });

  test('what is no block is refused by its bytes (§11.1)', () => {
    const { world, alpha } = watcher();
    say(world, alpha, 'bravo', 'block', Uint8Array.of(1, 2, 3));
    assert.deepEqual(
      alpha.reports.map((news) => (news.report === 'messageRefused' ? news.reason : news.report)),
      ['not-cbor'],
    );
  });

  test('before the operator’s checkpoint is here, no block is taken (§13.7)', () => {
    const world = new World(names);
    world.tpmMs = Infinity;
    const genesis = genesisOf(world);
    const [good, bad] = [forge(world, genesis, 'bravo'), forge(world, genesis, 'charlie')];
    const alpha = world.start('alpha', { anchor: { number: 1, height: 1, block: good.position.id } });
    sayBlock(world, alpha, bad);
    sayBlock(world, alpha, good);
    assert.ok(!has(alpha, bad) && !has(alpha, good));
  });
});

describe('orphans (§14.2-14.3)', () => {
  test('a missing parent is asked for by its hash, of whoever sent the block, and then both are taken', () => {
    const { world, alpha, genesis } = watcher();
    const [first, second] = forgeChain(world, genesis, 2) as [Made, Made];
    world.run(10_000);
    const kinds = kindsOf(sayBlock(world, alpha, second, 'charlie'));
    assert.ok(kinds.includes('broadcast request'));
    sayBlock(world, alpha, first, 'delta');
    assert.equal(heightOf(alpha), 2);
    assert.equal(alpha.state.arrivals.orphans.size, 0);
    assert.equal(alpha.state.arrivals.orphanBytes, 0);
  });

  test('of one peer 64 are kept: a flood of blocks without parents takes no memory', () => {
    const { world, alpha, genesis } = watcher();
    const first = forge(world, genesis, 'bravo');
    const good = forge(world, first, 'bravo');
    sayBlock(world, alpha, good, 'delta');
    for (let index = 0; index < 200; index += 1) {
      const stray = { ...first, position: { ...first.position, id: new Uint8Array(32).fill(index) } };
      sayBlock(world, alpha, forge(world, stray, 'charlie', { timeMs: 1e15 }), 'charlie');
    }
    const { orphans, orphanBytes, childrenOf } = alpha.state.arrivals;
    assert.equal(orphans.size, 1 + CONSENSUS_LIMITS.orphansPerPeerMax);
    assert.equal(
      orphanBytes,
      [...orphans.values()].reduce((sum, { block }) => sum + block.encoded.length, 0),
    );
    assert.equal(childrenOf.size, orphans.size);
    assert.ok(alpha.state.sync.wants.size <= CONSENSUS_LIMITS.wantsMax);
    sayBlock(world, alpha, first, 'delta');
    assert.equal(heightOf(alpha), 2, 'another peer’s orphan was not pushed out');
  });
});

test('an equivocator’s blocks of one height are taken up to a few, and reported as proof (§12.6)', () => {
  const { world, alpha, genesis } = watcher();
  const at = unixStartMs + world.nowMs;
  const twins = Array.from({ length: 9 }, (_, index) => forge(world, genesis, 'bravo', { timeMs: at - index }));
  for (const twin of twins) sayBlock(world, alpha, twin, 'charlie');
  assert.equal(alpha.state.tree.blocks.size, 1 + CONSENSUS_LIMITS.rivalBlocksMax);
  assert.equal(alpha.reports.filter(({ report }) => report === 'equivocation').length, 1, 'once');
  assert.equal(alpha.state.pool.transactions.size, 1, 'the proof waits for a block');
  const [third, ...rest] = twins.slice(CONSENSUS_LIMITS.rivalBlocksMax) as [Made, ...Made[]];
  const child = forge(world, third, 'delta', { timeMs: at + 10_000 });
  sayBlock(world, alpha, child, 'delta');
  world.run(10_000);
  sayBlock(world, alpha, third, 'delta');
  assert.ok(has(alpha, third), 'one that another member rests on is taken');
  assert.ok(rest.every((twin) => !has(alpha, twin)));
});

test('of an equivocator’s blocks each other peer that announces one has one more taken; its own word has none (§14.3)', () => {
  const { world, alpha, genesis } = watcher();
  const at = unixStartMs + world.nowMs;
  const twins = Array.from({ length: 12 }, (_, index) => forge(world, genesis, 'bravo', { timeMs: at - index }));
  const [unasked, spokenOf] = [twins.slice(0, CONSENSUS_LIMITS.rivalBlocksMax), twins.slice(CONSENSUS_LIMITS.rivalBlocksMax)];
  for (const twin of unasked) sayBlock(world, alpha, twin, 'charlie');
  const checkpoint = { number: 0, block: genesis.position.id, height: 0 };
  const announced = (twin: Made, from: string): boolean => {
    const head = { id: twin.position.id, height: 1 };
    say(world, alpha, from, 'head', encodeStrict(HeadAnnouncement, { checkpoint, head }));
    sayBlock(world, alpha, twin, from);
    return has(alpha, twin);
  };
  assert.deepEqual(
    spokenOf.slice(0, 4).map((twin) => announced(twin, 'bravo')),
    [false, false, false, false],
  );
  assert.deepEqual(
    spokenOf.slice(4, 6).map((twin) => announced(twin, 'charlie')),
    [true, false],
  );
  assert.deepEqual(
    spokenOf.slice(6, 8).map((twin) => announced(twin, 'delta')),
    [true, false],
  );
});

test('a head that is one too many is asked for once in a while, not all the time (§14.3)', () => {
  const { world, alpha, genesis } = watcher();
  const at = unixStartMs + world.nowMs;
  const twins = Array.from({ length: 5 }, (_, index) => forge(world, genesis, 'bravo', { timeMs: at - index }));
  for (const twin of twins.slice(0, 4)) sayBlock(world, alpha, twin, 'charlie');
  const surplus = twins[4] as (typeof twins)[0];
  const checkpoint = { number: 0, block: genesis.position.id, height: 0 };
  const head = { id: surplus.position.id, height: 1 };
  const asked = (): number => kindsOf(alpha.effects).filter((kind) => kind === 'broadcast request').length;
  const before = asked();
  say(world, alpha, 'bravo', 'head', encodeStrict(HeadAnnouncement, { checkpoint, head }));
  for (let answer = 0; answer < 20; answer += 1)
    say(world, alpha, 'bravo', 'response', encodeStrict(ChainResponse, { response: 'blocks', blocks: [surplus.block.encoded] }));
  assert.equal(asked() - before, 1);
  assert.ok(!has(alpha, surplus));
});

test('of the blocks that are not due, each peer keeps a share, and the latest go (§14.3)', () => {
  const { world, alpha, genesis } = watcher();
  const at = unixStartMs + world.nowMs + LIMITS.clockSkewMaxMs;
  for (let index = 0; index < 100; index += 1) sayBlock(world, alpha, forge(world, genesis, 'bravo', { timeMs: at + 1_000 + index }));
  assert.equal(alpha.state.arrivals.held.size, CONSENSUS_LIMITS.heldPerPeerMax);
  const dates = [...alpha.state.arrivals.held.values()].map(({ block }) => block.header.timeMs - at - 1_000);
  assert.equal(Math.max(...dates), CONSENSUS_LIMITS.heldPerPeerMax - 1);
});
