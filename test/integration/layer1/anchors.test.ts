/** Anchors of four chips on a real chain: brought in turn, final, challenged, and none of them lost (§20.2, §20.3, §20.9). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { decodeResult, encodeCall } from '#contracts/evm.ts';
import { abi as disputesAbi } from '#contracts/generated/node-disputes.ts';
import { judgeInclusion } from '#protocol/chain/merkle.ts';
import { domainDigest, hex } from '#protocol/digest.ts';
import { anchorDigest, type AnchorHeader } from '#protocol/layer1/anchor.ts';
import { encodeAnchorVotes } from '#protocol/layer1/anchor-message.ts';
import { packVote } from '#protocol/layer1/anchor-vote.ts';
import { creditLeafDigest, memberLeafDigest, verdictLeafDigest } from '#protocol/layer1/leaf.ts';
import { ANCHOR_LIMITS } from '../../../device/anchors/limits.ts';
import { bytesIn } from '../../../device/layer1/answers.ts';
import { postCall } from '../../../device/layer1/anchors-contract.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { stopBench, TURN_MS, worldFor, type AnchoringMember, type World } from './anchors-world.ts';
import { chainFor, folderFor, type Chain, senderFor, settle } from './chains.ts';

const skip = !hasAnvil() && 'anvil is not installed on machines like this one';
after(stopBench);

const windowS = 61;

/** Intentions of a kind that were carried out, of all members. */
function done(members: readonly AnchoringMember[], kind: string): string[] {
  return members.flatMap(({ name, told }) =>
    told.filter((one) => one.name.startsWith(`${kind}/`) && one.standing.state === 'included').map((one) => `${name} ${one.name}`),
  );
}

/** Looks until the tip has come so far; a turn goes by where nobody posts. */
async function lookUntilTip(world: World, epoch: number, { members = world.members, view = world.view } = {}): Promise<void> {
  for (let looks = 0; looks < 50; looks += 1) {
    if ((await view()).tip >= epoch) return;
    await world.look(members);
    world.wait(TURN_MS);
    await pause(100);
  }
  assert.equal((await view()).tip, epoch);
}

test(
  'an anchor with votes of real chips is brought once, in turn, and is final when its window has passed (§20.3)',
  { skip },
  async (t) => {
    const world = await worldFor(t, await chainFor(t));
    await world.certify(8);
    await lookUntilTip(world, 1);
    assert.equal(done(world.members, 'post').length, 1, done(world.members, 'post').join());
    const { anchors } = world.members[0] as AnchoringMember;
    const { header } = anchors.leavesOf(31_337, 1, world.network.genesis.members[0]!)!;
    assert.deepEqual([(await world.view()).anchor, (await world.view()).lastFinal], [hex(anchorDigest(world.place, header)), 0]);
    await world.pass(windowS);
    assert.equal((await world.view()).lastFinal, 1);
    await world.certify(16);
    await lookUntilTip(world, 2);
    assert.equal(done(world.members, 'post').length, 2);
  },
);

test('where the first in turn is away, the next one brings it after a while, and not before (§20.9)', { skip }, async (t) => {
  const world = await worldFor(t, await chainFor(t));
  await world.certify(8);
  const { header } = world.members[0]!.anchors.leavesOf(31_337, 1, world.members[0]!.identity.node)!;
  const order = (member: AnchoringMember): string =>
    hex(domainDigest('anchor-turn', anchorDigest(world.place, header), member.identity.node));
  const [, second, ...rest] = world.members.toSorted((left, right) => (order(left) < order(right) ? -1 : 1)) as [
    AnchoringMember,
    AnchoringMember,
  ];
  const present = [second, ...rest];
  await world.look(present);
  world.wait(TURN_MS - 1);
  await world.look(present);
  assert.deepEqual([(await world.view()).tip, done(present, 'post')], [0, []]);
  world.wait(1);
  await world.look(present);
  assert.deepEqual([(await world.view()).tip, done(present, 'post')], [1, [`${second.name} post/1`]]);
});

