/**
 * What is no failure of a member, and what is no pass (§18). Users of Keylime and of its peers have asked for each of these rules, in these threads:
 *
 * | threads | rule | where it is tried, if not here |
 * | --- | --- | --- |
 * | keylime #481 | a reboot is no compromise | `integration/attestation/member-evidence` (with chips), `protocol/member-evidence` (one boot, an explained reset or restart), `ledger/attestations` (a reboot fails nobody) |
 * | keylime #633 | one bad quote takes nothing for good | here; `ledger/verdicts` (of the next slot ends an accusation; level 1 gives a seat back) |
 * | keylime #996 | nobody is stuck waiting for a quote | here; `ledger/attestations` (finds who showed nothing in the slot before unreachable) |
 * | keylime #656 | a restart of the program leaks nothing of the TPM | `integration/tpm/keys` (operations leave nothing loaded), `integration/identity` (extends nothing) |
 * | keylime #1091, #1888, #1889, #1830 | a dead verifier is no pass | here; `ledger/attestations` (trust that is not renewed ends by itself), `ledger/trust-work` (to none that is stale) |
 * | keylime #1831 | a slow chip fails nobody | here |
 * | rust-keylime #293, keylime #1136, #1032 | keys outlive a restart | `integration/identity` (finds its keys; a reset gives a new operational key, and nothing else new) |
 * | keylime #358, #1167 | many verifiers, one piece of evidence | here; `ledger/verdicts` (those of the drawn judges) |
 * | keylime #370, #1693, #1721, #1814, #1817 | nobody connects to the attester | `ledger/verdicts` (needs evidence on the branch: judges read it there) |
 * | keylime #1515, #1895 | an update to a released version fails nobody | here; `integration/attestation/member-evidence` (with chips); `protocol/member-evidence` (releases overlap) |
 * | keylime #1262 | a failure is no loop | here; `ledger/verdicts` (firmware restored and rebooted, it works again) |
 * | keylime #491 | registers that differ from node to node | here |
 * | trustee #860 | reference values that are not used | here; `evidence-boot` (exactly the known measurements) |
 * | - | a partition, and an outage of the whole network | here; `ledger/attestations` (ages nobody), `ledger/trust-work` (it was away, and not drawn) |
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isTrusted } from '#protocol/chain/trust-state.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { MeasuredEvent } from '#protocol/measured-boot.ts';
import { encodeMemberEvidence, judgeMemberEvidence, type MemberEvidence } from '#protocol/member-evidence.ts';
import type { Reference } from '#protocol/network.ts';
import { stubEventLog, type StubMember } from '../../simulation/stub-tpm.ts';
import {
  attestationOf,
  attested,
  certified,
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
  timeAt,
  trusting,
  trustOf,
  verdictRefusal,
  voucherOf,
  type Trusting,
} from './trust-workshop.ts';

const world = trusting(4);
const [alpha, bravo, charlie, delta] = world.members as [StubMember, StubMember, StubMember, StubMember];
const { slotHeights, trustedCheckpoints } = parameters;
const listed: Reference[] = stubEventLog.map((event) => ({ ...event, label: event.kind }));
const isGood = (at: Trusting, member: StubMember) => isTrusted(trustOf(at, member), at.state.core.checkpoint.number);

/** What a judge says of evidence that a branch holds. */
function said(at: Trusting, member: StubMember, evidence: MemberEvidence, references = listed, atMs = timeAt(at.height)): string {
  const { core } = at.state;
  const verdict = judgeMemberEvidence(encodeMemberEvidence(evidence), {
    ...{ crypto: at.context.crypto, network: at.context.networkId, member: member.member, references, atMs },
    checkpointAtMoment: core.checkpoint.number,
    checkpointBlock: (number) => (number === core.checkpoint.number ? core.checkpoint.block : undefined),
    boot: trustOf(at, member).boot,
  });
  return 'reason' in verdict ? `${verdict.word}: ${verdict.reason}` : verdict.word;
}

