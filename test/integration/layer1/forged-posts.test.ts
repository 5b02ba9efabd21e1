/** Attacks on the one thing that keeps a forged anchor from being final: that any device finds its votes and challenges one (§20.3, §20.9). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { concatBytes } from '@noble/hashes/utils.js';
import { encodeCall } from '#contracts/evm.ts';
import { abi } from '#contracts/generated/anchors.ts';
import { hex } from '#protocol/digest.ts';
import { packVote } from '#protocol/layer1/anchor-vote.ts';
import { anchorDigest, type AnchorHeader } from '#protocol/layer1/anchor.ts';
import { abiHeader, postCall } from '../../../device/layer1/anchors-contract.ts';
import type { Standing } from '../../../device/layer1/intention.ts';
import { LAYER1_LIMITS } from '../../../device/layer1/limits.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { stopBench, TURN_MS, worldFor, type World } from './anchors-world.ts';
import { chainFor, endpointsFor, folderFor, proxyFor, senderFor, settle, type Chain } from './chains.ts';

const skip = !hasAnvil() && 'anvil is not installed on machines like this one';
after(stopBench);

const windowS = 61;
/** Of the three first places, by nobody. */
const forged = { round: 0, voters: 0b111n, votes: new Uint8Array(3 * 105).fill(1) };

/** The header that the members come to for epoch 1. */
function honestHeader({ members, place }: World): AnchorHeader {
  const [own] = members;
  const shown = own?.anchors.leavesOf(place.chainId, 1, own.identity.node);
  if (!shown) throw new Error('the members have no anchor yet');
  return shown.header;
}

/** By a stranger with a bond. @returns how it ended */
async function post(t: TestContext, world: World, chain: Chain, data: Uint8Array): Promise<Standing | undefined> {
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url]), file: join(folderFor(t), 'liar'), secret: chain.key });
  await sender.intend({ name: 'post/1', to: world.place.anchors, data, value: '1000' });
  await settle(sender, chain, ['post/1']);
  return sender.standing('post/1');
}

/** Turns go by. @returns whether the anchor of the members stands there and is final when the window has passed */
async function isHonestInTheEnd(world: World): Promise<boolean> {
  const honest = hex(anchorDigest(world.place, honestHeader(world)));
  for (let looks = 0; looks < 12 && (await world.view()).anchor !== honest; looks += 1) {
    await world.look();
    world.wait(TURN_MS);
  }
  await world.pass(windowS);
  const { anchor, lastFinal } = await world.view();
  return anchor === honest && lastFinal === 1;
}

function told(world: World, event: string): string[] {
  return world.members.flatMap(({ lines }) => lines.filter((line) => line.startsWith(`${event} `)));
}

const word = (value: bigint): Uint8Array => Uint8Array.fromHex(BigInt.asUintN(256, value).toString(16).padStart(64, '0'));

test('votes in calldata that is not canonical are refused, and the anchor of the members is final (§20.3)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const world = await worldFor(t, chain);
  await world.certify(8);
  const lie = { ...honestHeader(world), membersRoot: new Uint8Array(32) };
  const call = postCall(lie, forged);
  const bytes = concatBytes(word(315n), forged.votes, new Uint8Array(5));
  const head = concatBytes(call.slice(0, 4 + 12 * 32), word(BigInt(13 * 32 + bytes.length)), bytes);
  const backwards = concatBytes(head, word(0n), word(7n), word(-BigInt(bytes.length)));
  for (const data of [call.slice(0, -5), concatBytes(call, new Uint8Array(32)), backwards]) {
    const standing = await post(t, world, chain, data);
    assert.ok(standing?.state === 'refused' && standing.detail.includes('CalldataNotCanonical'), JSON.stringify(standing));
  }
  assert.ok(await isHonestInTheEnd(world));
});

