/** Votes of others, certificates, and two of them for one number (§13.2-13.5). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChainRequest, ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { decodeTransaction, encodeTransaction } from '#protocol/chain/transaction.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { networkId } from '#protocol/network.ts';
import { decodeVoucher } from '#protocol/chain/voucher.ts';
import type { ConsensusEffect } from '../../../device/consensus/events.ts';
import { CONSENSUS_LIMITS, DEVICE_LIMITS } from '../../../device/limits.ts';
import {
  ballotOf,
  byWait,
  certificateOf,
  drawnWaitMs,
  forge,
  forgeChain,
  genesisOf,
  kindsOf,
  memberOf,
  say,
  sayBlock,
  voucherOf,
  type Made,
} from './forge.ts';
import { checkpointOf, heightOf, unixStartMs, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta'];
const others = ['bravo', 'charlie', 'delta'];

/** Alpha alone, which knows the keys of the others, with two rival blocks above the genesis. */
function voter(know: readonly string[] = others) {
  const world = new World(names);
  world.tpmMs = Infinity;
  const alpha = world.start('alpha');
  const genesis = genesisOf(world);
  for (const name of know) say(world, alpha, name, 'voucher', voucherOf(world, name));
  const [left, right] = [forge(world, genesis, 'bravo'), forge(world, genesis, 'charlie')];
  return { world, alpha, genesis, left, right, about: { number: 1, previous: genesis.position.id } };
}

const castBy = (actor: Actor): number => kindsOf(actor.effects).filter((kind) => kind === 'broadcast ballot').length;
const precommit = ({ position }: Made) => ({ round: 0, step: 'precommit' as const, value: position.id });
const requests = (actor: Actor): ChainRequest[] =>
  actor.effects.flatMap((effect) => {
    const decoded =
      effect.effect === 'broadcast' && effect.kind === 'request' ? decodeStrict(ChainRequest, effect.payload, 1_000) : undefined;
    return decoded?.status === 'decoded' ? [decoded.value] : [];
  });

/** Makes alpha ask `from` for certificates, and answers. */
function answerCertificates(world: World, alpha: Actor, from: string, final: Made, certificates: FinalityCertificate[]): ConsensusEffect[] {
  const { id, height } = final.position;
  const checkpoint = { number: checkpointOf(alpha) + 1, block: id, height };
  say(world, alpha, from, 'head', encodeStrict(HeadAnnouncement, { checkpoint, head: { id, height } }));
  world.run(600);
  const asked = requests(alpha).at(-1);
  assert.ok(asked?.want.want === 'certificates' && hex(asked.to) === hex(memberOf(world, from).node));
  return say(world, alpha, from, 'response', encodeStrict(ChainResponse, { response: 'certificates', certificates }));
}