test('a member’s leaves are shown under the roots of any anchor that is kept (§20.1, §20.9)', { skip }, async (t) => {
  const world = await worldFor(t, await chainFor(t));
  for (const height of [8, 16, 24]) await world.certify(height);
  const { anchors, identity } = world.members[2] as AnchoringMember;
  for (const epoch of [0, 1, 2, 3]) {
    const { header, member, verdict, credit } = anchors.leavesOf(31_337, epoch, identity.node)!;
    const shown = [
      [memberLeafDigest(member.leaf), member, header.membersRoot],
      [verdictLeafDigest(verdict.leaf), verdict, header.verdictsRoot],
      [creditLeafDigest(credit.leaf), credit, header.creditsRoot],
    ] as const;
    for (const [id, { index, path }, root] of shown)
      assert.equal(judgeInclusion(id, index, header.members, path, root).status, 'accepted', `epoch ${epoch}`);
    assert.equal(header.epoch, epoch);
  }
  assert.equal(anchors.leavesOf(31_337, 4, identity.node), undefined);
  assert.equal(anchors.leavesOf(1, 1, identity.node), undefined);
});

test('a host that begins anew says the vote that it has, and its chip signs nothing twice (§20.9)', { skip }, async (t) => {
  const world = await worldFor(t, await chainFor(t));
  await world.certify(8);
  const before = world.members[1] as AnchoringMember;
  assert.equal(before.signed.length, 1);
  const begun = await world.restart(1);
  await world.look();
  assert.deepEqual(begun.signed, []);
  await world.certify(16);
  await lookUntilTip(world, 2);
  assert.equal(begun.signed.length, 1);
});

/** Somebody brings an anchor by votes of no chip. @returns the header that the members come to */
async function forge(t: TestContext, world: World, chain: Chain): Promise<AnchorHeader> {
  const { header } = world.members[0]!.anchors.leavesOf(31_337, 1, world.members[0]!.identity.node)!;
  const { sender } = senderFor(t, { endpoints: world.endpoints, file: join(folderFor(t), 'liar'), secret: chain.key });
  const forged = { round: 0, voters: 0b111n, votes: new Uint8Array(3 * 105).fill(1) };
  const call = postCall({ ...header, creditsRoot: new Uint8Array(32) }, forged);
  await sender.intend({ name: 'post/1', to: world.place.anchors, data: call, value: '1000' });
  await settle(sender, chain, ['post/1']);
  return header;
}

test('a post with a vote that no chip has signed is challenged, and the anchor is brought anew (§20.3)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const world = await worldFor(t, chain);
  await world.certify(8);
  const header = await forge(t, world, chain);
  const lie = (await world.view()).anchor;
  assert.notEqual(lie, hex(anchorDigest(world.place, header)));
  for (let looks = 0; looks < 12 && (await world.view()).anchor !== hex(anchorDigest(world.place, header)); looks += 1) {
    await world.look();
    world.wait(TURN_MS);
  }
  assert.deepEqual((await world.view()).anchor, hex(anchorDigest(world.place, header)));
  assert.equal(done(world.members, 'challenge').length, 1, done(world.members, 'challenge').join());
  assert.ok(world.members.some(({ lines }) => lines.some((line) => line.startsWith('anchorVoteBad'))));
});

test('whichever device is up challenges within a quarter of the window, whatever its place in the order (§20.9)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const world = await worldFor(t, chain);
  await world.certify(8);
  await forge(t, world, chain);
  const lie = (await world.view()).anchor;
  const waits: number[] = [];
  for (const member of world.members) {
    const state = await chain.rpc('evm_snapshot');
    let waitedMs = 0;
    for (; (await world.view()).anchor === lie && waitedMs <= windowS * 1_000; waitedMs += 1_250) {
      await world.look([member]);
      world.wait(1_250);
    }
    waits.push(waitedMs);
    await chain.rpc('evm_revert', state);
  }
  assert.ok(Math.max(...waits) <= (windowS * 1_000) / 4, waits.join());
});

