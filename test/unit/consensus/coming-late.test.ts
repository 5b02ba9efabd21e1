/** Members that come late (§13.7): from their operator's checkpoint, among liars, after cuts; or away for too long. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChainRequest, ChainResponse } from '#protocol/chain/gossip-messages.ts';
import { encodeState } from '#protocol/chain/state-encoding.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { ConsensusEffect } from '../../../device/consensus/events.ts';
import { CONSENSUS_LIMITS } from '../../../device/limits.ts';
import { finalisedOf, type Anchor } from '../../../device/consensus/machine.ts';
import { checkpointOf, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta'];

interface Grown {
  readonly world: World;
  readonly others: readonly Actor[];
  /** The last checkpoint of bravo. */
  readonly anchor: Anchor;
}

/** Three of four go on to a checkpoint, with the states of every eighth one kept; alpha was never there. */
function grownWithoutAlpha(checkpoints: number, keepsStates: boolean): Grown {
  const world = new World(names);
  const others = names.slice(1).map((name) => world.start(name));
  const seen = new Map<Actor, number>();
  const isThere = (): boolean => {
    for (const actor of others) if (keepsStates) keepState(actor, seen);
    return others.every((actor) => checkpointOf(actor) >= checkpoints);
  };
  assert.ok(world.runUntil(isThere, 600_000));
  return { world, others, anchor: anchorOf(others[0] as Actor) };
}

function keepState(actor: Actor, seen: Map<Actor, number>): void {
  const { number, position } = finalisedOf(actor.state);
  if (number % 8 !== 0 || seen.get(actor) === number) return;
  seen.set(actor, number);
  const { height, id: block, state } = position;
  actor.disk.states.set(hex(block), { record: 'state', height, block, state: encodeState(state) });
}

function anchorOf(actor: Actor): Anchor {
  const { number, position } = finalisedOf(actor.state);
  return { number, height: position.height, block: position.id };
}

/** As if their retention had passed. */
function prune(actors: readonly Actor[], below: number): void {
  for (const { disk } of actors) for (const [key, { block }] of disk.blocks) if (block.header.height < below) disk.blocks.delete(key);
}

function reach(world: World, actor: Actor, others: readonly Actor[]): void {
  for (const other of others) {
    world.tell(actor, { type: 'peerReached', peer: hex(other.member.node) });
    for (const effect of other.effects.filter((one) => one.effect === 'broadcast' && one.retain).slice(-2)) world.performOne(other, effect);
  }
}

const reported = (actor: Actor, name: string): number => actor.reports.filter(({ report }) => report === name).length;

function stateRequests(effects: readonly ConsensusEffect[]): number {
  return effects.filter((effect) => {
    const decoded = effect.effect === 'broadcast' && effect.kind === 'request' && decodeStrict(ChainRequest, effect.payload, 1_000);
    return decoded && decoded.status === 'decoded' && decoded.value.want.want === 'state' && decoded.value.want.offset === 0;
  }).length;
}