describe('ballots', () => {
  test('of a quorum decide: the certificate is stored before the next head is announced (§13.3, §14.4)', () => {
    const { world, alpha, left, about } = voter();
    sayBlock(world, alpha, left);
    for (const name of others.slice(0, 2)) say(world, alpha, name, 'ballot', ballotOf(world, name, about, precommit(left)));
    assert.equal(checkpointOf(alpha), 0);
    const kinds = kindsOf(say(world, alpha, 'delta', 'ballot', ballotOf(world, 'delta', about, precommit(left))));
    assert.deepEqual(kinds, [
      'persist certificate',
      'broadcast ballot',
      'broadcast head, retained',
      'report checkpointFinalised',
      'wakeAt',
    ]);
    assert.equal(checkpointOf(alpha), 1);
  });

  test('are counted once, whoever repeats them, and passed on once (§13.2)', () => {
    const { world, alpha, left, about } = voter();
    sayBlock(world, alpha, left);
    const own = castBy(alpha);
    const envelope = ballotOf(world, 'bravo', about, precommit(left));
    for (const from of [...others, ...others]) say(world, alpha, from, 'ballot', envelope);
    assert.equal(castBy(alpha), own + 1);
    assert.equal(checkpointOf(alpha), 0);
  });

  test('of a member whose key is not known yet wait for its voucher (§13.2)', () => {
    const { world, alpha, left, about } = voter([]);
    sayBlock(world, alpha, left);
    for (const name of others) say(world, alpha, name, 'ballot', ballotOf(world, name, about, precommit(left)));
    assert.equal(checkpointOf(alpha), 0);
    for (const name of others) say(world, alpha, name, 'voucher', voucherOf(world, name));
    assert.equal(checkpointOf(alpha), 1);
    assert.equal(alpha.state.early.count, 0);
  });

  test('of the next checkpoint wait until this one is final (§13.3)', () => {
    const { world, alpha, left, about } = voter();
    const above = forge(world, left, 'delta');
    sayBlock(world, alpha, left);
    sayBlock(world, alpha, above);
    const next = { number: 2, previous: left.position.id };
    for (const name of others) say(world, alpha, name, 'ballot', ballotOf(world, name, next, precommit(above)));
    for (const name of others) say(world, alpha, name, 'ballot', ballotOf(world, name, about, precommit(left)));
    assert.equal(checkpointOf(alpha), 2);
  });

  test('by a stranger, of another network, or signed by another key count nowhere, and are not passed on (§13.2)', () => {
    const { world, alpha, left, about } = voter();
    sayBlock(world, alpha, left);
    const own = castBy(alpha);
    const elsewhere = new World(['alpha', 'bravo', 'charlie', 'delta', 'echo']);
    say(world, alpha, 'bravo', 'ballot', ballotOf(elsewhere, 'bravo', about, precommit(left)));
    const envelope = ballotOf(world, 'bravo', about, precommit(left));
    say(world, alpha, 'bravo', 'ballot', envelope.with(envelope.length - 1, (envelope.at(-1) ?? 0) ^ 1));
    assert.equal(castBy(alpha), own);
  });

  test('that contradict one another are evidence, once (§11.3, §13.5)', () => {
    const { world, alpha, left, right, about } = voter();
    sayBlock(world, alpha, left);
    sayBlock(world, alpha, right);
    for (const { position } of [left, right, left, right]) {
      say(world, alpha, 'bravo', 'ballot', ballotOf(world, 'bravo', about, { round: 0, step: 'prevote', value: position.id }));
    }
    say(world, alpha, 'bravo', 'ballot', ballotOf(world, 'bravo', about, { round: 0, step: 'prevote' }));
    assert.deepEqual(
      alpha.reports.filter(({ report }) => report === 'equivocation'),
      [{ report: 'equivocation', node: hex(memberOf(world, 'bravo').node), of: 'ballot' }],
    );
    const [pooled, ...others] = alpha.state.pool.transactions.values();
    const proof = decodeTransaction(pooled!.encoded);
    assert.ok(proof.status === 'decoded' && proof.value.kind === 'equivocation' && others.length === 0);
    assert.deepEqual(
      [proof.value.vouchers?.map(({ node }) => hex(node)), proof.value.checkpoint],
      [[hex(memberOf(world, 'bravo').node)], about],
    );
  });

  test('in thousands take a bounded room (§14.3)', () => {
    const { world, alpha, left } = voter(['bravo']);
    for (let index = 0; index < 400; index += 1) {
      const about = { number: 5, previous: new Uint8Array(32).fill(index % 256).with(0, index >> 8) };
      for (const name of ['bravo', 'charlie']) say(world, alpha, 'delta', 'ballot', ballotOf(world, name, about, precommit(left)));
    }
    const { waiting, count } = alpha.state.early;
    assert.deepEqual(
      [...waiting.values()].map(({ length }) => length),
      [CONSENSUS_LIMITS.earlyBallotsPerNode, CONSENSUS_LIMITS.earlyBallotsPerNode],
    );
    assert.equal(count, 2 * CONSENSUS_LIMITS.earlyBallotsPerNode);
  });

  test('for a block that is not here make this member ask for it (§13.3)', () => {
    const { world, alpha, left, about } = voter();
    for (const name of others.slice(0, 2))
      say(world, alpha, name, 'ballot', ballotOf(world, name, about, { round: 0, step: 'prevote', value: left.position.id }));
    const asked = requests(alpha).at(-1);
    assert.ok(asked?.want.want === 'block' && hex(asked.want.id) === hex(left.position.id));
  });
});

