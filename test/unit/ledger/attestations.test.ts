/** Evidence on the chain: whose, when and in what form (§18.1, §18.2), and what the first block of a slot does (§11.4, §18.3). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '#protocol/digest.ts';
import { encodeMemberEvidence, memberEvidenceDigest } from '#protocol/member-evidence.ts';
import { challengeAlpha } from '#protocol/chain/trust-slots.ts';
import { isTrusted } from '#protocol/chain/trust-state.ts';
import { LIMITS } from '#protocol/limits.ts';
import {
  actionOf,
  attestationOf,
  attested,
  certified,
  drawOf,
  entered,
  evidenceOf,
  grownTo,
  inNextSlot,
  judged,
  keyOf,
  momentOf,
  parameters,
  plantedLog,
  reading,
  refusalOf,
  trusting,
  trustingOf,
  timeAt,
  trustOf,
  voucherOf,
} from './trust-workshop.ts';

const world = trusting(4);
const [alpha, bravo] = [world.members[0]!, world.members[1]!];
const ready = grownTo(world, momentOf(world, alpha).height);

describe('evidence of a member', () => {
  test('stands in the state by its digest, with the boot that its quote claims (§18.2)', () => {
    const [shown] = trustOf(entered(ready, attestationOf(ready, alpha)), alpha).slots;
    const evidence = memberEvidenceDigest(evidenceOf(ready, alpha));
    const boot = { key: keyOf(alpha).publicKey, resetCount: 3, restartCount: 1 };
    assert.deepEqual(shown, { slot: 0, evidence, timeMs: timeAt(ready.height), boot, log: 'replays' });
  });

  test('comes once a slot, a replay included (§18.2)', () => {
    const after = entered(ready, attestationOf(ready, alpha));
    assert.equal(refusalOf(after, attestationOf(ready, alpha)), 'slot-known');
    assert.equal(refusalOf(after, attestationOf(after, alpha, plantedLog)), 'slot-known');
  });

  test("comes from its moment on, and the last quarter of a slot is nobody's moment (§18.1)", () => {
    for (let slot = 0, at = world; slot < 6; slot += 1, at = inNextSlot(at)) {
      for (const member of at.members) {
        const { height } = momentOf(at, member);
        assert.ok(height >= slot * 16 && height < slot * 16 + 12);
        if (height === at.height) continue;
        assert.equal(refusalOf(grownTo(at, height - 1), attestationOf(at, member)), 'moment-not-come');
        assert.equal(refusalOf(grownTo(at, height), attestationOf(at, member)), 'applied');
      }
    }
  });

  test('counts in its slot alone: late evidence is over, that of a slot to come waits (§18.1)', () => {
    assert.equal(refusalOf(inNextSlot(ready), attestationOf(ready, alpha)), 'slot-over');
    assert.equal(refusalOf(ready, attestationOf(inNextSlot(ready), alpha)), 'moment-not-come');
  });

  test('shows the VRF of its own key for this slot: another moment is refused (§18.1)', () => {
    const last = grownTo(world, 15);
    const evidence = encodeMemberEvidence(evidenceOf(last, alpha));
    const withMoment = (moment: Uint8Array) => refusalOf(last, actionOf(last, alpha, { action: 'attestation', slot: 0, moment, evidence }));
    assert.equal(withMoment(momentOf(last, bravo).proof), 'moment-wrong');
    assert.equal(withMoment(alpha.prove(challengeAlpha(last.context.networkId, drawOf(last)))), 'moment-wrong');
    assert.equal(withMoment(new Uint8Array(256)), 'moment-wrong');
    assert.equal(withMoment(momentOf(last, alpha).proof), 'applied');
  });

  test('is about the key that signs the action, in its form (§18.2)', () => {
    const moment = momentOf(ready, alpha).proof;
    const withEvidence = (evidence: Uint8Array) =>
      refusalOf(ready, actionOf(ready, alpha, { action: 'attestation', slot: 0, moment, evidence }));
    const good = evidenceOf(ready, alpha);
    assert.equal(withEvidence(encodeMemberEvidence(evidenceOf(ready, bravo))), 'evidence-key-differs');
    assert.equal(withEvidence(Uint8Array.of(1)), 'malformed');
    assert.equal(withEvidence(encodeMemberEvidence({ ...good, quote: good.quote.subarray(1) })), 'malformed');
    const time = alpha.getTime(new Uint8Array(32), reading).attestation;
    assert.equal(withEvidence(encodeMemberEvidence({ ...good, quote: time })), 'malformed');
  });

  test('is noted as bad where its log does not come to PCR 14 (§18.7)', () => {
    assert.equal(trustOf(entered(ready, attestationOf(ready, alpha, plantedLog)), alpha).slots[0]?.log, 'differs');
  });
});

describe('a network without trust in its genesis', () => {
  const without = trustingOf(world.members, undefined);

  test('has nothing of it in its state, and takes none of its transactions (§18)', () => {
    assert.equal(without.state.core.draws, undefined);
    assert.ok([...without.state.members.values()].every(({ trust }) => trust === undefined));
    const evidence = encodeMemberEvidence(evidenceOf(ready, alpha));
    const attestation = { action: 'attestation' as const, slot: 0, moment: new Uint8Array(256), evidence };
    assert.equal(refusalOf(without, actionOf(without, alpha, attestation)), 'trust-off');
    assert.equal(
      refusalOf(without, actionOf(without, alpha, { action: 'appeal', subject: bravo.node, slot: 0, ballots: [] })),
      'trust-off',
    );
    const reveal = { action: 'reveal' as const, slot: 0, proof: new Uint8Array(256), wrong: [] };
    assert.equal(refusalOf(without, actionOf(without, alpha, reveal)), 'trust-off');
  });
});

describe('the first block of a slot', () => {
  test('fixes seed, seats and weights, and keeps those of the last three slots (§18.1)', () => {
    assert.deepEqual(
      grownTo(world, 70).state.core.draws?.map(({ slot }) => slot),
      [2, 3, 4],
    );
    const { seats, weights, seed } = drawOf(world);
    assert.deepEqual([seats, [...weights]], [world.state.core.seats, [2, 2, 2, 2]]);
    assert.equal(hex(seed), hex(world.state.core.epoch.seed));
  });

  test('gives no weight to seats that have not voted lately, are accused, or lack credit (§18.3)', () => {
    const late = inNextSlot(certified(world, LIMITS.voteSilenceMax, [alpha]));
    const weightOf = (at: typeof late, member: typeof alpha) =>
      drawOf(at).weights[at.state.core.seats.findIndex((seat) => hex(seat) === hex(member.node))];
    assert.deepEqual([weightOf(late, alpha), weightOf(late, bravo)], [0, 2]);
    const accused = inNextSlot(judged(attested(world, alpha), alpha, { word: 'untrusted', voters: world.members.slice(1) }));
    assert.deepEqual([weightOf(accused, alpha), weightOf(accused, bravo)], [0, 2]);
  });

  test('finds who showed nothing in the slot before unreachable, and takes nothing from it: silence is no verdict (§18.2)', () => {
    const after = inNextSlot(attested(world, alpha));
    assert.deepEqual([trustOf(after, alpha).word, trustOf(after, bravo).word], ['trusted', 'unreachable']);
    const { word: _, ...rest } = trustOf(after, bravo);
    const { word: _before, ...before } = trustOf(world, bravo);
    assert.deepEqual(rest, before);
    assert.ok(isTrusted(trustOf(after, bravo), after.state.core.checkpoint.number));
  });

  test('never takes an accusation back for silence (§18.6)', () => {
    const accused = judged(attested(world, alpha), alpha, { word: 'disputed', voters: world.members.slice(1) });
    assert.equal(trustOf(inNextSlot(inNextSlot(accused)), alpha).word, 'disputed');
  });
});

test('an outage or partition of any length ages nobody: trust is counted in checkpoints (§18.6)', () => {
  const after = grownTo(world, 2_000);
  for (const member of world.members) {
    assert.equal(trustOf(after, member).attestedUntil, parameters.trustedCheckpoints);
    assert.equal(trustOf(after, member).credit, LIMITS.creditOfFounder);
    assert.ok(isTrusted(trustOf(after, member), after.state.core.checkpoint.number));
  }
});

test('trust that is not renewed ends by itself, after the checkpoint until which it holds (§18.6)', () => {
  const at = (count: number) => certified(world, count).state;
  assert.ok(isTrusted(trustOf(world, alpha), at(parameters.trustedCheckpoints).core.checkpoint.number));
  assert.ok(!isTrusted(trustOf(world, alpha), at(parameters.trustedCheckpoints + 1).core.checkpoint.number));
});

test('a reboot fails nobody: the next boot shows its key and evidence in the same slot (§18.4)', () => {
  const rebooted = { ...reading, resetCount: 4, restartCount: 0 };
  const after = entered(ready, voucherOf(ready, alpha, rebooted));
  assert.equal(refusalOf(after, attestationOf(after, alpha)), 'key-superseded');
  assert.equal(refusalOf(after, attestationOf(after, alpha, { boot: rebooted })), 'applied');
});