describe("a member with its operator's checkpoint", () => {
  for (const [chain, keepsStates, heights] of [
    ['a state below it, in a network that has pruned', true, 36],
    ['the genesis, where nobody has stored a state', false, 0],
  ] as const) {
    test(`starts from ${chain}, and takes part (§13.7)`, () => {
      const { world, others, anchor } = grownWithoutAlpha(48, keepsStates);
      prune(others, Math.min(heights, anchor.height - 12));
      world.run(10_000);
      const alpha = world.start('alpha', { anchor });
      assert.ok(alpha.state.joining);
      reach(world, alpha, others);
      assert.ok(
        world.runUntil(() => reported(alpha, 'startedFromCheckpoint') === 1, 20_000),
        JSON.stringify(alpha.reports.slice(-3)),
      );
      const target = checkpointOf(others[0] as Actor) + 5;
      assert.ok(
        world.runUntil(() => checkpointOf(alpha) >= target, 60_000),
        `at ${checkpointOf(alpha)} of ${target}`,
      );
      const made = alpha.reports.some(({ report }) => report === 'blockMade');
      assert.ok(
        world.runUntil(() => made || alpha.reports.some(({ report }) => report === 'blockMade'), 60_000),
        'it leads blocks',
      );
      const voted = (): boolean =>
        others.some(({ state }) => state.finality.last.certificate?.votes.some(({ node }) => hex(node) === alpha.state.self));
      assert.ok(world.runUntil(voted, 60_000), 'its votes count');
      world.kill(alpha);
      const before = checkpointOf(alpha);
      world.boot(alpha);
      assert.equal(alpha.state.joining, undefined);
      assert.equal(checkpointOf(alpha), before, 'it stands there after a restart, without the checkpoint in its configuration');
    });
  }

  test('is not kept from it by peers that lie, are silent or have nothing: each costs one transfer (§14.2)', () => {
    const { world, others, anchor } = grownWithoutAlpha(20, true);
    const [bravo, charlie] = others as [Actor, Actor];
    const lies: ((answer: ChainResponse) => ChainResponse | undefined)[] = [
      (answer) =>
        answer.response === 'state' ? { ...answer, piece: answer.piece.map((byte, at) => (at === 900 ? byte ^ 1 : byte)) } : answer,
      (answer) => (answer.response === 'state' ? { ...answer, block: new Uint8Array(32).fill(1) } : answer),
      (answer) => (answer.response === 'state' ? { ...answer, total: LIMITS.stateBytesMax } : answer),
      (answer) => (answer.response === 'state' ? { ...answer, offset: 1 } : answer),
      (answer) => (answer.response === 'blocks' ? { ...answer, blocks: answer.blocks.toReversed() } : answer),
      (answer) => (answer.response === 'blocks' ? { ...answer, blocks: [] } : answer),
      () => undefined,
      () => ({ response: 'nothing', what: 'state' }),
    ];
    for (const [index, lie] of lies.entries()) {
      const alpha = world.start(`alpha`, { anchor });
      world.performOne = (actor, effect) => {
        const isLie = effect.effect === 'send' && (actor === bravo || actor === charlie);
        const answer = isLie && decodeStrict(ChainResponse, effect.payload, LIMITS.packetBytesMax);
        const changed = answer && answer.status === 'decoded' ? lie(answer.value) : undefined;
        if (!isLie) World.prototype.performOne.call(world, actor, effect);
        else if (changed) World.prototype.performOne.call(world, actor, { ...effect, payload: encodeStrict(ChainResponse, changed) });
      };
      reach(world, alpha, others);
      assert.ok(
        world.runUntil(() => reported(alpha, 'startedFromCheckpoint') === 1, 60_000),
        `lie ${index}`,
      );
      assert.ok(stateRequests(alpha.effects) <= 9, `lie ${index}: ${stateRequests(alpha.effects)} transfers`);
      world.kill(alpha);
      world.actors.splice(world.actors.indexOf(alpha), 1);
    }
  });

  test('that is cut off on the way begins anew, and has stored nothing half (§13.7)', () => {
    const { world, others, anchor } = grownWithoutAlpha(20, true);
    const alpha = world.start('alpha', { anchor });
    for (let answers = 0; answers < 3; answers += 1) {
      reach(world, alpha, others);
      world.runUntil(() => (alpha.state.joining?.path.length ?? 1) > 0, 10_000);
      if (!alpha.state.joining) break;
      assert.equal(alpha.disk.blocks.size + alpha.disk.states.size, 0);
      world.kill(alpha);
      world.boot(alpha, { anchor });
      assert.equal(alpha.state.joining.path.length, 0);
    }
    reach(world, alpha, others);
    assert.ok(world.runUntil(() => checkpointOf(alpha) >= anchor.number, 60_000));
  });

  test('and a kept chain that contradicts it takes no part, and says so (§13.7)', () => {
    const { world, others, anchor } = grownWithoutAlpha(6, false);
    const [bravo] = others as [Actor];
    world.kill(bravo);
    const before = bravo.disk.persists;
    world.boot(bravo, { anchor: { ...anchor, block: new Uint8Array(32).fill(7) } });
    assert.equal(reported(bravo, 'anchorContradicted'), 1);
    world.run(10_000);
    assert.equal(bravo.disk.persists, before);
    world.kill(bravo);
    world.boot(bravo, { anchor });
    assert.equal(reported(bravo, 'anchorContradicted'), 1, 'the right one changes nothing');
    assert.equal(bravo.state.joining, undefined);
  });

  for (const [what, wrong] of [
    ['height', { height: 1 }],
    ['number', { number: -3 }],
  ] as const) {
    test(`whose ${what} is wrong takes no part, and says so (§13.7)`, () => {
      const { world, others, anchor } = grownWithoutAlpha(12, true);
      const { number = 0, height = 0 } = wrong as { number?: number; height?: number };
      const alpha = world.start('alpha', { anchor: { ...anchor, number: anchor.number + number, height: anchor.height + height } });
      reach(world, alpha, others);
      assert.ok(
        world.runUntil(() => reported(alpha, 'anchorContradicted') === 1, 60_000),
        JSON.stringify(alpha.reports.slice(-4)),
      );
      assert.equal(alpha.disk.persists, 0);
    });
  }
});