describe('a certificate', () => {
  test('by a peer makes its block final, as soon as that is here (§13.4)', () => {
    const { world, alpha, left, about } = voter();
    sayBlock(world, alpha, left);
    answerCertificates(world, alpha, 'bravo', left, [certificateOf(world, others, about, left.position)]);
    assert.equal(checkpointOf(alpha), 1);
  });

  const faults: Record<string, (good: FinalityCertificate, few: FinalityCertificate) => FinalityCertificate> = {
    'no-quorum': (_, few) => few,
    'other-previous': (good) => ({ ...good, previous: new Uint8Array(32) }),
    'signature-wrong': (good) => ({ ...good, round: 1 }),
    'other-height': (good) => ({ ...good, height: 2 }),
  };
  for (const [reason, change] of Object.entries(faults)) {
    test(`is refused for ${reason}; the peer rests, and the good one is still taken (§13.4, §14.2)`, () => {
      const { world, alpha, left, about } = voter();
      sayBlock(world, alpha, left);
      const good = certificateOf(world, others, about, left.position);
      answerCertificates(world, alpha, 'bravo', left, [change(good, certificateOf(world, others.slice(0, 2), about, left.position))]);
      assert.equal(checkpointOf(alpha), 0);
      const last = alpha.reports.at(-1);
      assert.equal(last?.report === 'messageRefused' && last.reason, reason);
      const asked = requests(alpha).length;
      world.run(4_000);
      assert.equal(requests(alpha).length, asked);
      answerCertificates(world, alpha, 'charlie', left, [good]);
      assert.equal(checkpointOf(alpha), 1);
    });
  }

  test('that contradicts the last one stops the member: it stores both, reports them, and says nothing more, also after a restart (§13.5)', () => {
    const { world, alpha, left, right, about } = voter();
    sayBlock(world, alpha, left);
    sayBlock(world, alpha, right);
    const [first, second] = [left, right].map(({ position }) => certificateOf(world, others, about, position)) as [
      FinalityCertificate,
      FinalityCertificate,
    ];
    answerCertificates(world, alpha, 'bravo', left, [first]);
    const above = forge(world, left, 'delta', { timeMs: unixStartMs + world.nowMs });
    sayBlock(world, alpha, above);
    const kinds = kindsOf(answerCertificates(world, alpha, 'charlie', above, [second]));
    assert.deepEqual(kinds, ['persist certificate, certificate', 'report conflictingCertificates']);
    assert.deepEqual(alpha.reports.at(-1), { report: 'conflictingCertificates', first, second });
    assert.deepEqual(kindsOf(sayBlock(world, alpha, forge(world, above, 'bravo'))), []);
    assert.deepEqual(world.tell(alpha, { type: 'ticked' }), []);
    world.kill(alpha);
    alpha.effects.length = 0;
    world.boot(alpha);
    assert.deepEqual(kindsOf(alpha.effects), ['report conflictingCertificates']);
  });

  test('in a block makes the checkpoint final, though no vote was heard (§13.4)', () => {
    const { world, alpha, left, about } = voter([]);
    const vouchers = others.map((name) => voucherTransaction(world, name));
    const first = forge(world, genesisOf(world), 'bravo', { candidates: vouchers });
    const certificate = certificateOf(world, others, about, first.position);
    const second = forge(world, first, 'charlie', { candidates: [finality(certificate)] });
    assert.equal(second.block.transactions.length, 1);
    sayBlock(world, alpha, left);
    sayBlock(world, alpha, first);
    sayBlock(world, alpha, second);
    assert.equal(checkpointOf(alpha), 1);
    assert.equal(heightOf(alpha), 2);
    assert.ok(!alpha.state.tree.blocks.has(hex(left.position.id)), 'what lost is forgotten');
  });
});

test('a block below the last checkpoint, or on a branch that lost, is not taken: long-range history (§13.5)', () => {
  const { world, alpha, left, right, about } = voter();
  sayBlock(world, alpha, left);
  answerCertificates(world, alpha, 'bravo', left, [certificateOf(world, others, about, left.position)]);
  const secret = forgeChain(world, right, 5);
  for (const block of [right, ...secret]) sayBlock(world, alpha, block);
  const { orphans, held, queue } = alpha.state.arrivals;
  assert.deepEqual([alpha.state.tree.blocks.size, orphans.size, held.size, queue.size], [1, 0, 0, 0]);
  assert.equal(heightOf(alpha), 1);
});

