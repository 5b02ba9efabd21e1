/** This member's own wait (§12.2-12.3, §12.6): what the TPM is asked, what its answers change, and the one block of a height. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { areApart } from '#protocol/chain/wait-certificate.ts';
import { hex } from '#protocol/digest.ts';
import type { ConsensusEffect, TpmTask } from '../../../device/consensus/events.ts';
import type { OwnWait } from '../../../device/consensus/state.ts';
import { byWait, certificateOf, drawnWaitMs, forge, genesisOf, kindsOf, say, sayBlock, voucherOf, type Made } from './forge.ts';
import { heightOf, unixStartMs, World, type Actor } from './world.ts';

/** Alpha alone, whose TPM answers when the test says so. */
function alone(): { world: World; alpha: Actor; genesis: Made } {
  const world = new World(['alpha', 'bravo', 'charlie', 'delta']);
  world.tpmMs = Infinity;
  return { world, alpha: world.start('alpha'), genesis: genesisOf(world) };
}

const asked = (actor: Actor): TpmTask[] => actor.effects.flatMap((effect) => (effect.effect === 'ask' ? [effect.task] : []));
const lastAsked = (actor: Actor): TpmTask => asked(actor).at(-1) ?? assert.fail('the TPM was asked nothing');
const answer = (world: World, actor: Actor, task = lastAsked(actor)): ConsensusEffect[] => world.tell(actor, world.answer(actor, task));
const waitOf = (actor: Actor): OwnWait | undefined => actor.state.ownWait;
const made = (actor: Actor): number[] => actor.reports.flatMap((news) => (news.report === 'blockMade' ? [news.block.header.height] : []));

/** Voucher, start certificate, draw, the next draw. */
function waiting(): ReturnType<typeof alone> {
  const all = alone();
  for (let question = 0; question < 4; question += 1) answer(all.world, all.alpha);
  return all;
}

describe('a member alone', () => {
  test('asks for voucher, start, draw and the draw ahead, one at a time; then for the end; then stores its block before it speaks of it', () => {
    const { world, alpha, genesis } = alone();
    assert.deepEqual(kindsOf(alpha.effects), ['broadcast head, retained', 'ask make-voucher', 'wakeAt'].toSorted(byPlace));
    assert.deepEqual(kindsOf(answer(world, alpha)), ['broadcast voucher, retained', 'ask certify-start', 'wakeAt']);
    assert.deepEqual(kindsOf(answer(world, alpha)), ['ask prove-draw', 'wakeAt']);
    assert.deepEqual(kindsOf(answer(world, alpha)), ['ask prove-draw', 'wakeAt']);
    assert.deepEqual(kindsOf(answer(world, alpha)), ['wakeAt']);
    assert.equal(alpha.wakeAtMs, world.nowMs + drawnWaitMs(world, genesis, 'alpha'));
    world.runUntil(() => lastAsked(alpha).task === 'certify-end', 60_000);
    assert.deepEqual(kindsOf(answer(world, alpha)), [
      'persist block, votes',
      'broadcast block',
      'broadcast ballot',
      'broadcast head, retained',
      'ask certify-start',
      'report blockMade',
      'report headMoved',
      'wakeAt',
    ]);
    assert.equal(alpha.disk.ownHeight, 1);
  });

  test('waits by its own clock, and counts from the answer, not from the question (§12.3)', () => {
    const { world, alpha, genesis } = alone();
    answer(world, alpha);
    world.run(400);
    answer(world, alpha);
    const startedMs = world.nowMs;
    answer(world, alpha);
    answer(world, alpha);
    assert.equal(alpha.wakeAtMs, startedMs + drawnWaitMs(world, genesis, 'alpha'));
  });

  test('waits the rest when the TPM’s clock was slow, and certifies again', () => {
    const { world, alpha } = waiting();
    world.runUntil(() => lastAsked(alpha).task === 'certify-end', 60_000);
    const task = lastAsked(alpha);
    assert.ok(task.task === 'certify-end');
    const slow = alpha.member.getTime(task.qualifier, { timeMs: world.nowMs - 70, resetCount: 1, restartCount: 0 });
    assert.deepEqual(kindsOf(world.tell(alpha, { type: 'endCertified', header: task.header, certificate: slow })), ['wakeAt']);
    assert.equal(alpha.wakeAtMs, world.nowMs + 70);
    world.run(70);
    assert.notEqual(lastAsked(alpha), task);
    answer(world, alpha);
    assert.deepEqual(made(alpha), [1]);
  });
});

