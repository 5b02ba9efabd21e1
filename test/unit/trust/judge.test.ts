/** What a judge says of evidence that it hears, and what others can make it do. Specification §18.5, §14.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { VerdictBallotMessage, VerdictProposalMessage, verdictInstance, verdictValue, type VerdictWord } from '#protocol/chain/verdict.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { memberEvidenceDigest } from '#protocol/member-evidence.ts';
import type { Reference } from '#protocol/network.ts';
import { peekSigned, signMessage } from '#protocol/signed.ts';
import type { KeptVerdictVotes, TrustEffect } from '../../../device/trust/events.ts';
import { TRUST_LIMITS } from '../../../device/trust/limits.ts';
import { startTrust, stepTrust, type TrustState } from '../../../device/trust/machine.ts';
import { stubEventLog, type StubMember } from '../../simulation/stub-tpm.ts';
import {
  attestationOf,
  certified,
  evidenceOf,
  grownTo,
  keyOf,
  plantedLog,
  timeAt,
  trusting,
  type Shown,
} from '../ledger/trust-workshop.ts';

const released = stubEventLog.map((event) => ({ ...event, label: event.kind }));
const world = grownTo(certified(trusting(4, { plantedOneIn: 0 })), 13);
const [judge, subject, other] = world.members as [StubMember, StubMember, StubMember];

interface Bench {
  readonly state: TrustState;
  readonly tell: (event: Parameters<typeof stepTrust>[1]) => TrustEffect[];
  readonly checks: () => number;
}

/** A judge at the head of the world. */
function bench(given: { references?: readonly Reference[]; kept?: readonly KeptVerdictVotes[]; votesFromSlot?: number } = {}): Bench {
  const { context, state: chain } = world;
  const { publicKey, sign } = keyOf(judge);
  let checks = 0;
  const verifyEd25519: typeof context.crypto.verifyEd25519 = (...signed) => {
    checks += 1;
    return context.crypto.verifyEd25519(...signed);
  };
  const state = startTrust({
    network: { ...context.network, references: [...(given.references ?? released)] },
    ...{ trust: context.network.genesis.trust!, node: judge.node, operationalKey: publicKey, sign },
    ...{
      crypto: { ...context.crypto, verifyEd25519 },
      blockAt: () => undefined,
      kept: given.kept ?? [],
      votesFromSlot: given.votesFromSlot ?? 0,
    },
  });
  const position = { id: subject.node, height: 0, timeMs: timeAt(world.height), state: chain };
  stepTrust(state, { type: 'headMoved', head: position, nowMs: 0 });
  stepTrust(state, { type: 'headMoved', head: { ...position, id: judge.node, height: world.height }, nowMs: 0 });
  return { state, tell: (event) => stepTrust(state, event), checks: () => checks };
}

function hear(at: Bench, member: StubMember, shown: Shown = {}): TrustEffect[] {
  return at.tell({ type: 'transactionHeard', transaction: attestationOf(world, member, shown), nowMs: 1 });
}

function valueOf(member: StubMember, word: VerdictWord, shown: Shown = {}): Uint8Array {
  return verdictValue(word, memberEvidenceDigest(evidenceOf(world, member, shown)));
}

function ballotOf(voter: StubMember, value: Uint8Array, about: StubMember, signer = voter): Uint8Array {
  const instance = verdictInstance(world.context.networkId, { subject: about.node, slot: 0, level: 0 });
  const ballot = { network: world.context.networkId, instance, round: 0, step: 'prevote' as const, value, node: voter.node };
  return signMessage(VerdictBallotMessage, ballot, keyOf(signer).sign);
}

/** A prevote of the third member on the subject, in a round. */
function inRound(value: Uint8Array, round: number): Uint8Array {
  const peeked = peekSigned(VerdictBallotMessage, ballotOf(other, value, subject));
  assert.ok(peeked.status === 'decoded');
  return signMessage(VerdictBallotMessage, { ...peeked.value, round }, keyOf(other).sign);
}

const saidIn = (effects: readonly TrustEffect[]) =>
  effects.flatMap((effect) => {
    const ballot = effect.effect === 'broadcast' ? peekSigned(VerdictBallotMessage, effect.payload) : undefined;
    return ballot?.status === 'decoded' && sameBytes(ballot.value.node, judge.node) ? [ballot.value] : [];
  });

