/** Anchors of a running network: four members with chips, brokers and chains of their own, one of which is away for a while (§20.9). */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { addressOfKey } from '#contracts/evm.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { Anchors } from '../../../device/anchors/host.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { Endpoints } from '../../../device/layer1/endpoints.ts';
import { readAnchors } from '../../../device/layer1/anchors-contract.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { foundBench, until, type BenchMember } from '../consensus/bench.ts';
import { contractsFor, foundingOf } from './anchors-world.ts';
import { chainFor, senderFor } from './chains.ts';

const skip = !hasAnvil() && 'anvil is not installed on machines like this one';

test('members that come back vote again, and come to the anchors of the time when they were away (§20.9)', { skip }, async (t) => {
  const bench = await foundBench(4, { targetIntervalMs: 300, minimumWaitMs: 30 }, { anchorHeights: 8 });
  const folder = mkdtempSync(join(tmpdir(), 'capstan-anchors-'));
  const running: Anchors[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(running.splice(0).map((anchors) => anchors.close()));
  };
  t.after(async () => {
    await closeAll();
    await bench.stop();
    rmSync(folder, { recursive: true });
  });
  const chain = await chainFor(t);
  const { network } = bench;
  const { anchors: address } = await contractsFor(t, chain, network);
  const endpoints = new Endpoints(31_337, [chain.url]);
  t.after(() => endpoints.close());

  const senders = new Map<string, ReturnType<typeof senderFor>>();
  const begin = async (member: BenchMember): Promise<Anchors> => {
    const secret = blobDigest(new TextEncoder().encode(member.name));
    const payer = addressOfKey(secret);
    await chain.rpc('anvil_setBalance', `0x${hex(payer)}`, `0x${(10n ** 18n).toString(16)}`);
    await member.start();
    const { gossip, consensus } = member.running;
    const made = senders.get(member.name) ?? senderFor(t, { endpoints, file: join(folder, `${member.name}.sender`), secret, lookMs: 300 });
    if (!senders.has(member.name)) made.sender.start();
    senders.set(member.name, made);
    const anchors = new Anchors({
      network,
      crypto: createNodeCrypto(),
      chip: member.board.identity,
      checkpoints: consensus,
      genesis: foundingOf(network),
      gossip: gossip.anchors(),
      chains: [
        {
          chain: { chainId: 31_337, anchors: address, endpoints: [chain.url] },
          endpoints,
          paying: { sender: made.sender, address: payer },
        },
      ],
      file: join(folder, `${member.name}.anchors`),
      now: Date.now,
      log: (event, fields = {}) => void member.lines.push(`${event} ${JSON.stringify(fields)}`),
      turnMs: 1_500,
      lookMs: 300,
    });
    anchors.start();
    running.push(anchors);
    return anchors;
  };
  const tip = async (): Promise<number> => {
    const head = await endpoints.head();
    const read = head.status === 'agreed' ? await readAnchors({ endpoints, address }, head.value.number, undefined) : undefined;
    return read?.status === 'read' ? read.view.tip.epoch : -1;
  };
  const untilTip = async (epoch: number): Promise<void> => {
    for (let waited = 0; (await tip()) < epoch; waited += 1) {
      assert.ok(waited < 900, `the tip is ${await tip()}, not ${epoch}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  const hosts = await Promise.all(bench.members.map(begin));
  await untilTip(2);
  const [delta] = bench.members.slice(3) as [BenchMember];
  await hosts[3]?.close();
  await delta.stop();
  const goneAt = await tip();
  await untilTip(goneAt + 2);
  const back = await begin(delta);
  await until(() => delta.chain.finalised().height >= 8 * (goneAt + 3), 'it has caught up', 40_000);
  await untilTip(goneAt + 3);
  for (let epoch = 1; epoch <= goneAt + 2; epoch += 1) {
    const [own, others] = [back, hosts[0]].map((host) => host?.leavesOf(31_337, epoch, delta.board.identity.node)?.header);
    assert.deepEqual(own, others, `epoch ${epoch}`);
    assert.ok(own, `epoch ${epoch}`);
  }
  const voted = (): number => delta.lines.filter((line) => line.startsWith('anchorVoted')).length;
  await until(() => voted() >= goneAt + 2, 'delta has voted on the anchors of the time when it was away');
  assert.ok(!delta.lines.some((line) => line.startsWith('anchorContradicts')), 'what it has not got yet contradicts nothing');
  const posts = [...senders.values()].flatMap(({ told }) =>
    told.filter(({ name, standing }) => name.startsWith('post/') && standing.state === 'included'),
  );
  assert.equal(new Set(posts.map(({ name }) => name)).size, posts.length, 'nothing was brought twice');
  await closeAll();
});