test('a chip that votes for two anchors of one epoch is marked on layer 1 (§20.6)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const world = await worldFor(t, chain);
  await world.certify(8);
  const liar = world.members[3]!;
  const { header } = world.members[0]!.anchors.leavesOf(31_337, 1, liar.identity.node)!;
  const other = { ...header, creditsRoot: new Uint8Array(32).fill(3) };
  const anchor = anchorDigest(world.place, other);
  const vote = packVote(await liar.identity.certifyTime(anchor), anchor)!;
  const { chainId, anchors } = world.place;
  await pause(ANCHOR_LIMITS.heardEveryMs + 200);
  world.say(liar.name, encodeAnchorVotes({ chains: [{ chainId, anchors, votes: [{ header: other, vote }] }] }));
  await world.look();
  const asked = { to: `0x${hex(world.disputes)}`, data: `0x${hex(encodeCall(disputesAbi, 'markOf', [liar.identity.node]))}` };
  const mark = decodeResult(disputesAbi, 'markOf', bytesIn(await chain.rpc('eth_call', asked, 'latest')) ?? new Uint8Array());
  assert.equal(mark?.fault, 1n, 'TwoAnchors');
});

test('a member that says something all the time is read once a second, and its last word counts (§20.9)', { skip }, async (t) => {
  const world = await worldFor(t, await chainFor(t));
  const [own, other] = world.members as [AnchoringMember, AnchoringMember];
  for (let times = 0; times < 200; times += 1) world.say(other.name, Uint8Array.of(times));
  assert.equal(own.lines.filter((line) => line.startsWith('anchorVotesRefused')).length, 1);
  await world.certify(8);
  const { header } = own.anchors.leavesOf(31_337, 1, own.identity.node)!;
  await pause(ANCHOR_LIMITS.heardEveryMs + 200);
  await lookUntilTip(world, 1);
  assert.equal((await world.view()).anchor, hex(anchorDigest(world.place, header)));
});

test(
  'on two chains each has its own anchors and votes; one that is down holds up nothing on the other (§20.2, §20.9)',
  { skip },
  async (t) => {
    const second = await chainFor(t, { chainId: 1_002, hardfork: 'shanghai' });
    const world = await worldFor(t, await chainFor(t), [{ chain: second, chainId: 1_002 }]);
    await world.certify(8);
    await lookUntilTip(world, 1);
    const [viewOther] = world.otherViews;
    if (!viewOther) throw new Error('no other chain');
    await lookUntilTip(world, 1, { view: viewOther });
    assert.notEqual((await viewOther()).anchor, (await world.view()).anchor);
    assert.deepEqual(new Set(world.members.map(({ signed }) => signed.length)), new Set([2]));
    await second.stop();
    await world.certify(16);
    await lookUntilTip(world, 2);
  },
);

test('a chain that is killed and comes back gets all anchors in their order, and nothing was held up (§20.9)', { skip }, async (t) => {
  const stateFile = join(folderFor(t), 'chain.json');
  const first = await chainFor(t, { stateFile });
  const world = await worldFor(t, first);
  await world.certify(8);
  await lookUntilTip(world, 1);
  await pause(1_500); // it stores its state once a second
  process.kill(first.processId, 'SIGKILL');
  for (const height of [16, 24, 32, 40]) {
    await world.certify(height);
    await Promise.all(world.members.map(({ anchors }) => anchors.look()));
  }
  assert.ok(world.members.every(({ lines }) => lines.some((line) => line.startsWith('anchorsNotSeen'))));
  assert.ok(world.members.every(({ signed }) => signed.length === 5));
  await world.restart(2);
  world.chain = await chainFor(t, { stateFile, port: first.port });
  await lookUntilTip(world, 5);
  await world.pass(windowS);
  assert.equal((await world.view()).lastFinal, 5);
  assert.equal(new Set(done(world.members, 'post').map((name) => name.split(' ')[1])).size, 5);
});
