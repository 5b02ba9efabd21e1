/** A long time without finality (§14.4): what is far below the newest block is not held, and is made again where it is needed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChainRequest, ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS } from '../../../device/limits.ts';
import { isThin } from '../../../device/consensus/thinning.ts';
import { certificateOf, forge, forgeChain, genesisOf, say, sayBlock, voucherOf, type Made } from './forge.ts';
import { checkpointOf, decoded, heightOf, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta'];
const others = ['bravo', 'charlie', 'delta'];

type Block = Made & { readonly block: NonNullable<Made['block']> };

function long(): { world: World; alpha: Actor; chain: readonly Block[] } {
  const world = new World(names);
  world.tpmMs = Infinity;
  const alpha = world.start('alpha');
  for (const name of others) say(world, alpha, name, 'voucher', voucherOf(world, name));
  const chain = forgeChain(world, genesisOf(world), CONSENSUS_LIMITS.wholeHeights + 80);
  for (const block of chain) {
    world.nowMs += block.waitMs;
    sayBlock(world, alpha, block);
  }
  assert.equal(heightOf(alpha), chain.length);
  return { world, alpha, chain };
}

describe('far below the newest block', () => {
  test('only every sixteenth state is held, and any other is made again as it was (§14.4)', () => {
    const { alpha, chain } = long();
    const taken = [...alpha.state.tree.blocks.values()];
    assert.equal(taken.filter(isThin).length, 75);
    assert.equal(alpha.state.tree.whole.size, CONSENSUS_LIMITS.wholeHeights + 1);
    for (const height of [3, 15, 16, 31, 77]) {
      const block = taken.find(({ position }) => position.height === height);
      assert.ok(block?.block);
      assert.deepEqual(stateRoot(block.position.state), chain[height - 1]?.block.header.state);
      assert.deepEqual(block.block.encoded, chain[height - 1]?.block.encoded);
    }
    assert.ok(alpha.state.tree.remade.size <= CONSENSUS_LIMITS.remadeStatesMax);
  });

  test('checkpoints are certified one after the other, and a peer is given blocks (§13.1, §14.2)', () => {
    const { world, alpha, chain } = long();
    const genesis = genesisOf(world).position.id;
    const [first, second] = [chain[62] as Block, chain[75] as Block];
    const certificates = [
      certificateOf(world, others, { number: 1, previous: genesis }, first.position),
      certificateOf(world, others, { number: 2, previous: first.position.id }, second.position),
    ];
    const checkpoint = { number: 2, block: second.position.id, height: second.position.height };
    const head = { id: (chain.at(-1) as Block).position.id, height: chain.length };
    say(world, alpha, 'bravo', 'head', encodeStrict(HeadAnnouncement, { checkpoint, head }));
    world.run(2_000);
    world.tell(alpha, { type: 'ticked' });
    say(world, alpha, 'bravo', 'response', encodeStrict(ChainResponse, { response: 'certificates', certificates }));
    assert.equal(checkpointOf(alpha), 2);
    const { root, byLeader, whole } = alpha.state.tree;
    assert.ok(!isThin(root), 'the state of the last checkpoint is held');
    assert.deepEqual(stateRoot(root.position.state), second.block.header.state);
    assert.equal([...byLeader.values()].flat().length, chain.length - 76 + 1, 'what is final is forgotten');
    assert.ok(!whole.has(root.key));
    const want = { want: 'range', fromHeight: 77 } as const;
    const [answer] = say(world, alpha, 'charlie', 'request', encodeStrict(ChainRequest, { to: alpha.member.node, want }));
    assert.ok(answer?.effect === 'send' && answer.payload.length > 10_000);
  });

  test('a branch from there is not judged unasked, and is when a head stands on it (§14.3)', () => {
    const { world, alpha, chain } = long();
    const rival = forge(world, chain[40] as Block, 'charlie', { timeMs: (chain[50] as Block).position.timeMs });
    assert.notEqual(hex(rival.position.id), hex((chain[41] as Block).position.id));
    sayBlock(world, alpha, rival);
    assert.ok(!alpha.state.tree.blocks.has(hex(rival.position.id)));
    alpha.state.arrivals.asked.add(hex(rival.position.id));
    sayBlock(world, alpha, { ...rival, block: decoded(rival.block.encoded) });
    assert.ok(alpha.state.tree.blocks.has(hex(rival.position.id)));
  });
});
