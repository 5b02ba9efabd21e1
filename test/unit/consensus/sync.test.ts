/** Catching up (§13.7, §14.2-14.3): what is asked, of whom, what is answered, and what a lying peer costs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChainRequest, ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { ConsensusEffect } from '../../../device/consensus/events.ts';
import { forge, forgeChain, genesisOf, kindsOf, memberOf, say, sayBlock, type Made } from './forge.ts';
import { checkpointOf, heightOf, unixStartMs, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta'];

function quiet(awayMs = 0): { world: World; alpha: Actor; genesis: Made } {
  const world = new World(names);
  world.tpmMs = Infinity;
  world.nowMs += awayMs;
  return { world, alpha: world.start('alpha'), genesis: genesisOf(world) };
}

const requestsIn = (effects: readonly ConsensusEffect[]): ChainRequest[] =>
  effects.flatMap((effect) => {
    const decoded =
      effect.effect === 'broadcast' && effect.kind === 'request' ? decodeStrict(ChainRequest, effect.payload, 1_000) : undefined;
    return decoded?.status === 'decoded' ? [decoded.value] : [];
  });

function answersIn(effects: readonly ConsensusEffect[]): ChainResponse[] {
  return effects.flatMap((effect) => {
    const decoded = effect.effect === 'send' ? decodeStrict(ChainResponse, effect.payload, LIMITS.packetBytesMax) : undefined;
    return decoded?.status === 'decoded' ? [decoded.value] : [];
  });
}

function announce(world: World, to: Actor, from: string, head: { id: Uint8Array; height: number }, number = 0): ConsensusEffect[] {
  const block = genesisOf(world).position.id;
  return say(world, to, from, 'head', encodeStrict(HeadAnnouncement, { checkpoint: { number, block, height: 0 }, head }));
}

function ask(world: World, of: Actor, from: string, want: ChainRequest['want']): ConsensusEffect[] {
  return say(world, of, from, 'request', encodeStrict(ChainRequest, { to: of.member.node, want }));
}

const nameOf = (world: World, node: Uint8Array): string => world.members.find((member) => hex(member.node) === hex(node))?.name ?? '';

describe('asking', () => {
  test('a head that is not known is asked for, with what is below it; the next peer is asked after 5 s (§14.2)', () => {
    const { world, alpha, genesis } = quiet();
    for (const name of ['delta', 'charlie']) world.tell(alpha, { type: 'peerReached', peer: hex(memberOf(world, name).node) });
    const chain = forgeChain(world, genesis, 5);
    const head = chain.at(-1)?.position ?? assert.fail();
    const [request] = requestsIn(announce(world, alpha, 'bravo', head));
    assert.ok(request?.want.want === 'block' && request.want.above === 0);
    assert.equal(nameOf(world, request.to), 'bravo');
    alpha.effects.length = 0;
    world.run(4_999);
    assert.deepEqual(requestsIn(alpha.effects), []);
    world.run(1);
    const [second] = requestsIn(alpha.effects);
    assert.ok(second && nameOf(world, second.to) !== 'bravo');
    const blocks = chain.map(({ block }) => block.encoded);
    say(world, alpha, 'bravo', 'response', encodeStrict(ChainResponse, { response: 'blocks', blocks }));
    assert.equal(heightOf(alpha), 0, 'an answer that comes too late is not read');
    say(world, alpha, nameOf(world, second.to), 'response', encodeStrict(ChainResponse, { response: 'blocks', blocks }));
    assert.equal(heightOf(alpha), 5);
  });

  test('a peer is asked one thing at a time (§14.2)', () => {
    const { world, alpha, genesis } = quiet();
    const [left, right] = [forgeChain(world, genesis, 2)[1], forge(world, forge(world, genesis, 'delta'), 'delta')];
    assert.ok(left);
    announce(world, alpha, 'bravo', left.position);
    announce(world, alpha, 'bravo', right.position);
    assert.equal(requestsIn(alpha.effects).length, 1);
  });

  test('a far head is approached upwards, a range after a range, from the last checkpoint (§14.2)', () => {
    const { world, alpha, genesis } = quiet(1_000_000);
    const first = forge(world, genesis, 'bravo', { timeMs: unixStartMs });
    const chain = [first, ...forgeChain(world, first, 149)];
    const head = chain.at(-1)?.position ?? assert.fail();
    let [request] = requestsIn(announce(world, alpha, 'bravo', head));
    const from: number[] = [];
    while (request?.want.want === 'range') {
      const { fromHeight } = request.want;
      from.push(fromHeight);
      const blocks = chain.slice(fromHeight - 1, fromHeight + 63).map(({ block }) => block.encoded);
      [request] = requestsIn(say(world, alpha, 'bravo', 'response', encodeStrict(ChainResponse, { response: 'blocks', blocks })));
    }
    assert.deepEqual(from, [1, 65, 129]);
    assert.equal(heightOf(alpha), 150);
    assert.equal(alpha.state.sync.wants.size, 0);
  });
});

describe('answering', () => {
  test('a block with its ancestors lowest first, a range, certificates; and nothing where there is nothing', () => {
    const { world, alpha, genesis } = quiet();
    const chain = forgeChain(world, genesis, 6);
    for (const block of chain) sayBlock(world, alpha, block);
    const encoded = chain.map(({ block }) => block.encoded);
    const id = chain[4]?.position.id ?? assert.fail();
    assert.deepEqual(answersIn(ask(world, alpha, 'bravo', { want: 'block', id, ancestors: 2, above: 0 })), [
      { response: 'blocks', blocks: encoded.slice(2, 5) },
    ]);
    assert.deepEqual(answersIn(ask(world, alpha, 'bravo', { want: 'block', id, ancestors: 60, above: 3 })), [
      { response: 'blocks', blocks: encoded.slice(3, 5) },
    ]);
    assert.deepEqual(answersIn(ask(world, alpha, 'bravo', { want: 'range', fromHeight: 2 })), [
      { response: 'blocks', blocks: encoded.slice(1) },
    ]);
    assert.deepEqual(answersIn(ask(world, alpha, 'bravo', { want: 'range', fromHeight: 7 })), [{ response: 'nothing', what: 'range' }]);
    assert.deepEqual(answersIn(ask(world, alpha, 'bravo', { want: 'certificates', fromNumber: 1 })), [
      { response: 'nothing', what: 'certificates' },
    ]);
    const unknown = new Uint8Array(32);
    assert.deepEqual(answersIn(ask(world, alpha, 'bravo', { want: 'state', block: unknown, offset: 0 })), [
      { response: 'nothing', what: 'state' },
    ]);
    const request = encodeStrict(ChainRequest, { to: memberOf(world, 'delta').node, want: { want: 'range', fromHeight: 1 } });
    assert.deepEqual(answersIn(say(world, alpha, 'bravo', 'request', request)), [], 'who is not asked does not answer');
  });

  test('a peer gets 1 MiB of answers a second, and another peer its own (§14.3)', () => {
    const { world, alpha, genesis } = quiet();
    for (const block of forgeChain(world, genesis, 64)) sayBlock(world, alpha, block);
    const bytes = (from: string, asks: number): number => {
      let sum = 0;
      for (let index = 0; index < asks; index += 1) {
        for (const effect of ask(world, alpha, from, { want: 'range', fromHeight: 1 }))
          if (effect.effect === 'send') sum += effect.payload.length;
      }
      return sum;
    };
    const first = bytes('bravo', 60);
    assert.ok(first > 900_000 && first < 1_048_576 + LIMITS.packetBytesMax, `${first} bytes`);
    assert.equal(bytes('bravo', 10), 0);
    assert.ok(bytes('charlie', 1) > 0);
    world.run(500);
    const later = bytes('bravo', 60);
    assert.ok(later > 400_000 && later < 600_000 + LIMITS.packetBytesMax, `${later} bytes`);
  });
});

describe('a lying peer', () => {
  test('that announces what it does not have is asked for it once in 5 s', () => {
    const { world, alpha } = quiet();
    announce(world, alpha, 'bravo', { id: new Uint8Array(32).fill(9), height: 1_000_000 }, 1_000_000);
    for (let second = 0; second < 60; second += 1) {
      const nothing = encodeStrict(ChainResponse, { response: 'nothing', what: 'range' });
      say(world, alpha, 'bravo', 'response', nothing);
      world.run(1_000);
    }
    assert.ok(requestsIn(alpha.effects).length <= 24, `${requestsIn(alpha.effects).length} requests in a minute`);
  });

  test('that answers with blocks that are not good, or others than those asked for, is not asked again at once', () => {
    const { world, alpha, genesis } = quiet();
    const head = { id: new Uint8Array(32).fill(9), height: 100 };
    announce(world, alpha, 'bravo', head);
    for (let second = 0; second < 60; second += 1) {
      const bad = forge(world, genesis, 'bravo', { timeMs: unixStartMs + second, shortMs: 1 });
      const stray = forge(world, { ...bad, position: { ...bad.position, id: new Uint8Array(32).fill(second), height: 50 } }, 'bravo');
      const { block } = second % 2 === 0 ? bad : stray;
      say(world, alpha, 'bravo', 'response', encodeStrict(ChainResponse, { response: 'blocks', blocks: [block.encoded] }));
      world.run(1_000);
    }
    assert.ok(requestsIn(alpha.effects).length <= 36, `${requestsIn(alpha.effects).length} requests in a minute`);
    assert.ok(alpha.state.arrivals.orphans.size <= 64);
  });

  test('does not keep a member from the truth that others tell', () => {
    const world = new World(names);
    const all = world.startAll();
    const [alpha, bravo, ...others] = all as [Actor, Actor, ...Actor[]];
    world.kill(alpha);
    world.runUntil(() => others.every((actor) => checkpointOf(actor) >= 70), 300_000);
    const liar = bravo;
    world.passes = (from, to, effect) => from !== liar || to !== alpha || effect.effect === 'report';
    world.boot(alpha);
    world.tell(alpha, { type: 'peerReached', peer: hex(liar.member.node) });
    announce(world, alpha, 'bravo', { id: new Uint8Array(32).fill(7), height: 5_000 }, 5_000);
    assert.ok(
      world.runUntil(() => checkpointOf(alpha) >= 70, 30_000),
      `at ${checkpointOf(alpha)}`,
    );
  });
});

test('nothing that a peer says throws: bytes at random under every kind (§14.3)', () => {
  const { world, alpha, genesis } = quiet();
  const block = forge(world, genesis, 'bravo').block.encoded;
  const kinds = ['block', 'transaction', 'ballot', 'head', 'request', 'response', 'voucher'] as const;
  let seed = 1;
  const next = (below: number): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below;
  for (let round = 0; round < 700; round += 1) {
    const kind = kinds[round % kinds.length] ?? 'block';
    const bytes = block.slice(0, next(block.length));
    for (let flips = next(4); flips > 0; flips -= 1) bytes[next(bytes.length || 1)] = next(256);
    say(world, alpha, names[1 + next(3)] ?? '', kind, bytes);
  }
  world.tell(alpha, { type: 'received', from: 'not a node id', kind: 'block', payload: block });
  assert.ok(kindsOf(alpha.effects).every((kind) => !kind.startsWith('persist')));
});