const found: readonly [string, Shown, VerdictWord][] = [
  ['trusted', {}, 'trusted'],
  ['untrusted, of a log that differs,', plantedLog, 'untrusted'],
  [
    'untrusted, of software that no release knows,',
    { eventLog: stubEventLog.map((event) => ({ ...event, digest: event.digest.toReversed() })) },
    'untrusted',
  ],
];
for (const [word, shown, expected] of found)
  test(`a judge votes ${word} for what it finds, and its ballot is stored before it is said (§18.5, §14.4)`, () => {
    const effects = hear(bench(), subject, shown);
    const [ballot] = saidIn(effects);
    assert.equal(hex(ballot?.value ?? new Uint8Array()), hex(valueOf(subject, expected, shown)));
    const order = effects.map(({ effect }) => effect);
    assert.ok(order.indexOf('keepVotes') >= 0 && order.indexOf('keepVotes') < order.indexOf('broadcast'), order.join());
  });

test('a judge that was started anew casts its ballot again as it was, though it finds another word now (§14.4)', () => {
  const effects = hear(bench(), subject);
  const kept = effects.filter((effect) => effect.effect === 'keepVotes');
  const again = hear(bench({ references: [], kept }), subject);
  assert.deepEqual(
    saidIn(again).map(({ round, step, value }) => [round, step, hex(value ?? new Uint8Array())]),
    [[0, 'prevote', hex(valueOf(subject, 'trusted'))]],
  );
});

test('a judge that may have lost ballots of a slot says none there (§14.4)', () => {
  assert.deepEqual(saidIn(hear(bench({ votesFromSlot: 1 }), subject)), []);
});

test('what three of four say of evidence that stands on no branch yet waits for it (§18.5)', () => {
  const at = bench();
  hear(at, subject);
  const value = valueOf(subject, 'trusted');
  const said = (step: 'prevote' | 'precommit') => (voter: StubMember) => {
    const peeked = peekSigned(VerdictBallotMessage, ballotOf(voter, value, subject));
    assert.ok(peeked.status === 'decoded');
    const payload = signMessage(VerdictBallotMessage, { ...peeked.value, step }, keyOf(voter).sign);
    return at.tell({ type: 'received', from: 'bravo', payload, nowMs: 2 });
  };
  [subject, other].forEach(said('prevote'));
  const effects = [subject, other].flatMap(said('precommit'));
  assert.ok(effects.every(({ effect }) => effect !== 'submit'));
  assert.deepEqual([...at.state.cases.values()].filter(({ decided }) => decided).length, 1);
});

test('two words of one judge in one step are a proof, said once (§18.5)', () => {
  const at = bench();
  hear(at, subject);
  at.tell({ type: 'received', from: 'bravo', payload: ballotOf(other, valueOf(subject, 'trusted'), subject), nowMs: 2 });
  const effects = at.tell({ type: 'received', from: 'delta', payload: ballotOf(other, valueOf(subject, 'untrusted'), subject), nowMs: 3 });
  const [submitted] = effects.filter((effect) => effect.effect === 'submit');
  const transaction = submitted && decodeTransaction(submitted.transaction);
  assert.ok(transaction?.status === 'decoded' && transaction.value.kind === 'equivocation' && transaction.value.of === 'verdict-ballot');
  assert.equal(submitted?.gossip, 'said');
});

test('a ballot that another has signed counts for nobody, and a peer makes only so many signatures be checked (§14.3)', () => {
  const at = bench();
  hear(at, subject);
  const before = at.checks();
  for (let count = 0; count < 500; count += 1) {
    const value = new Uint8Array(32).fill(count & 255).with(1, count >> 8);
    const effects = at.tell({ type: 'received', from: 'mallory', payload: ballotOf(other, value, subject, judge), nowMs: 2 });
    assert.ok(effects.every(({ effect }) => effect !== 'broadcast'));
  }
  assert.ok(at.checks() - before <= TRUST_LIMITS.failedChecksPerHead * 4, `${at.checks() - before} checks`);
  assert.ok(at.state.early.size <= TRUST_LIMITS.earlyPerPeerMax);
});

test('judges are those of the branch: another draw opens the judgement anew, and what was kept forbids a second ballot (§18.3, §14.4)', () => {
  const at = bench();
  const [first] = saidIn(hear(at, subject));
  const payload = ballotOf(other, valueOf(subject, 'trusted'), subject);
  at.tell({ type: 'received', from: 'bravo', payload, nowMs: 2 });
  const head = at.state.head!;
  const { core } = head.state;
  const draws = core.draws!.map((draw) => ({ ...draw, seats: draw.seats.filter((seat) => !sameBytes(seat, other.node)) }));
  const level0 = () => [...at.state.cases.values()].find(({ level, subject: about }) => level === 0 && sameBytes(about, subject.node))!;
  assert.ok(level0().judges.weights.has(hex(other.node)));
  const moved = at.tell({
    type: 'headMoved',
    head: { ...head, id: other.node, state: { ...head.state, core: { ...core, draws } } },
    nowMs: 3,
  });
  assert.deepEqual([level0().judges.weights.has(hex(other.node)), level0().judges.total], [false, 3]);
  const again = saidIn(moved);
  assert.ok(again.length > 0, 'its ballot is said again to the judges of this branch');
  assert.ok(again.every(({ round, step, value }) => round === 0 && step === 'prevote' && value && sameBytes(value, first!.value!)));
  at.tell({ type: 'headMoved', head: { ...head, id: judge.node }, nowMs: 4 });
  at.tell({ type: 'received', from: 'bravo', payload, nowMs: 5 });
  assert.equal(level0().slots.size, 1, 'ballots that are said again count again');
  const same = level0();
  const copied = core.draws!.map((draw) => structuredClone(draw));
  at.tell({ type: 'headMoved', head: { ...head, id: other.node, state: { ...head.state, core: { ...core, draws: copied } } }, nowMs: 6 });
  assert.equal(level0(), same, 'the same draw changes nothing');
});