describe('a slow chip', () => {
  const last = attestedAt(slotHeights - 1);

  test('has until the last height of its slot, and its verdict until the end of the next: no clock runs against it (§18.1, §18.6)', () => {
    assert.equal(refusalOf(grownTo(world, slotHeights), attestationOf(world, alpha)), 'slot-over');
    const late = grownTo(last, 2 * slotHeights - 1);
    assert.equal(verdictRefusal(late, alpha, { slot: 0 }), 'applied');
    assert.equal(verdictRefusal(grownTo(late, 2 * slotHeights), alpha, { slot: 0 }), 'slot-over');
  });
  test('of which a slot heard nothing loses neither trust nor credit, and the next slot renews it (§18.2)', () => {
    const silent = [1, 2, 3].reduce((at) => certified(inNextSlot(at)), world);
    assert.deepEqual([trustOf(silent, alpha).word, trustOf(silent, alpha).credit], ['unreachable', LIMITS.creditOfFounder]);
    assert.ok(isGood(silent, alpha));
    const back = judged(attested(silent, alpha), alpha);
    assert.deepEqual([trustOf(back, alpha).word, trustOf(back, alpha).attestedUntil], ['trusted', 3 + trustedCheckpoints]);
  });

  function attestedAt(height: number): Trusting {
    const at = grownTo(world, height);
    return entered(at, attestationOf(at, alpha));
  }
});

describe('one piece of evidence that is not good', () => {
  const shown = attested(world, alpha);

  test('and says nothing, or that too few judges hear, takes nothing: without a verdict nobody is accused (§18.5)', () => {
    for (const word of ['trusted', 'untrusted', 'disputed'] as const)
      assert.equal(verdictRefusal(shown, alpha, { word, voters: [bravo, charlie] }), 'certificate-no-quorum');
    const after = inNextSlot(shown);
    assert.equal(trustOf(after, alpha).word, 'trusted', 'it was there, and nobody speaks against it');
    assert.ok(isGood(after, alpha));
    assert.equal(verdictRefusal(attested(after, alpha), alpha), 'applied', 'nor does anything wait for that slot');
  });
  test('ends work until the next is good, and is no loop: the member shows evidence in every slot (§18.6)', () => {
    const accused = judged(attested(world, alpha, plantedLog), alpha, { word: 'untrusted', voters: [bravo, charlie, delta] });
    assert.ok(!isGood(accused, alpha));
    const next = inNextSlot(accused);
    assert.ok(isGood(judged(attested(next, alpha), alpha), alpha));
    assert.equal(trustOf(accused, alpha).credit, trustOf(world, alpha).credit, 'credit is of judges, not of the judged');
  });
});

test('dead verifiers are no pass: evidence that nobody judges renews nothing, and trust ends (§18.5, §18.6)', () => {
  let at = world;
  for (let slot = 0; slot <= trustedCheckpoints; slot += 1) at = inNextSlot(certified(attested(at, alpha)));
  assert.equal(trustOf(at, alpha).word, 'trusted', 'the last word that was said');
  assert.ok(!isGood(at, alpha), 'which has grown stale');
});

describe('an update to a released version', () => {
  const [firmware, ...others] = listed as [Reference, ...Reference[]];
  const next = new Uint8Array(32).fill(9);
  const nextLog: MeasuredEvent[] = stubEventLog.map((event) => (event.kind === 'firmware' ? { ...event, digest: next } : event));
  /** Good are the old one before slot 4, the new one from slot 2 on. */
  const windows: Reference[] = [
    { ...firmware, validUntil: beginOf(4) },
    { ...firmware, digest: next, label: 'next', validFrom: beginOf(2) },
    ...others,
  ];

  test('fails nobody in whichever slot of the overlap it falls, and an early or late one as long as it is out (§4.4, §18.4)', () => {
    assert.deepEqual(wordsOf(2), ['trusted', 'trusted', 'trusted', 'trusted', 'trusted', 'trusted']);
    assert.deepEqual(wordsOf(3), ['trusted', 'trusted', 'trusted', 'trusted', 'trusted', 'trusted']);
    assert.deepEqual(wordsOf(4), ['trusted', 'trusted', 'trusted', 'trusted', 'trusted', 'trusted']);
    assert.deepEqual(wordsOf(1), ['trusted', 'untrusted: release-not-begun', 'trusted', 'trusted', 'trusted', 'trusted']);
    assert.deepEqual(wordsOf(5), ['trusted', 'trusted', 'trusted', 'trusted', 'untrusted: release-over', 'trusted']);
  });

  function beginOf(slot: number): number {
    return timeAt(slot * slotHeights) / 1_000;
  }

  /** Slot by slot, of a member that reboots into the next release with the beginning of this one. */
  function wordsOf(updatesIn: number): string[] {
    const updated = { ...reading, resetCount: reading.resetCount + 1, restartCount: 0 };
    const words: string[] = [];
    for (let slot = 0, at = world; slot < 6; slot += 1, at = inNextSlot(at)) {
      if (slot === updatesIn) at = entered(at, voucherOf(at, alpha, updated));
      const shows = slot < updatesIn ? {} : { boot: updated, eventLog: nextLog };
      at = attested(at, alpha, shows);
      words.push(said(at, alpha, evidenceOf(at, alpha, shows), windows));
      if (words.at(-1) === 'trusted') at = judged(at, alpha);
    }
    return words;
  }
});

