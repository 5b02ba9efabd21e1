/**
 * Whoever knows an endpoint and an address verifies a real receipt, with nothing else that is believed: on a real chain, against endpoints and
 * devices that lie. Specification §20.10.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { encodeCall } from '#contracts/evm.ts';
import { abi } from '#contracts/generated/anchors.ts';
import { encodeAnchorFile, judgeAnchorFile } from '#protocol/layer1/anchor-file.ts';
import { composeVotes } from '#protocol/layer1/anchor-post.ts';
import { packVote } from '#protocol/layer1/anchor-vote.ts';
import { anchorDigest, type AnchorHeader, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import { anchorOfCall, lastFinalCall, networkCall } from '#protocol/layer1/anchors-calls.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { postCall } from '../../../device/layer1/anchors-contract.ts';
import { AnchorsReader } from '../../../device/layer1/anchors-reader.ts';
import { startCheckpoint } from '../../../device/layer1/start-checkpoint.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { anchorFor, lastAnchor } from '../../../scripts/client/anchors.ts';
import { anchoredAt, firstHeader, foundersFile, grid } from '../../unit/layer1/anchored.ts';
import { founders } from '../../unit/chain/proof-workshop.ts';
import { network as judging } from '../../unit/protocol/judged-member.ts';
import { chainFor, deploy, endpointsFor, folderFor, proxyFor, senderFor, settle, termsOf, type Chain } from './chains.ts';

const skip = !hasAnvil() && 'no anvil on this machine';
const root = fileURLToPath(new URL('../../../', import.meta.url));

interface Deployed {
  readonly chain: Chain;
  readonly place: AnchorPlace;
  /** Brings an anchor, with votes that anybody has made up: the contract judges their form, and nobody challenges here. */
  readonly post: (header: AnchorHeader, votes: ReturnType<typeof composeVotes>) => Promise<void>;
}

async function deployedFor(t: TestContext, network: Network, chainId = 31_337): Promise<Deployed> {
  const chain = await chainFor(t, { chainId });
  const { sender } = senderFor(t, { endpoints: endpointsFor(t, [chain.url], chainId), file: join(folderFor(t), 'a'), secret: chain.key });
  const { epoch, checkpoint, height, timeMs, members, seats, ...digests } = firstHeader(network);
  const counts = { epoch: BigInt(epoch), checkpoint: BigInt(checkpoint), height: BigInt(height), timeMs: BigInt(timeMs) };
  const header = { ...digests, ...counts, members: BigInt(members), seats: BigInt(seats) };
  const contracts = await deploy(sender, chain, { ...termsOf(networkId(network)), founders: header });
  const anchors = contracts.get('anchors')!.address;
  return {
    chain,
    place: { network: networkId(network), chainId, anchors },
    post: async (posted, votes) => {
      assert.ok(votes);
      const name = `post/${posted.epoch}`;
      await sender.intend({ name, to: anchors, data: postCall(posted, votes), value: '1000' });
      await settle(sender, chain, [name]);
      assert.equal(sender.standing(name)?.state, 'final', JSON.stringify(sender.standing(name)));
    },
  };
}

async function pass(chain: Chain, seconds: number): Promise<void> {
  await chain.rpc('evm_increaseTime', seconds);
  await chain.rpc('evm_mine');
}

/** A folder as somebody hands it on: the receipt, the device's word on its finality, and what layer 1 does not hold. */
function handedOn(t: TestContext, anchorFile: Uint8Array | undefined): string {
  const folder = folderFor(t);
  for (const name of ['receipt.cbor', 'finality.cbor']) copyFileSync(join(root, 'test/vectors/receipt', name), join(folder, name));
  if (anchorFile) writeFileSync(join(folder, 'anchor.cbor'), anchorFile);
  return folder;
}

interface Ended {
  readonly status: number;
  readonly words: string;
}

/** `capsule verify` as it is typed, on a machine that has no network file and knows no device. */
function verify(folder: string, urls: readonly string[], { anchors }: Pick<AnchorPlace, 'anchors'>, ...more: string[]): Promise<Ended> {
  const line = ['scripts/capsule.ts', 'verify', folder, '--layer1', urls.join(','), '--contract', `0x${anchors.toHex()}`];
  return new Promise((resolve) => {
    execFile(process.execPath, [...line, '--state', join(folder, 'none'), '--final', ...more], { cwd: root }, (error, said, complained) =>
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, words: `${said}${complained}` }),
    );
  });
}

test('the words of a reader are those of the contract (§20.10)', () => {
  assert.deepEqual(networkCall, encodeCall(abi, 'network', []));
  assert.deepEqual(lastFinalCall, encodeCall(abi, 'lastFinal', []));
  assert.deepEqual(anchorOfCall(77), encodeCall(abi, 'anchorOf', [77n]));
});