function voucherTransaction(world: World, name: string): Uint8Array {
  const decoded = decodeVoucher(voucherOf(world, name));
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return encodeTransaction({ kind: 'voucher', voucher: decoded.value });
}

function finality(certificate: FinalityCertificate): Uint8Array {
  return encodeTransaction({ kind: 'finality', certificate });
}

test('a member that replaces the key of its vote by newer ones does not keep a checkpoint off the chain (§13.4)', () => {
  const world = new World(['alpha', 'bravo', 'charlie', 'delta']);
  const honest = ['alpha', 'bravo', 'charlie'].map((name) => world.start(name));
  const [alpha] = honest as [Actor];
  const delta = memberOf(world, 'delta');
  for (const actor of honest) say(world, actor, 'delta', 'voucher', voucherOf(world, 'delta'));
  const headMade = (): Made => ({ ...genesisOf(world), position: alpha.state.head.position });
  const isReady = (): boolean => {
    const { head, tree } = alpha.state;
    const isSettled = honest.every(({ state }) => state.head.key === head.key && state.tree.root.key === head.key && tree.root === head);
    const known = world.ledger.isKeyOf(head.position.state, delta.node, delta.operationalKey('boot').publicKey);
    return isSettled && known && byWait(world, headMade())[0] === 'delta';
  };
  assert.ok(world.runUntil(isReady, 300_000));
  const parent = headMade();
  const vouchers = [2, 3, 4, 5].map((resetCount) => {
    const key = delta.operationalKey(`boot ${resetCount}`).publicKey;
    const voucher = delta.voucher(networkId(world.network), { timeMs: 1, resetCount, restartCount: 0 }, key);
    return encodeTransaction({ kind: 'voucher', voucher });
  });
  const waitMs = drawnWaitMs(world, parent, 'delta');
  const timeMs = Math.max(world.at().unixMs, parent.position.timeMs) + waitMs;
  const block = forge(world, parent, 'delta', { candidates: vouchers, timeMs });
  assert.equal(block.block.transactions.length, 4, 'four newer keys take the place of the one that votes');
  const number = checkpointOf(alpha) + 1;
  for (const actor of honest) {
    for (const step of ['prevote', 'precommit'] as const) {
      const vote = { round: 0, step, value: block.position.id };
      say(world, actor, 'delta', 'ballot', ballotOf(world, 'delta', { number, previous: parent.position.id }, vote));
    }
  }
  world.run(waitMs + 1);
  for (const actor of honest) sayBlock(world, actor, block, 'delta');
  assert.ok(world.runUntil(() => alpha.state.head.position.state.core.checkpoint.number >= number + 3, 120_000));
  const certified = alpha.state.finality.history.get(number)?.certificate;
  assert.deepEqual(certified?.block, block.position.id);
});

test('a voter that was away for more rounds than are kept follows the others to theirs (§13.3)', () => {
  const world = new World(names, { targetIntervalMs: 400, minimumWaitMs: 15_000, epochHeights: 16 });
  const [alpha, bravo, charlie] = names.slice(0, 3).map((name) => world.start(name)) as [Actor, Actor, Actor];
  const voters = [alpha, bravo, charlie];
  for (const actor of voters) say(world, actor, 'delta', 'voucher', voucherOf(world, 'delta'));
  world.run(100_000);
  world.kill(alpha);
  const roundOf = ({ state }: Actor): number => state.finality.decision.round;
  const far = DEVICE_LIMITS.voteRoundsAhead + 10;
  for (let steps = 0; roundOf(bravo) < far && steps < 20_000; steps += 1) {
    world.run(200);
    for (const actor of [bravo, charlie]) {
      const { last, decision } = actor.state.finality;
      const about = { number: last.number + 1, previous: last.block.position.id };
      const steps = decision.cast.length > 0 ? (['prevote', 'precommit'] as const) : [];
      for (const step of steps) say(world, actor, 'delta', 'ballot', ballotOf(world, 'delta', about, { round: decision.round, step }));
    }
  }
  assert.ok(roundOf(bravo) >= far, 'votes for none by a liar keep two honest voters going round');
  const before = checkpointOf(bravo);
  world.boot(alpha);
  world.run(600_000);
  assert.ok(checkpointOf(bravo) > before, 'three honest voters of four are enough');
});