test(
  'a count of 2^53 or more, which devices can’t hold, is refused, and the anchor of the members is final (§20.3)',
  { skip },
  async (t) => {
    const chain = await chainFor(t);
    const world = await worldFor(t, chain);
    await world.certify(8);
    const header = { ...abiHeader(honestHeader(world)), timeMs: 2n ** 53n + 1n };
    const standing = await post(t, world, chain, encodeCall(abi, 'post', [header, { ...forged, round: 0n }]));
    assert.ok(standing?.state === 'refused' && standing.detail.includes('CountsTooGreat'), JSON.stringify(standing));
    assert.ok(await isHonestInTheEnd(world));
  },
);

test('behind a vote that holds the forged ones are found and challenged (§20.9)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const world = await worldFor(t, chain);
  await world.certify(8);
  const lie = { ...honestHeader(world), creditsRoot: new Uint8Array(32) };
  const anchor = anchorDigest(world.place, lie);
  const first = world.members.find(({ anchors, identity }) => anchors.leavesOf(31_337, 0, identity.node)?.member.index === 0);
  const vote = first && packVote(await first.identity.certifyTime(anchor), anchor);
  if (!vote) throw new Error('the chip has not signed');
  await post(t, world, chain, postCall(lie, { ...forged, votes: concatBytes(vote, forged.votes.slice(105)) }));
  assert.ok(await isHonestInTheEnd(world));
});

for (const [lies, change] of [
  ['hides the post', (method: string, result: unknown) => (method === 'eth_getLogs' ? [] : result)],
  [
    'shows other votes',
    (method: string, result: unknown) =>
      method === 'eth_getTransactionByHash' && result !== null ? { ...(result as object), input: '0x' } : result,
  ],
  // Of what the contract is asked, the tip alone is three words.
  ['says of the tip what is not', (_: string, result: unknown) => (String(result).length === 2 + 3 * 64 ? `0x${'11'.repeat(96)}` : result)],
] as const)
  test(`a post is challenged on one endpoint’s word, though another ${lies}; that is told (§20.9)`, { skip }, async (t) => {
    const chain = await chainFor(t);
    const world = await worldFor(t, chain, [], [await proxyFor(t, chain.url, change)]);
    await world.certify(8);
    const lie = { ...honestHeader(world), membersRoot: new Uint8Array(32) };
    await post(t, world, chain, postCall(lie, forged));
    const lied = hex(anchorDigest(world.place, lie));
    for (let looks = 0; looks < 8 && (await world.view()).anchor === lied; looks += 1) {
      await world.look();
      world.wait(TURN_MS);
    }
    assert.notEqual((await world.view()).anchor, lied);
    assert.ok(told(world, 'anchorVotesUnread').length + told(world, 'anchorsNotSeen').length > 0);
  });

test('a challenge that was refused is tried again while the post is open (§20.9)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const world = await worldFor(t, chain);
  await world.certify(8);
  const lie = { ...honestHeader(world), creditsRoot: new Uint8Array(32) };
  await post(t, world, chain, postCall(lie, forged));
  for (const { anchors } of world.members) await anchors.look();
  world.wait(TURN_MS * world.members.length);
  for (const { anchors } of world.members) await anchors.look();
  // As in a reorganisation, the contract that is tried is another one for a while.
  const address = `0x${hex(world.place.anchors)}`;
  const code = await chain.rpc('eth_getCode', address, 'latest');
  await chain.rpc('anvil_setCode', address, '0x60006000fd');
  for (const { sender } of world.members) await sender.look();
  assert.ok(world.members.every(({ told: standings }) => standings.some(({ standing }) => standing.state === 'refused')));
  await chain.rpc('anvil_setCode', address, code);
  assert.ok(await isHonestInTheEnd(world));
});

test('posts that come in a flood are read block by block where an endpoint answers no more at once (§20.9)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const most = (method: string, result: unknown) =>
    method === 'eth_getLogs' && (result as unknown[]).length > 1 ? 'x'.repeat(LAYER1_LIMITS.answerBytesMax) : result;
  const world = await worldFor(t, { ...chain, url: await proxyFor(t, chain.url, most) });
  await world.certify(8);
  await post(t, world, chain, postCall({ ...honestHeader(world), creditsRoot: new Uint8Array(32) }, forged));
  assert.ok(await isHonestInTheEnd(world));
});