describe('answers of the TPM', () => {
  test('to a question about an older head are dropped; the next question is about the head', () => {
    const { world, alpha, genesis } = alone();
    answer(world, alpha);
    const stale = lastAsked(alpha);
    const block = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    assert.ok(!kindsOf(sayBlock(world, alpha, block)).some((kind) => kind.startsWith('ask')), 'one question at a time');
    answer(world, alpha, stale);
    const task = lastAsked(alpha);
    assert.ok(task.task === 'certify-start' && hex(task.parent) === hex(block.position.id));
    assert.equal(alpha.state.ownWait?.start, undefined);
    answer(world, alpha, stale);
    assert.equal(alpha.state.ownWait?.start, undefined, 'nor does it count later');
  });

  test('that it is busy are followed by a rest and the same question; a silence by the question again', () => {
    const { world, alpha } = alone();
    const first = lastAsked(alpha);
    world.tell(alpha, { type: 'tpmFailed', task: first });
    assert.equal(asked(alpha).length, 1);
    world.run(500);
    assert.equal(asked(alpha).length, 2);
    world.run(29_999);
    assert.equal(asked(alpha).length, 2);
    world.run(1);
    assert.deepEqual(asked(alpha), [first, first, first]);
  });

  test('with a proof that is wrong lead to no block, and the draw is proved again', () => {
    const { world, alpha } = alone();
    answer(world, alpha);
    answer(world, alpha);
    const task = lastAsked(alpha);
    assert.ok(task.task === 'prove-draw');
    const wrong = alpha.member.prove(task.alpha).with(200, 1);
    world.tell(alpha, { type: 'drawProved', alpha: task.alpha, proof: wrong });
    answer(world, alpha);
    world.runUntil(() => lastAsked(alpha).task === 'certify-end', 600_000);
    answer(world, alpha);
    assert.deepEqual(made(alpha), []);
    assert.ok(alpha.reports.some((news) => news.report === 'blockRefused' && news.reason === 'draw-wrong'));
    answer(world, alpha);
    assert.deepEqual(lastAsked(alpha), task);
  });

  test('that nobody asked for change nothing (§12.3)', () => {
    const { world, alpha } = waiting();
    const parent = new Uint8Array(32);
    const certificate = alpha.member.getTime(parent, { timeMs: 1, resetCount: 1, restartCount: 0 });
    assert.deepEqual(kindsOf(world.tell(alpha, { type: 'endCertified', header: parent, certificate })), ['wakeAt']);
    assert.deepEqual(kindsOf(world.tell(alpha, { type: 'startCertified', parent, certificate })), ['wakeAt']);
  });
});

describe('one block of a height (§12.6)', () => {
  test('a wait on another parent of a height that was used does not begin, also after a restart', () => {
    const { world, alpha, genesis } = waiting();
    world.runUntil(() => lastAsked(alpha).task === 'certify-end', 60_000);
    answer(world, alpha);
    assert.deepEqual(made(alpha), [1]);
    const rival = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    alpha.disk.blocks.clear();
    alpha.disk.votes = undefined;
    world.kill(alpha);
    world.boot(alpha);
    answer(world, alpha);
    assert.equal(waitOf(alpha), undefined, 'the block is lost; its height is used');
    sayBlock(world, alpha, rival);
    assert.equal(heightOf(alpha), 1);
    assert.equal(waitOf(alpha)?.height, 2);
  });

  test('a rival block with a longer wait, taken while the end is being certified, does not waste the wait (§12.7)', () => {
    const world = new World(['alpha', 'bravo', 'charlie', 'delta']);
    const genesis = genesisOf(world);
    const order = byWait(world, genesis);
    const longest = order.at(-1) ?? '';
    world.tpmMs = Infinity;
    const alpha = world.start(order[0] ?? '');
    for (let question = 0; question < 4; question += 1) answer(world, alpha);
    world.runUntil(() => lastAsked(alpha).task === 'certify-end', 60_000);
    const rival = forge(world, genesis, longest, { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, rival, longest);
    assert.equal(hex(alpha.state.head.position.id), hex(rival.position.id));
    answer(world, alpha);
    assert.deepEqual(made(alpha), [1]);
  });
});

test('who has no seat waits for nothing (§11.5)', () => {
  const world = new World(['alpha', 'bravo']);
  const stranger = new World(['stranger']).members[0] ?? assert.fail();
  const key = stranger.operationalKey('boot');
  world.tpmMs = Infinity;
  const actor = world.start('alpha', { node: stranger.node, operationalKey: key.publicKey });
  assert.deepEqual(
    asked(actor).map(({ task }) => task),
    ['make-voucher'],
  );
  assert.equal(actor.state.ownWait, undefined);
});

function byPlace(left: string, right: string): number {
  const place = (kind: string): number => ['persist', 'broadcast', 'send', 'ask', 'report', 'wakeAt'].indexOf(kind.split(' ')[0] ?? '');
  return place(left) - place(right);
}

describe('heights of own blocks that have lost (§12.6)', () => {
  /** Alpha has made the blocks of three heights when another branch becomes final at the first. */
  function outvoted(): { world: World; alpha: Actor; rival: Made } {
    const world = new World(['alpha', 'bravo', 'charlie', 'delta']);
    const [alpha, genesis] = [world.start('alpha'), genesisOf(world)];
    world.runUntil(() => made(alpha).length === 3, 3_600_000);
    for (const name of ['bravo', 'charlie', 'delta']) say(world, alpha, name, 'voucher', voucherOf(world, name));
    const rival = forge(world, genesis, 'bravo', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, rival);
    const about = { number: 1, previous: genesis.position.id };
    const certificate = certificateOf(world, ['bravo', 'charlie', 'delta'], about, rival.position);
    alpha.state.finality.pending.set(1, { certificate, from: 'test', judged: false });
    world.tell(alpha, { type: 'ticked' });
    assert.deepEqual(made(alpha), [1, 2, 3]);
    assert.equal(hex(alpha.state.head.position.id), hex(rival.position.id));
    return { world, alpha, rival };
  }

  test('are free: a lower branch that becomes final is continued', () => {
    const { world, alpha, rival } = outvoted();
    world.runUntil(() => made(alpha).length > 3, 3_600_000);
    const blocks = alpha.reports.flatMap((news) => (news.report === 'blockMade' ? [news.block] : []));
    const [, first, , second] = blocks;
    assert.ok(first && second);
    assert.deepEqual([second.header.height, hex(second.header.parent)], [first.header.height, hex(rival.position.id)]);
    assert.ok(areApart({ start: first.header.start, end: first.end }, { start: second.header.start, end: second.end }));
  });

  test('are so after a restart', () => {
    const { world, alpha } = outvoted();
    world.kill(alpha);
    world.boot(alpha);
    assert.equal(waitOf(alpha)?.height, 2);
  });
});
