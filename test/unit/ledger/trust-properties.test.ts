/** What no sequence of transactions about trust does, whoever signs them (§18, §19). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { judgesOf } from '#protocol/chain/judges.ts';
import { decodeState, encodeState } from '#protocol/chain/state-encoding.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { isSuspended, isTrusted } from '#protocol/chain/trust-state.ts';
import { VERDICT_WORDS } from '#protocol/chain/verdict.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { applyTransaction } from '../../../device/ledger/transaction-rules.ts';
import { chancesOf, type Chance } from '../../simulation/chance.ts';
import type { StubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  attestationOf,
  ballotOf,
  certified,
  grownTo,
  judgesFor,
  placeOf,
  plantedLog,
  revealOf,
  trusting,
  trustOf,
  verdictOf,
  type Trusting,
} from './trust-workshop.ts';

const steps = 220;

for (const seats of [1, 4, 9]) {
  for (const seed of [1, 2, 3]) {
    test(`of ${seats} seats, seed ${seed}: weights stay fourfold, demoted seats don't vote, attestedUntil never falls (§18)`, () => {
      const chance = chancesOf(seed)('trust', seats);
      let world = trusting(seats, { judges: 5, plantedOneIn: 2 });
      let taken = 0;
      for (let step = 0; step < steps; step += 1) {
        const next = stepped(world, chance);
        compare(world, next);
        taken += next.height === world.height && next.state !== world.state ? 1 : 0;
        world = next;
      }
      assert.ok(taken > (seats === 1 ? 10 : 30), `only ${taken} transactions were taken`);
      const decoded = decodeState(encodeState(world.state), stateRoot(world.state));
      assert.equal(decoded.status, 'decoded');
    });
  }
}

function stepped(world: Trusting, chance: Chance): Trusting {
  if (chance.happens(0.25)) return grownTo(world, world.height + 1 + chance.below(6));
  if (chance.happens(0.1)) return certified(world, 1 + chance.below(3), chance.some(world.members, 0.05));
  const transaction = anyTransaction(world, chance, chance.pick(world.members));
  const outcome = transaction && applyTransaction(world.state, transaction, placeOf(world));
  return outcome?.status === 'applied' ? { ...world, state: outcome.state } : world;
}

/** Proper ones for the most part: what is wrong with each is another test's. */
function anyTransaction(world: Trusting, chance: Chance, member: StubMember): Uint8Array | undefined {
  const shown = trustOf(world, member).slots.at(-1);
  if (!shown || chance.happens(0.2)) return attestationOf(world, member, chance.happens(0.3) ? plantedLog : {});
  if (chance.happens(0.1))
    return actionOf(world, chance.pick(world.members), { action: 'appeal', subject: member.node, slot: shown.slot, ballots: [] });
  if (chance.happens(0.1)) return revealOf(world, member, wrongBallots(world, chance, member), shown.slot);
  const [level, word] = [chance.below(2), chance.pick(VERDICT_WORDS)];
  const voters = judgesFor(world, member, { slot: shown.slot, level }).filter(
    (voter) => chance.happens(0.9) && voter !== (word === 'trusted' ? undefined : member),
  );
  return voters.length === 0 ? undefined : encodeTransaction(verdictOf(world, member, { level, word, voters }));
}

function wrongBallots(world: Trusting, chance: Chance, member: StubMember) {
  const slot = trustOf(world, member).slots.at(-1)!.slot;
  const judges = judgesFor(world, member, { slot, level: 0 }).toSorted((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));
  return chance.some(judges, 0.3).map((judge) => ballotOf(world, judge, member, 'trusted'));
}

function compare(before: Trusting, after: Trusting): void {
  const { core } = after.state;
  const coming = new Set(core.seatsToCome.at(-1)!.seats.map(hex));
  assert.ok(coming.size > 0, 'a network has a seat');
  const demoted = core.seats.filter((node) => after.state.members.get(hex(node))!.trust!.demotedHeight !== undefined);
  assert.ok(demoted.length <= Math.max(1, Math.floor((core.seats.length - 1) / 3)), 'at most f are demoted between two checkpoints');
  for (const member of after.members) {
    const [was, is] = [trustOf(before, member), trustOf(after, member)];
    assert.ok(is.attestedUntil >= was.attestedUntil, 'attestedUntil never falls');
    assert.ok(is.credit >= 0 && is.credit <= LIMITS.creditMax);
    assert.equal(
      coming.has(hex(member.node)),
      is.demotedHeight === undefined,
      'whoever is demoted has no seat to come, and nobody else loses one',
    );
    if (after.height > before.height) assert.equal(is.attestedUntil, was.attestedUntil, 'heights alone renew nothing');
    if (isSuspended(is)) assert.ok(!isTrusted(is, 0));
    assert.deepEqual(
      is.slots.map(({ slot }) => slot),
      [...new Set(is.slots.map(({ slot }) => slot))].sort((left, right) => left - right),
    );
    if (was.word !== is.word && is.word !== 'unreachable' && after.height === before.height) judgedByQuorum(after, member, was.word);
  }
  for (const { seats, weights } of core.draws!) {
    assert.equal(weights.length, seats.length);
    const judging = weights.filter((weight) => weight > 0);
    assert.ok(
      judging.every((weight) => weight <= LIMITS.weightMax),
      'at most four times another',
    );
  }
}

/** A word changes by a verdict whose voters hold a quorum, or back by a reveal. */
function judgedByQuorum(world: Trusting, subject: StubMember, before: string): void {
  const trust = trustOf(world, subject);
  const judged = trust.slots.findLast(
    ({ verdict, closed }) => verdict?.word === trust.word || closed === trust.word || closed === 'revealed',
  );
  assert.ok(judged, `${before} became ${trust.word} by nothing`);
  if (judged.closed || !judged.verdict) return;
  const { context } = world;
  const draw = world.state.core.draws!.find(({ slot }) => slot === judged.slot)!;
  const judges = judgesOf(
    context.networkId,
    draw,
    { subject: subject.node, slot: judged.slot, level: 0 },
    context.network.genesis.trust!.judges,
  );
  const own = judges.weights.get(hex(subject.node)) ?? 0;
  const weight = judged.verdict.voters.reduce((sum, node) => sum + judges.weights.get(hex(node))!, 0);
  assert.ok(weight + own >= quorumOf(judges.total), `${weight} of ${judges.total}`);
}