/** Bravo has a chain, and the others have gone on to checkpoint 10 without it. */
function grownWithoutBravo() {
  const { world, others } = grownWithoutAlpha(4, false);
  const [bravo, ...rest] = others as [Actor, ...Actor[]];
  world.kill(bravo);
  const alpha = world.start('alpha');
  reach(world, alpha, rest);
  assert.ok(world.runUntil(() => rest.every((actor) => checkpointOf(actor) >= 10), 600_000));
  return { world, bravo, rest, alpha };
}

describe('a checkpoint of layer 1', () => {
  test('is where a member without a chain begins (§13.7)', () => {
    const { world, others, anchor } = grownWithoutAlpha(12, true);
    const alpha = world.start('alpha', { anchor: { ...anchor, from: 'layer-1' } });
    reach(world, alpha, others);
    assert.ok(world.runUntil(() => reported(alpha, 'startedFromCheckpoint') === 1, 60_000));
    assert.equal(checkpointOf(alpha) >= anchor.number, true);
  });

  test('is met on the way by a member that has a chain: it asks for no state (§13.7)', () => {
    const { world, bravo, rest, alpha } = grownWithoutBravo();
    const anchor = anchorOf(rest[0] as Actor);
    world.boot(bravo, { anchor: { ...anchor, from: 'layer-1' } });
    assert.equal(bravo.state.joining, undefined);
    reach(world, bravo, [alpha, ...rest]);
    assert.ok(world.runUntil(() => checkpointOf(bravo) >= anchor.number, 60_000));
    assert.deepEqual([reported(bravo, 'startedFromCheckpoint'), reported(bravo, 'anchorContradicted')], [0, 0]);
  });

  test('that the chain contradicts when it comes there ends the member’s part, and is told (§13.7)', () => {
    const { world, bravo, rest, alpha } = grownWithoutBravo();
    const anchor = { ...anchorOf(rest[0] as Actor), block: new Uint8Array(32).fill(7), from: 'layer-1' as const };
    world.boot(bravo, { anchor });
    reach(world, bravo, [alpha, ...rest]);
    assert.ok(world.runUntil(() => reported(bravo, 'anchorContradicted') === 1, 60_000));
    assert.match(String(bravo.state.anchorFault), /says layer 1, is 0707/);
    const before = bravo.disk.persists;
    world.run(10_000);
    assert.equal(bravo.disk.persists, before);
  });

  test('that one chain of it alone holds, and the own chain contradicts, is told and decides nothing (§13.7)', () => {
    const { world, bravo, rest, alpha } = grownWithoutBravo();
    const anchor = { ...anchorOf(rest[0] as Actor), block: new Uint8Array(32).fill(7), from: 'one-chain' as const };
    world.boot(bravo, { anchor });
    reach(world, bravo, [alpha, ...rest]);
    assert.ok(
      world.runUntil(() => checkpointOf(bravo) > anchor.number, 60_000),
      'it goes on past the checkpoint',
    );
    world.kill(bravo);
    world.boot(bravo, { anchor });
    assert.deepEqual([reported(bravo, 'anchorDoubted'), reported(bravo, 'anchorContradicted'), bravo.state.anchorFault], [2, 0, undefined]);
  });

  test('is begun from by a member whose chain is older than the trust window (§13.7)', () => {
    const { world, others } = grownWithoutAlpha(4, true);
    const [bravo] = others as [Actor];
    world.kill(bravo);
    const anchor = { ...anchorOf(others[1] as Actor), number: 1_000, height: 100_000, from: 'layer-1' as const };
    world.boot(bravo, { anchor });
    assert.equal(bravo.state.joining, undefined);
    for (const actor of others) world.kill(actor);
    world.run(CONSENSUS_LIMITS.trustWindowMs);
    world.boot(bravo, { anchor });
    assert.ok(bravo.state.joining);
  });
});

test('a member that was away for longer than its peers keep blocks says so once, and asks seldom (§13.7)', () => {
  const { world, others } = grownWithoutAlpha(90, true);
  prune(others, 40);
  const alpha = world.start('alpha');
  reach(world, alpha, others);
  assert.ok(world.runUntil(() => reported(alpha, 'awayTooLong') === 1, 30_000));
  const asked = (): number => alpha.effects.filter((effect) => effect.effect === 'broadcast' && effect.kind === 'request').length;
  const before = asked();
  world.run(120_000);
  assert.equal(reported(alpha, 'awayTooLong'), 1);
  assert.ok(asked() - before <= 3, `${asked() - before} requests in two minutes`);
  const anchor = anchorOf(others[0] as Actor);
  world.kill(alpha);
  world.boot(alpha, { anchor });
  reach(world, alpha, others);
  assert.ok(
    world.runUntil(() => checkpointOf(alpha) > anchor.number, 60_000),
    'with a checkpoint it goes on',
  );
});
