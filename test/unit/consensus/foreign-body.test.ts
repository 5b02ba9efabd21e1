/** A block's id commits to its transactions by their root alone (§11.1): a list that is not of that root is nobody's block. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBlock } from '#protocol/chain/block.ts';
import { hex } from '#protocol/digest.ts';
import { byWait, forge, genesisOf, say, sayBlock, voucherOf } from './forge.ts';
import { unixStartMs, World } from './world.ts';

test('a good block with other transactions is dropped, and does not keep the good one from being taken (§11.1, §14.3)', () => {
  const world = new World(['alpha', 'bravo', 'charlie', 'delta']);
  world.tpmMs = Infinity;
  const alpha = world.start('alpha');
  const genesis = genesisOf(world);
  const leader = byWait(world, genesis)[0] ?? '';
  const good = forge(world, genesis, leader, { timeMs: unixStartMs + world.nowMs });
  const { headerBytes, end } = good.block;
  const foreign = encodeBlock({ header: headerBytes, end, transactions: [voucherOf(world, 'charlie')] });
  say(world, alpha, 'delta', 'block', foreign);
  const refused = alpha.reports.flatMap((news) => (news.report === 'messageRefused' ? [news.reason] : []));
  assert.deepEqual(refused, ['transactions-differ']);
  sayBlock(world, alpha, good);
  assert.ok(alpha.state.tree.blocks.has(hex(good.position.id)));
});