test('values that mean nothing crowd out no word that an appeal would show (§18.5, §18.6)', () => {
  const at = bench();
  hear(at, subject);
  const [bad, level0] = [valueOf(subject, 'untrusted'), () => [...at.state.cases.values()].find(({ level }) => level === 0)!];
  for (let round = 0; round < 8; round += 1)
    at.tell({ type: 'received', from: 'm', payload: inRound(new Uint8Array(32).fill(round), round), nowMs: 2 });
  at.tell({ type: 'received', from: 'm', payload: inRound(bad, 8), nowMs: 2 });
  assert.deepEqual([...level0().said.get(hex(other.node))!.keys()], [hex(bad)]);
});

test('a proposal is passed on once all prevotes that it shows hold; one that does not is charged to who brings it (§14.3)', () => {
  const value = valueOf(subject, 'trusted');
  const third = world.members[3]!;
  const proposalWith = (proposer: StubMember, round: number, prevotes: readonly (readonly [StubMember, Uint8Array])[]): Uint8Array => {
    const instance = verdictInstance(world.context.networkId, { subject: subject.node, slot: 0, level: 0 });
    const shown = prevotes.map(([voter, envelope]) => ({ key: keyOf(voter).publicKey, envelope }));
    const proposal = { network: world.context.networkId, instance, round, value, validRound: 0, prevotes: shown, node: proposer.node };
    return signMessage(VerdictProposalMessage, proposal, keyOf(proposer).sign);
  };
  const good = [subject, other, third].map((voter) => [voter, ballotOf(voter, value, subject)] as const);
  const forged = good.with(2, [third, ballotOf(third, value, subject, other)]);
  const at = bench();
  hear(at, subject);
  const tell = (payload: Uint8Array) => at.tell({ type: 'received', from: 'mallory', payload, nowMs: 2 });
  const isPassedOn = (payload: Uint8Array): boolean =>
    tell(payload).some((effect) => effect.effect === 'broadcast' && sameBytes(effect.payload, payload));
  assert.equal(isPassedOn(proposalWith(other, 1, forged)), false);
  assert.equal(at.state.failedChecks.get('mallory'), 3);
  assert.equal(isPassedOn(proposalWith(other, 2, good.with(2, good[1]!))), false, 'one prevote twice');
  const before = at.checks();
  for (let count = 0; count < 100; count += 1) tell(proposalWith(other, 1, forged.toSpliced(count % 2, 1)));
  assert.equal(at.checks(), before, 'a judge has one try in a round');
  assert.equal(isPassedOn(proposalWith(other, 3, good)), true);
});

test('foreign bytes are passed over (§14.3)', () => {
  const at = bench();
  hear(at, subject);
  const good = ballotOf(other, valueOf(subject, 'trusted'), subject);
  for (let length = 0; length < good.length; length += 1) {
    at.tell({ type: 'received', from: 'mallory', payload: good.subarray(0, length), nowMs: 2 });
    at.tell({ type: 'received', from: `m${length}`, payload: good.with(length, (good[length] ?? 0) ^ 1), nowMs: 2 });
  }
  for (const one of at.state.cases.values()) assert.ok(one.said.size <= 1, 'a changed ballot counts');
});

test('ballots on evidence that nobody has shown yet wait, and count when it is there (§14.3)', () => {
  const at = bench();
  at.tell({ type: 'received', from: 'bravo', payload: ballotOf(other, valueOf(subject, 'trusted'), subject), nowMs: 1 });
  assert.equal(at.state.early.size, 1);
  hear(at, subject);
  const head = at.state.head!;
  at.tell({ type: 'headMoved', head: { ...head, id: other.node }, nowMs: 3 });
  const one = [...at.state.cases.values()].find(({ level }) => level === 0);
  assert.ok(one?.said.has(hex(other.node)));
});
