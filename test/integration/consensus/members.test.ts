/** Members of a network with software TPMs and real brokers: they finalise, halt honestly, catch up, and bear a liar. Specification §12-14. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hex } from '#protocol/digest.ts';
import { judgeFinalityProof } from '#protocol/chain/finality-proof.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { topicOf, type ChainKind, type GossipKind } from '#protocol/topics.ts';
import { memberDigest, networkLabel } from '#protocol/network.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { PEER_LIMITS } from '../../../device/limits.ts';
import { foundBench, until, type BenchMember, type ConsensusBench } from './bench.ts';

let bench: ConsensusBench;
let alpha: BenchMember, bravo: BenchMember, charlie: BenchMember, delta: BenchMember;
const numberOf = (member: BenchMember): number => member.chain.finalised().number;
const heightOf = (member: BenchMember): number => member.chain.head().height;
/** All of them have finalised so many checkpoints more. */
const finalise = (members: readonly BenchMember[], more: number): Promise<void> => {
  const goal = Math.max(...members.map(numberOf)) + more;
  return until(() => members.every((member) => numberOf(member) >= goal), `${members.map(({ name }) => name).join()} finalise ${goal}`);
};

before(async () => {
  bench = await foundBench(4, { targetIntervalMs: 300 });
  [alpha, bravo, charlie, delta] = bench.members as [BenchMember, BenchMember, BenchMember, BenchMember];
  await Promise.all(bench.members.map((member) => member.start()));
});
after(() => bench.stop());

test('four members lead, vote and come to the same finalised chain (§12, §13)', async () => {
  await finalise(bench.members, 4);
  const number = Math.min(...bench.members.map(numberOf));
  const certified = bench.members.map(({ running }) => hex(running.store.certificate(number)?.block ?? new Uint8Array()));
  assert.equal(new Set(certified).size, 1);
  assert.deepEqual(
    bench.members.flatMap(({ failures }) => failures),
    [],
  );
});

test('a member that was away finds what it missed, and votes again (§13.7, §14.2)', async () => {
  await delta.stop();
  await finalise([alpha, bravo, charlie], 4);
  await delta.start();
  await finalise(bench.members, 2);
  await until(() => hasVoted(alpha, delta), 'delta votes again');
});

test('with two of four silent, blocks go on and nothing is final; it goes on where it stood when one is back (§13.5)', async () => {
  await delta.stop();
  await charlie.stop();
  const from = { number: numberOf(alpha), height: heightOf(alpha) };
  await until(() => heightOf(alpha) >= from.height + 3 && heightOf(bravo) >= from.height + 3, 'two members go on with blocks');
  assert.ok(numberOf(alpha) <= from.number + 1, 'only what was voted on before can still be certified');
  await charlie.start();
  await finalise([alpha, bravo, charlie], 2);
  await delta.start();
  await finalise(bench.members, 1);
});

test('the digest of a receipt is final with a proof that whoever has the network file can check (§13.6)', async () => {
  await finalise(bench.members, 1);
  const block = alpha.chain.blockOnHead(1);
  assert.ok(block && block.transactions.length > 0);
  const { proof } = alpha.chain.proofOf(1, 0) ?? {};
  assert.ok(proof);
  const verdict = judgeFinalityProof(proof, { network: bench.network, crypto: createNodeCrypto() });
  assert.ok(verdict.status === 'accepted', 'detail' in verdict ? verdict.detail : '');
  assert.equal(hex(verdict.block), hex(block.id));
});

test('a member that has lost its votes neither votes nor leads until two more checkpoints are certified, then does (§14.4)', async () => {
  await delta.stop();
  for (const part of ['', '-wal', '-shm']) rmSync(join(delta.board.folder, `chain.sqlite${part}`), { force: true });
  delta.lines.length = 0;
  await delta.start();
  const since = heightOf(alpha);
  await until(() => delta.lines.some((line) => line.startsWith('votesResumed')), 'delta speaks again', 40_000);
  const silent = delta.lines.findIndex((line) => line.startsWith('votesResumed'));
  assert.ok(
    delta.lines.slice(0, silent).every((line) => !line.startsWith('blockMade') && !line.includes('"own"')),
    'it led while it should not',
  );
  assert.ok(heightOf(alpha) > since);
  await until(() => hasVoted(alpha, delta), 'delta votes again');
});

