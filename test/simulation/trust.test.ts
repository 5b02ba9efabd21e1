/** Members that judge one another in simulated networks: who is believed, who is out, what it costs to lie. Specification §18, §19. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeAction } from '#protocol/chain/signed-action.ts';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { slotOf } from '#protocol/chain/trust-slots.ts';
import { isTrusted, type MemberTrust } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { TrustParameters } from '#protocol/network.ts';
import { finalisedOf } from '../../device/consensus/machine.ts';
import { stateOf } from './checkers.ts';
import type { Host } from './host.ts';
import { runSeed } from './run-seed.ts';
import { FAULTS, scenarioOf, type Behaviour, type Role, type Wishes } from './scenario.ts';
import { World, type WorldOptions } from './world.ts';

const trust: TrustParameters = { slotHeights: 12, judges: 7, trustedCheckpoints: 36, plantedOneIn: 0 };

interface Played {
  readonly world: World;
  /** Number of the last checkpoint that the first member has finalised. */
  readonly checkpoint: number;
  readonly trustOf: (member: number) => MemberTrust;
  readonly seats: readonly string[];
}

/** A world without other faults than those that are wished, for so many heights. */
function played(heights: number, changed: Partial<TrustParameters>, wishes: Wishes, options: WorldOptions = {}): Played {
  const promised = wishes.promised ?? 'agreement-and-progress';
  const drawn = scenarioOf(7, { without: FAULTS, members: 4, promised, cheats: new Map(), heights, trust: true, ...wishes });
  const world = new World({ ...drawn, trust: { ...trust, ...changed } }, options);
  world.begin();
  world.runUntil(world.scenario.faultsEndMs);
  const [first] = world.honestHosts();
  const state = first && stateOf(first);
  assert.ok(state);
  const { position, number } = finalisedOf(state);
  return {
    world,
    checkpoint: number,
    seats: position.state.core.seats.map(hex),
    trustOf: (member) => {
      const found = position.state.members.get(world.hosts[member]?.node ?? '')?.trust;
      assert.ok(found);
      return found;
    },
  };
}

const rolesOf = (...roles: [number, Role][]): ReadonlyMap<number, Role> => new Map(roles);
const cheatsOf = (...cheats: [number, readonly Behaviour[]][]): ReadonlyMap<number, readonly Behaviour[]> => new Map(cheats);

test('honest members are judged trusted again and again, and gain credit by judging (§18.6, §19)', () => {
  const { checkpoint, trustOf, world } = played(80, {}, { roles: rolesOf() });
  for (const member of [0, 1, 2, 3]) {
    assert.equal(trustOf(member).word, 'trusted');
    assert.ok(trustOf(member).attestedUntil > checkpoint, `member ${member} until ${trustOf(member).attestedUntil} at ${checkpoint}`);
    assert.ok(trustOf(member).credit > LIMITS.creditOfFounder);
  }
  assert.ok((world.checkers.trust?.counts.trusted ?? 0) >= 16);
});

test('a member with software of no release is untrusted at once, and loses its seat to the word of all seats (§18.6)', () => {
  const { world, trustOf, seats } = played(60, {}, { roles: rolesOf([2, 'tampered']) });
  assert.equal(trustOf(2).word, 'untrusted');
  assert.ok(trustOf(2).demotedHeight !== undefined);
  assert.equal(trustOf(2).attestedUntil, trust.trustedCheckpoints);
  assert.ok(!seats.includes(world.hosts[2]?.node ?? ''));
});

test('a judge whose every word is false changes no verdict and loses credit (§18.6, §19)', () => {
  const { trustOf, world } = played(80, {}, { members: 7, roles: rolesOf([3, 'false-judge']) });
  assert.ok(trustOf(3).credit < LIMITS.creditOfFounder / 4, `credit ${trustOf(3).credit}`);
  assert.ok(trustOf(0).credit > LIMITS.creditOfFounder);
  assert.ok((world.checkers.trust?.counts.appeals ?? 0) > 0);
});

test('planted challenges are found bad and revealed; they renew nothing and cost an honest judge nothing (§18.7)', () => {
  const { trustOf, world, checkpoint } = played(120, { plantedOneIn: 2 }, { roles: rolesOf() });
  assert.ok((world.checkers.trust?.counts.revealed ?? 0) >= 4, JSON.stringify(world.checkers.trust?.counts));
  for (const member of [0, 1, 2, 3]) {
    assert.ok(isTrusted({ ...trustOf(member), word: 'trusted' }, checkpoint));
    assert.ok(trustOf(member).credit > LIMITS.creditOfFounder);
  }
});

test('a member that says nothing becomes unreachable, then stale, and keeps its seat (§18.2, §18.6)', () => {
  const { trustOf, checkpoint, seats } = played(80, {}, { roles: rolesOf(), cheats: cheatsOf([1, ['silent']]) });
  assert.equal(trustOf(1).word, 'unreachable');
  assert.ok(!isTrusted(trustOf(1), checkpoint));
  assert.equal(seats.length, 4);
  assert.ok(isTrusted(trustOf(0), checkpoint));
});

test('with two of four silent nothing is certified, and nobody ages (§18.6)', () => {
  const cheats = cheatsOf([1, ['silent']], [2, ['silent']]);
  const { trustOf, checkpoint, world } = played(100, {}, { roles: rolesOf(), promised: 'agreement', cheats });
  assert.ok(world.greatestHeight() > 2 * trust.slotHeights);
  assert.equal(checkpoint, 0);
  for (const member of [0, 1, 2, 3]) assert.ok(isTrusted(trustOf(member), checkpoint));
});

test('evidence that reaches nobody ends with its slot: its member says it no more (§14.6)', () => {
  const unheard: readonly string[] = ['transaction', 'block', 'response'];
  const intercept: NonNullable<WorldOptions['intercept']> = ({ from, kind }) => from === 3 && unheard.includes(kind);
  const { world, trustOf } = played(60, {}, { roles: rolesOf() }, { intercept });
  assert.equal(trustOf(3).word, 'unreachable');
  const state = stateOf(world.hosts[3] as Host);
  assert.ok(state);
  const held = [...state.pool.transactions.values()].flatMap(({ encoded }) => slotOfEvidence(encoded) ?? []);
  const current = slotOf(state.head.position.height + 1, trust.slotHeights);
  assert.ok(current > 2 && held.every((slot) => slot === current), `slots ${held.join(', ')} in slot ${current}`);
});

function slotOfEvidence(encoded: Uint8Array): number | undefined {
  const transaction = decodeTransaction(encoded);
  if (transaction.status === 'malformed' || transaction.value.kind !== 'signed') return undefined;
  const action = decodeAction(transaction.value.body);
  return action.status === 'decoded' && action.value.action === 'attestation' ? action.value.slot : undefined;
}

describe('under faults drawn from a seed no honest member is untrusted, bad evidence is never renewed, no judge votes twice (§18)', () => {
  for (const seed of [2, 11, 16])
    test(String(seed), () => {
      const { broken, figures } = runSeed(scenarioOf(seed, { trust: true, heights: 40 }));
      assert.equal(broken?.detail ?? '', '');
      assert.ok(figures.trust !== undefined);
    });
});