describe('registers that differ from node to node', () => {
  test('are judged by one list: PCR 8 by the own key, PCR 14 by what was measured, in whatever order (§3.3)', () => {
    const board = new Uint8Array(32).fill(4);
    const references: Reference[] = [...listed, { kind: 'board', digest: board, label: 'another board' }];
    const logs = [
      stubEventLog,
      stubEventLog.toReversed(),
      stubEventLog.map((event) => (event.kind === 'board' ? { ...event, digest: board } : event)),
    ];
    const pairs = logs.map((eventLog, index) => [world.members[index] ?? alpha, eventLog] as const);
    const shown = pairs.map(([member, eventLog]) => evidenceOf(world, member, { eventLog }));
    assert.equal(new Set(shown.map(({ pcrs }) => pcrs.pcr14.toHex())).size, 3);
    assert.deepEqual(
      pairs.map(([member], index) => said(world, member, shown[index] ?? assert.fail(), references)),
      ['trusted', 'trusted', 'trusted'],
    );
  });
  test('are trusted by no list that is empty, or lacks a kind: reference values are never silently unused (§3.3)', () => {
    assert.equal(said(world, alpha, evidenceOf(world, alpha), []), 'untrusted: measurement-unknown');
    for (const { kind } of listed)
      assert.equal(
        said(
          world,
          alpha,
          evidenceOf(world, alpha),
          listed.filter((one) => one.kind !== kind),
        ),
        'untrusted: measurement-unknown',
      );
  });
});

describe('a partition', () => {
  /** The three finalise so many checkpoints without delta. */
  const without = (checkpoints: number) => inNextSlot(certified(inNextSlot(world), checkpoints, [delta]));

  test('that ends before trust does costs who was cut off nothing (§18.2, §19)', () => {
    const healed = without(trustedCheckpoints);
    assert.deepEqual([trustOf(healed, delta).word, trustOf(healed, delta).credit], ['unreachable', LIMITS.creditOfFounder]);
    assert.ok(isGood(healed, delta));
    assert.ok(isGood(judged(attested(healed, delta), delta), delta));
  });
  test('that is longer lets trust grow stale, accuses nobody, leaves the seat, and the first verdict renews it (§18.6)', () => {
    const healed = without(trustedCheckpoints + 1);
    assert.ok(!isGood(healed, delta));
    assert.deepEqual([trustOf(healed, delta).word, trustOf(healed, delta).demotedHeight], ['unreachable', undefined]);
    assert.ok(healed.state.core.seats.some((seat) => Buffer.from(seat).equals(delta.node)));
    assert.ok(isGood(judged(attested(healed, delta), delta), delta));
  });
  test('of halves, in which nothing is certified, ages neither (§18.6)', () => {
    const halves = grownTo(world, 30 * slotHeights);
    for (const member of world.members) assert.ok(isGood(halves, member));
  });
});

describe('an outage of the whole network', () => {
  const year = 365 * 24 * 3_600_000;

  test('makes no evidence old: the last certified checkpoint is fresh however long ago it was (§18.2)', () => {
    const before = certified(world);
    assert.equal(said(before, alpha, evidenceOf(before, alpha), listed, timeAt(before.height) + year), 'trusted');
  });
  test('after which everybody boots anew fails nobody (§18.4)', () => {
    const rebooted = { ...reading, resetCount: reading.resetCount + 1, restartCount: 0 };
    let at = judgedAll(world);
    at = world.members.reduce((next, member) => entered(next, voucherOf(next, member, rebooted)), grownTo(at, 40 * slotHeights));
    for (const member of world.members) {
      const shown = evidenceOf(at, member, { boot: rebooted });
      assert.equal(said(at, member, shown, listed, timeAt(at.height) + year), 'trusted');
      assert.equal(keyOf(member, rebooted).publicKey.toHex(), shown.operationalKey.toHex());
    }
    assert.ok(world.members.every((member) => isGood(at, member)));
  });

  /** With a verdict on each, so that the state remembers a boot of each. */
  function judgedAll(from: Trusting): Trusting {
    const inOrder = from.members.toSorted((left, right) => momentOf(from, left).height - momentOf(from, right).height);
    return inOrder.reduce((at, member) => judged(attested(at, member), member), from);
  }
});