test('a receipt of a real grid is verified from endpoint and address alone (§20.10)', { skip }, async (t) => {
  const { chain, place, post } = await deployedFor(t, grid);
  const file = foundersFile(grid, place);
  const good = handedOn(t, encodeAnchorFile(file));

  await t.test('with what anybody has put beside it', async () => {
    const { status, words } = await verify(good, [chain.url], place);
    assert.equal(status, 0, words);
    assert.match(words, /checked against anchor 0 of the contract 0x[0-9a-f]{40} on chain 31337/);
    assert.match(words, /final: block \d+ holds the receipt's digest/);
    assert.match(words, /was compared with no list of releases: --network FILE names one/);
  });

  await t.test('a device that shows other keys is not believed', async () => {
    assert.ok(file.seats.of === 'genesis');
    const [first, second, ...others] = file.seats.members;
    const members = [{ ...first!, attestationKey: second!.attestationKey }, second!, ...others];
    const { status, words } = await verify(
      handedOn(t, encodeAnchorFile({ ...file, seats: { of: 'genesis', members } })),
      [chain.url],
      place,
    );
    assert.equal(status, 1);
    assert.match(words, /does not fit the contract \(other-founders\)/);
  });

  await t.test('an endpoint that lies is named; alone, what it says fits nothing', async () => {
    const liar = await proxyFor(t, chain.url, (method, result) => (method === 'eth_call' ? changed(result) : result));
    const differing = await verify(good, [chain.url, liar], place);
    assert.equal(differing.status, 1);
    assert.match(differing.words, new RegExp(`can't be read: .*${new URL(liar).host}`, 's'));
    const alone = await verify(good, [liar], place);
    assert.equal(alone.status, 1, alone.words);
  });

  await t.test('another chain, another address, nothing beside it: refused with what would be right', async () => {
    const other = await chainFor(t, { chainId: 5 });
    const elsewhere = await verify(good, [other.url], place);
    assert.deepEqual([elsewhere.status, /on chain 5 there is no contract Anchors at/.test(elsewhere.words)], [1, true], elsewhere.words);
    for (const [urls, words] of [
      [[other.url, chain.url], /serve different chains: .* says 5, .* says 31337; --chain says which/],
      [[chain.url, other.url], /serve different chains: .* says 31337, .* says 5; --chain says which/],
    ] as const) {
      const mixed = await verify(good, urls, place);
      assert.deepEqual([mixed.status, words.test(mixed.words)], [1, true], mixed.words);
    }
    const served = await verify(good, [other.url, chain.url], place, '--chain', '31337');
    assert.equal(served.status, 0, `one of two endpoints serves another chain and counts as away: ${served.words}`);
    const moved = await verify(handedOn(t, encodeAnchorFile({ ...file, place: { ...place, chainId: 5 } })), [chain.url], place);
    assert.match(moved.words, /it is of the contract 0x[0-9a-f]{40} on chain 5/);
    const bare = await verify(handedOn(t, undefined), [chain.url], place);
    assert.deepEqual([bare.status, /no device to ask for it: there is no client in/.test(bare.words)], [1, true], bare.words);
  });

  await t.test('an old anchor says nothing about now', async () => {
    const header = { ...file.header, epoch: 1, checkpoint: 1_000, height: 1_000_000, previous: anchorDigest(place, file.header) };
    await post({ ...header, height: 1 }, madeUp);
    await pass(chain, 61);
    const { status, words } = await verify(good, [chain.url], place);
    assert.equal(status, 1);
    assert.match(words, /it begins at anchor 0; the last final one is 1/);
  });
});

test('the last final anchor and its header are read from the chain (§20.3, §20.10)', { skip }, async (t) => {
  const { chain, place, post } = await deployedFor(t, judging);
  const open = (): Promise<AnchorsReader> => AnchorsReader.open(endpointsFor(t, [chain.url]), place.anchors);
  const first = await open();
  assert.deepEqual([first.place, first.lastFinal], [place, 0]);
  const founding = await lastAnchor(first);
  assert.deepEqual(founding.header, firstHeader(judging));
  const { file } = anchoredAt(founding.anchor, place, 1);
  const anchor = anchorDigest(place, file.header);
  const votes = new Map(founders.map((chip, seat) => [seat, packVote(chip.certifyTime(anchor), anchor)] as const));
  await post(
    file.header,
    composeVotes({ seed: founding.header.seed, seats: 4, epoch: 1 }, (seat) => votes.get(seat)),
  );
  assert.equal((await open()).lastFinal, 0, 'its window has not passed');
  await assert.rejects((await open()).anchorOf(1), /the last final anchor is that of epoch 0, and not of 1/);
  await pass(chain, 61);
  const reader = await open();
  const last = await lastAnchor(reader);
  assert.deepEqual([last.epoch, last.anchor, last.header], [1, anchor, file.header]);
  assert.equal(judgeAnchorFile(encodeAnchorFile(file), last.anchor).status, 'accepted');
  assert.deepEqual(
    [(await anchorFor(reader, 0)).epoch, (await anchorFor(reader, 50)).epoch, (await anchorFor(reader, 113)).epoch],
    [0, 1, 1],
  );

  await t.test('a device begins at its checkpoint; where layer 1 can’t be read, by the network file (§13.7)', async () => {
    const lines: string[] = [];
    const start = (endpoints: string[], anchors = place.anchors) =>
      startCheckpoint({ ...judging, layer1: [{ chainId: 31_337, anchors, endpoints }] }, (event, fields) =>
        lines.push(`${event} ${JSON.stringify(fields)}`),
      );
    const { checkpoint: number, height, blockId: block } = file.header;
    assert.deepEqual(await start([chain.url]), { number, height, block, from: 'one-chain' });
    assert.match(lines.splice(0).join(), /^layer1Checkpoint .*"epoch":1,"checkpoint":5,"height":112/);
    assert.equal(await start(['http://127.0.0.1:1']), undefined);
    assert.match(lines.splice(0).join(), /^layer1NotRead .*the device starts without its word/);
    assert.equal(await start([chain.url], new Uint8Array(20).fill(1)), undefined);
    assert.match(lines.splice(0).join(), /there is no contract Anchors at 0x0101/);
    const other = { ...judging, genesis: { ...judging.genesis, name: 'others' }, layer1: [{ ...place, endpoints: [chain.url] }] };
    assert.equal(await startCheckpoint(other, (event, fields) => lines.push(`${event} ${JSON.stringify(fields)}`)), undefined);
    assert.match(lines.join(), /holds the anchors of another network/);
  });

  const liar = await proxyFor(t, chain.url, (method, result) => (method === 'eth_getLogs' ? changedLogs(result) : result));
  const lied = await AnchorsReader.open(endpointsFor(t, [liar]), place.anchors);
  await assert.rejects(lied.headerOf(last), /no endpoint of chain 31337 shows the header of epoch 1/);
  const both = await AnchorsReader.open(endpointsFor(t, [liar, chain.url]), place.anchors);
  assert.deepEqual(await both.headerOf(last), file.header, 'one that says it is enough, for the digest is compared');
});

test(
  'of chains that contradict each other a device that starts takes none, and what two hold before what one alone says (§13.7)',
  { skip },
  async (t) => {
    const first = firstHeader(judging);
    const anchored = (place: AnchorPlace, changed: Partial<AnchorHeader> = {}): AnchorHeader => ({
      ...anchoredAt(anchorDigest(place, first), place, 1).file.header,
      ...changed,
    });
    const [honest, second, liar] = await Promise.all(
      [5, 6, 7].map((chainId) => deployedFor(t, judging, chainId)) as [Promise<Deployed>, Promise<Deployed>, Promise<Deployed>],
    );
    for (const at of [honest, second, liar]) {
      await at.post(anchored(at.place), madeUp);
      await pass(at.chain, 61);
    }
    const lines: string[] = [];
    const start = (...chains: readonly Deployed[]): ReturnType<typeof startCheckpoint> =>
      startCheckpoint({ ...judging, layer1: chains.map(({ chain, place }) => ({ ...place, endpoints: [chain.url] })) }, (event, fields) =>
        lines.push(`${event} ${JSON.stringify(fields)}`),
      );
    const { checkpoint: number, height, blockId: block } = anchored(honest.place);
    const held = { number, height, block, from: 'layer-1' };
    assert.deepEqual(await start(honest, second), held);
    const later = { epoch: 2, checkpoint: 900, height: 90_000, blockId: new Uint8Array(32).fill(7) };
    await liar.post({ ...anchored(liar.place), ...later, previous: anchorDigest(liar.place, anchored(liar.place)) }, madeUp);
    await pass(liar.chain, 61);
    for (const chains of [
      [honest, liar],
      [liar, honest],
    ])
      assert.deepEqual(await start(...chains), held, 'what the chain says alone, of a greater number, is not taken');
    assert.equal((await start(liar))?.from, 'one-chain');
    assert.ok(!lines.some((line) => line.startsWith('layer1Contradicts')));
    const other = anchored(honest.place, {
      epoch: 2,
      checkpoint: 9,
      height: 200,
      previous: anchorDigest(honest.place, anchored(honest.place)),
    });
    await honest.post(other, madeUp);
    await pass(honest.chain, 61);
    assert.equal(await start(honest, liar), undefined);
    assert.match(lines.at(-1)!, /^layer1Contradicts .*"epoch":2.*neither is taken/);
  },
);

/** Three votes of four places, of zeros. */
const madeUp = composeVotes({ seed: new Uint8Array(32), seats: 4, epoch: 1 }, () => new Uint8Array(105));

function changed(result: unknown): unknown {
  return typeof result === 'string' ? result.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) : result;
}

function changedLogs(result: unknown): unknown {
  return Array.isArray(result) ? result.map((log: { data: string }) => ({ ...log, data: changed(log.data) })) : result;
}
