/** What trust means elsewhere on the chain: work (§15.2), newcomers (§11.5), and judges that are silent (§19). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeState, encodeState } from '#protocol/chain/state-encoding.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest } from '#protocol/network.ts';
import { withBoxesDrawn } from '../../../device/ledger/box-draw.ts';
import { createStubMember, type StubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  attested,
  certified,
  drawOf,
  entered,
  grownTo,
  inNextSlot,
  judged,
  parameters,
  revealOf,
  plantedLog,
  trusting,
  trustOf,
  type Trusting,
} from './trust-workshop.ts';

const four = trusting(4);
const [alpha, bravo, charlie, delta] = four.members as [StubMember, StubMember, StubMember, StubMember];
const others = [bravo, charlie, delta];

describe('work goes', () => {
  /** The state with a box of alpha alone and a capsule of bravo that waits for one. */
  function waiting({ state }: Trusting): ChainState {
    const box = { node: alpha.node, box: { name: 'rack', key: alpha.node, trust: 'self-reported' as const, runtimes: ['python'] } };
    const capsule = { capsule: '0f'.repeat(16), gateway: bravo.node, digest: alpha.node, manifest: alpha.node, manifestBytes: 9 };
    const asked = { runtime: 'python', trust: 'self-reported' as const, acceptedAtMs: 1, orderedHeight: 1, attempts: [], draw: alpha.node };
    const boxes = state.boxes.with(`${hex(alpha.node)}/rack`, box);
    return { ...state, boxes, capsules: state.capsules.with(capsule.capsule, { ...capsule, ...asked, awaitsDraw: 'yes' }) };
  }
  const isDrawn = (world: Trusting): boolean => {
    const drawn = withBoxesDrawn(waiting(world), { leader: charlie.node, output: delta.node, height: world.height + 1 });
    return [...drawn.capsules.values()][0]?.attempts.length === 1;
  };

  test('to boxes of members that are trusted (§15.2, §18.6)', () => {
    assert.ok(isDrawn(four));
    assert.ok(isDrawn(certified(four, parameters.trustedCheckpoints)));
  });

  test('to none that is stale: trust that was not renewed (§18.6)', () => {
    assert.ok(!isDrawn(certified(four, parameters.trustedCheckpoints + 1)));
  });

  test('to none that a verdict speaks against, from the very block of the verdict on (§18.6)', () => {
    const accused = judged(attested(four, alpha), alpha, { word: 'untrusted', voters: others });
    assert.ok(!isDrawn(accused));
    assert.ok(isDrawn(judged(attested(inNextSlot(accused), alpha), alpha, { voters: others })));
  });

  test('on where the accusation was of a planted challenge (§18.7)', () => {
    const found = judged(attested(four, alpha, plantedLog), alpha, { word: 'untrusted', voters: others });
    assert.ok(isDrawn(entered(found, revealOf(found, alpha))));
  });

  test('on with members that were unreachable for a slot: silence is no verdict (§18.2)', () => {
    assert.equal(trustOf(inNextSlot(four), alpha).word, 'unreachable');
    assert.ok(isDrawn(inNextSlot(four)));
  });
});

test('a newcomer comes trusted, because more than two thirds of the seats have just judged it, and without credit (§18.6, §19)', () => {
  const echo = createStubMember('echo');
  const { salt } = four.context.network.genesis;
  const later = certified(four, 9);
  const applied = entered(later, encodeTransaction({ kind: 'application', card: echo.card(salt) }));
  const vouch = { action: 'vouch' as const, applicant: memberDigest(echo.member) };
  const admitted = [alpha, bravo, charlie].reduce((world, by) => entered(world, actionOf(world, by, vouch)), applied);
  const trust = { credit: 0, attestedUntil: 9 + parameters.trustedCheckpoints, word: 'trusted', judgedIn: 9, slots: [] };
  assert.deepEqual(trustOf(admitted, echo), trust);
  const { weights, seats } = drawOf(inNextSlot(certified(admitted)));
  assert.equal(weights[seats.findIndex((seat) => hex(seat) === hex(echo.node))], 0, 'it is judged, and does not judge yet');
});

test('an accused seat admits as well, or a captured committee could keep newcomers out (§11.5, §18.3)', () => {
  const echo = createStubMember('echo');
  const accused = judged(attested(four, alpha), alpha, { word: 'untrusted', voters: [bravo, charlie, delta] });
  const applied = entered(accused, encodeTransaction({ kind: 'application', card: echo.card(four.context.network.genesis.salt) }));
  const vouch = { action: 'vouch' as const, applicant: memberDigest(echo.member) };
  const admitted = [alpha, bravo, charlie].reduce((world, by) => entered(world, actionOf(world, by, vouch)), applied);
  assert.equal(admitted.state.members.get(hex(echo.node))?.standing, 'member');
});

describe('a judge that is silent', () => {
  const late = certified(four, parameters.trustedCheckpoints + 1);

  test('for more than trustedCheckpoints loses an eighth each slot, as long as it could be drawn (§19)', () => {
    const credits = [1, 2, 3, 4, 5, 6, 7]
      .reduce<Trusting[]>((worlds) => [...worlds, inNextSlot(worlds.at(-1)!)], [late])
      .map((world) => trustOf(world, alpha).credit);
    assert.deepEqual(credits, [256, 224, 196, 171, 149, 130, 113, 113]);
    assert.ok(credits.at(-1)! < LIMITS.creditToJudge);
  });

  test('loses nothing while its votes on checkpoints are missing too: it was away, and not drawn (§19)', () => {
    const away = inNextSlot(certified(four, LIMITS.voteSilenceMax, [alpha]));
    const after = inNextSlot(certified(away, parameters.trustedCheckpoints, [alpha]));
    assert.equal(trustOf(after, alpha).credit, LIMITS.creditOfFounder);
    assert.ok(trustOf(after, bravo).credit < LIMITS.creditOfFounder);
  });

  test('is one no more with a vote in a verdict, of whichever level (§19)', () => {
    const voted = judged(attested(late, alpha), alpha, { voters: others });
    assert.equal(trustOf(voted, bravo).judgedIn, parameters.trustedCheckpoints + 1);
    assert.ok(trustOf(inNextSlot(voted), bravo).credit > LIMITS.creditOfFounder);
  });
});

test('trust in a state travels and comes to the same root (§11.4)', () => {
  const world = judged(attested(grownTo(four, 40), alpha), alpha, { word: 'disputed', voters: others });
  const decoded = decodeState(encodeState(world.state), stateRoot(world.state));
  assert.ok(decoded.status === 'decoded');
  assert.deepEqual(decoded.value.members.get(hex(alpha.node))?.trust, trustOf(world, alpha));
  assert.deepEqual(decoded.value.core.draws, world.state.core.draws);
});