test('a newcomer whom more than two thirds vouch for becomes a member, hears the others and votes (§11.5)', async () => {
  const { member: echo, card } = await bench.makeNewcomer('echo');
  const node = echo.board.identity.node;
  const standing = (): string | undefined => alpha.chain.finalised().state.members.get(hex(node))?.standing;
  alpha.chain.submit(encodeTransaction({ kind: 'application', card }));
  await until(() => standing() === 'applicant', 'echo is an applicant');
  await until(() => [alpha, bravo, charlie].every((one) => one.lines.length > 0), 'all hear of it');
  await Promise.all([alpha, bravo, charlie, delta].map(({ trusted }) => trusted));
  await echo.start();
  const applicant = memberDigest(alpha.chain.finalised().state.members.get(hex(node))!.member);
  for (const voucher of [alpha, bravo]) voucher.chain.act({ action: 'vouch', applicant });
  await finalise([alpha, bravo, charlie], 2);
  assert.equal(standing(), 'applicant');
  charlie.chain.act({ action: 'vouch', applicant });
  await until(() => standing() === 'member', 'echo is a member');
  await until(() => hasVoted(alpha, echo), 'echo votes', 30_000);
  assert.deepEqual(echo.failures, []);
  assert.equal(alpha.chain.finalised().state.core.seats.length, 5);
});

test('a member that floods and lies is left alone for a while, and the others finalise without it (§14.3)', async () => {
  await delta.running.consensus.stop();
  const { own } = delta.running;
  const label = networkLabel(bench.network);
  const say = (kind: ChainKind, payload: Uint8Array): unknown =>
    own.publish(topicOf(label, { to: 'gossip', kind }), payload, { atMostOnce: true });
  const garbage = (bytes: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(bytes));
  const old = alpha.chain.blockOnHead(1)?.encoded ?? garbage(9);
  let sent = 0;
  const flood = setInterval(() => {
    for (const kind of ['block', 'transaction', 'ballot', 'head', 'request', 'voucher'] as const)
      for (let count = 0; count < 25; count += 1, sent += 1) void say(kind, count % 2 ? garbage(200) : old.with(count, 255));
  }, 10);
  try {
    await finalise([alpha, bravo, charlie], 3);
    await until(
      () => [alpha, bravo, charlie].some(({ lines }) => lines.some((line) => line.startsWith('peerLeftAlone'))),
      'delta is left alone',
    );
  } finally {
    clearInterval(flood);
  }
  await finalise([alpha, bravo, charlie], 2);
  assert.ok(sent > PEER_LIMITS.droppedMax);
  for (const { lines, failures } of [alpha, bravo, charlie]) {
    assert.deepEqual(failures, []);
    assert.ok(lines.filter((line) => line.includes('Refused') && line.includes('delta')).length <= 24, 'the log stays short');
  }
});

test('a member that can store nothing says nothing that rests on it, and ends (§14.4)', async () => {
  const { store, gossip } = bravo.running;
  const said: GossipKind[] = [];
  const broadcast = gossip.broadcast.bind(gossip);
  const fault = Object.assign(new Error('disk I/O error'), { errcode: 10 });
  store.persist = () => {
    gossip.broadcast = (kind) => void said.push(kind);
    throw fault;
  };
  await until(() => bravo.failures.length > 0, 'bravo ends');
  const height = heightOf(alpha);
  await until(() => heightOf(alpha) > height + 1, 'the others go on');
  gossip.broadcast = broadcast;
  assert.deepEqual(bravo.failures, [fault]);
  assert.deepEqual(said, []);
});

/** Whether the last certificate that `of` knows has the vote of `who`. */
function hasVoted(of: BenchMember, who: BenchMember): boolean {
  const node = hex(who.board.identity.node);
  return of.chain.finalised().certificate?.votes.some((vote) => hex(vote.node) === node) ?? false;
}
