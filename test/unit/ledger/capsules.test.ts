/** Capsules on the chain: ordered by gateways, drawn by blocks, ended by executors (§15). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CapsuleRecord } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { StubMember } from '../../simulation/stub-tpm.ts';
import {
  offering,
  capsule,
  nowMs,
  submission,
  ordered,
  drawn,
  capsuleOf,
  executorOf,
  says,
  ledBy,
  givenUp,
  redrawn,
} from './capsule-workshop.ts';
import {
  actionOf,
  alpha,
  boxesOf,
  bravo,
  capsuleId,
  charlie,
  delta,
  epochStartMs,
  extended,
  finalised,
  finalityOf,
  founders,
  grown,
  headOf,
  ledger,
  readyChain,
  reasonOf,
  refusalOf,
  submissionOf,
  type Chain,
} from './workshop.ts';

const receiptOf = (chain: Chain, change: Partial<ActionOf<'receipt'>> = {}): ActionOf<'receipt'> => ({
  action: 'receipt',
  capsule,
  attempt: capsuleOf(chain).attempts.length,
  receipt: new Uint8Array(32).fill(4),
  state: 'agreed',
  ...change,
});

describe('a box is drawn', () => {
  test('by the block after the one that orders the capsule, and not by that one (§15)', () => {
    assert.deepEqual(capsuleOf(ordered).attempts, []);
    assert.equal(capsuleOf(ordered).awaitsDraw, 'yes');
    assert.equal(capsuleOf(drawn).attempts[0]!.height, headOf(drawn).height);
    assert.equal(capsuleOf(drawn).awaitsDraw, 'no');
  });
  test('by two blocks of two other members than the gateway, of which the one that orders may be the first (§15.2)', () => {
    const own = extended(ordered, alpha);
    assert.deepEqual(capsuleOf(own).attempts, []);
    assert.equal(capsuleOf(extended(own, delta)).attempts[0]!.height, headOf(own).height + 1);
    const byItself = extended(offering, alpha, [submission]);
    assert.deepEqual(capsuleOf(ledBy(byItself, bravo)).attempts, []);
    assert.equal(capsuleOf(ledBy(byItself, bravo, delta)).attempts.length, 1);
    const again = extended(extended(drawn, bravo, [givenUp(drawn)]), alpha);
    assert.equal(capsuleOf(again).attempts.length, 1);
    assert.equal(capsuleOf(extended(again, delta)).attempts.length, 2);
  });
  test('by no pair: the member that leads the first block knows its outputs, and leads the second only four heights above (§15.2)', () => {
    const waiting = ledBy(ordered, ...Array.from({ length: LIMITS.drawOtherLeaderHeights - 1 }, () => bravo));
    assert.deepEqual(capsuleOf(waiting).attempts, []);
    assert.equal(capsuleOf(extended(waiting, bravo)).attempts.length, 1);
  });
  test('by the first of the two as much as by the second: neither leader alone knows the draw (§15.2)', () => {
    const many = Array.from({ length: 40 }, (_, index) => actionOf(alpha, submissionOf(100 + index, { acceptedAtMs: nowMs })));
    const drawnBy = (first: StubMember): string =>
      ledBy(extended(offering, first, many), charlie)
        .positions.at(-1)!
        .state.capsules.values()
        .map(({ attempts }) => hex(attempts[0]!.node))
        .toArray()
        .join();
    assert.notEqual(drawnBy(bravo), drawnBy(delta));
  });
  test('by the next block while no other member leads: with one seat, or with newcomers whose draws do not count yet (§15.2)', () => {
    const others = [bravo, charlie, delta].map((member) => actionOf(member, { action: 'leave' }));
    const alone = finalised(extended(readyChain, alpha, [...others, actionOf(alpha, boxesOf(1, 'box'))]));
    assert.equal(headOf(alone).state.core.seats.length, 1);
    assert.equal(capsuleOf(extended(extended(alone, alpha, [submission]), alpha)).attempts.length, 1);
    const head = headOf(ordered);
    const { members } = [bravo, charlie, delta].reduce(
      (state, { node }) => ({ members: state.members.with(hex(node), { ...state.members.get(hex(node))!, drawsFromEpoch: 3 }) }),
      { members: head.state.members },
    );
    const early = { ...ordered, positions: [...ordered.positions.slice(0, -1), { ...head, state: { ...head.state, members } }] };
    assert.equal(capsuleOf(extended(early, alpha)).attempts.length, 1);
  });
  test('by that block’s own draw: another leader, other boxes (§15)', () => {
    const nodes = Array.from({ length: 40 }, (_, index) => actionOf(alpha, submissionOf(100 + index, { acceptedAtMs: nowMs })));
    const waiting = extended(offering, bravo, nodes);
    const [left, right] = [extended(waiting, charlie), extended(waiting, delta)].map((chain) =>
      headOf(chain)
        .state.capsules.values()
        .map(({ attempts }) => hex(attempts[0]!.node))
        .toArray(),
    );
    assert.notDeepEqual(left, right);
    assert.equal(new Set(left).size, 3);
  });
  test('with the runtime and the trust that the capsule asks for; a later block draws it when none fits (§15)', () => {
    const strange = extended(offering, alpha, [actionOf(alpha, submissionOf(2, { acceptedAtMs: nowMs, runtime: 'fortran' }))]);
    const waiting = grown(strange, 2);
    assert.deepEqual(capsuleOf(waiting, 2).attempts, []);
    const box = { name: 'f', key: new Uint8Array(32).fill(9), trust: 'self-reported' as const, runtimes: ['fortran'] };
    const offered = extended(waiting, alpha, [actionOf(alpha, { action: 'boxes', serial: 1, boxes: [box] })]);
    const last = ledBy(offered, bravo, charlie);
    assert.deepEqual(
      capsuleOf(last, 2).attempts.map(({ node, box }) => [node, box]),
      [[alpha.node, 'f']],
    );
  });
  test('not tried before, and again where all were tried (§15)', () => {
    const third = redrawn(redrawn(drawn));
    assert.equal(new Set(capsuleOf(third).attempts.map(({ node }) => hex(node))).size, 3);
    const alone = extended(extended(readyChain, alpha, [actionOf(bravo, boxesOf(1, 'box'))]), bravo, [submission]);
    const once = extended(alone, charlie);
    const twice = redrawn(once);
    assert.deepEqual(
      capsuleOf(twice).attempts.map(({ node }) => hex(node)),
      [hex(bravo.node), hex(bravo.node)],
    );
  });
  test('of members whose vote stands in one of the last 16 certificates; while there are fewer, of all (§15)', () => {
    let chain = offering;
    const three = [alpha, bravo, charlie];
    for (let number = 0; number < LIMITS.voteSilenceMax; number += 1) chain = finalised(chain, three);
    const many = Array.from({ length: 30 }, (_, index) =>
      actionOf(alpha, submissionOf(200 + index, { acceptedAtMs: headOf(chain).timeMs })),
    );
    const silent = extended(extended(chain, bravo, many), charlie);
    const nodes = new Set(
      headOf(silent)
        .state.capsules.values()
        .map(({ attempts }) => hex(attempts[0]!.node)),
    );
    assert.deepEqual(nodes, new Set([hex(bravo.node), hex(charlie.node)]));
  });
  test('of nobody who has left (§11.5)', () => {
    const left = extended(offering, alpha, [actionOf(bravo, { action: 'leave' }), actionOf(charlie, { action: 'leave' }), submission]);
    assert.equal(hex(capsuleOf(ledBy(left, delta, bravo)).attempts[0]!.node), hex(delta.node));
  });
  test('for as many capsules as the ranking of a block allows, in the order of ordering (§15)', () => {
    const names = Array.from({ length: LIMITS.chainBoxesPerMemberMax }, (_, index) => `b${String(index).padStart(2, '0')}`);
    const rich = extended(
      readyChain,
      alpha,
      founders.map((member) => actionOf(member, boxesOf(1, ...names))),
    );
    const many = Array.from({ length: 20 }, (_, index) => actionOf(alpha, submissionOf(index, { acceptedAtMs: nowMs })));
    const waiting = extended(rich, delta, many);
    const open = (chain: Chain): number =>
      headOf(chain)
        .state.capsules.values()
        .filter(({ awaitsDraw }) => awaitsDraw === 'yes')
        .toArray().length;
    assert.deepEqual(
      [waiting, ledBy(waiting, bravo), ledBy(waiting, bravo, charlie), ledBy(waiting, bravo, charlie, bravo)].map(open),
      [20, 12, 4, 0],
    );
  });
});

describe('a submission is refused', () => {
  test('that is known: a replay does nothing (§11.3)', () => assert.equal(refusalOf(ordered, submission), 'capsule-known'));
  test("that names the capsule of another gateway, before it or after it: nobody takes another's id (§15.1)", () => {
    for (const chain of [offering, ordered]) assert.equal(says(chain, bravo, submissionOf(1, { acceptedAtMs: nowMs })), 'capsule-mismatch');
    const own = submissionOf(1, { acceptedAtMs: nowMs }, bravo);
    assert.equal(says(ordered, bravo, own), 'accepted');
    for (const change of [{ requestDigest: new Uint8Array(32) }, { digest: new Uint8Array(32) }, { capsule: capsuleId(2, bravo) }])
      assert.equal(says(ordered, bravo, { ...own, ...change }), 'capsule-mismatch', Object.keys(change).join());
  });
  test('accepted more than an hour ago, or in the future (§15)', () => {
    const at = (acceptedAtMs: number): string => says(offering, alpha, submissionOf(2, { acceptedAtMs }));
    assert.equal(at(nowMs - LIMITS.submissionAgeMaxMs), 'accepted');
    assert.equal(at(nowMs - LIMITS.submissionAgeMaxMs - 1), 'submission-too-old');
    assert.equal(at(nowMs + LIMITS.clockSkewMaxMs), 'accepted');
    assert.equal(at(nowMs + LIMITS.clockSkewMaxMs + 1), 'submission-too-early');
  });
  test('whose deadline has passed (§15)', () => {
    assert.equal(says(offering, alpha, submissionOf(2, { acceptedAtMs: nowMs, deadlineMs: nowMs - 1 })), 'deadline-passed');
    assert.equal(says(offering, alpha, submissionOf(2, { acceptedAtMs: nowMs, deadlineMs: nowMs })), 'accepted');
  });
  test('while too many capsules have no end, or too many are remembered (§10)', () => {
    const crowded = (count: number, change: Partial<CapsuleRecord>): Chain => {
      const head = headOf(drawn);
      let { capsules } = head.state;
      const record = { ...capsuleOf(drawn), ...change };
      for (let index = 0; index < count; index += 1) capsules = capsules.with(capsuleId(1_000 + index), record);
      return { ...drawn, positions: [...drawn.positions.slice(0, -1), { ...head, state: { ...head.state, capsules } }] };
    };
    const another = actionOf(alpha, submissionOf(2, { acceptedAtMs: nowMs }));
    const ended = { end: { state: 'agreed', height: 1 } } as const;
    assert.equal(refusalOf(crowded(LIMITS.chainCapsulesMax, {}), another), 'capsules-full');
    assert.equal(refusalOf(crowded(LIMITS.chainCapsulesMax, ended), another), 'accepted');
    assert.equal(refusalOf(crowded(LIMITS.chainCapsulesKeptMax, ended), another), 'capsules-full');
  });
  test('of a gateway that has its share of open or of remembered capsules, and of no other (§15.1)', () => {
    const crowded = (count: number, change: Partial<CapsuleRecord>): Chain => {
      const head = headOf(offering);
      let { capsules } = head.state;
      const record = { ...capsuleOf(drawn), gateway: delta.node, ...change };
      for (let index = 0; index < count; index += 1) capsules = capsules.with(capsuleId(1_000 + index), record);
      return { ...offering, positions: [...offering.positions.slice(0, -1), { ...head, state: { ...head.state, capsules } }] };
    };
    const ended = { end: { state: 'agreed', height: 1 } } as const;
    const [openMax, keptMax] = [LIMITS.chainCapsulesMax / founders.length, LIMITS.chainCapsulesKeptMax / founders.length];
    const another = (gateway: typeof alpha) => submissionOf(2, { acceptedAtMs: nowMs }, gateway);
    assert.equal(says(crowded(openMax - 1, {}), delta, another(delta)), 'accepted');
    assert.equal(says(crowded(openMax, {}), delta, another(delta)), 'gateway-full');
    assert.equal(says(crowded(openMax, {}), alpha, another(alpha)), 'accepted');
    assert.equal(says(crowded(keptMax - 1, ended), delta, another(delta)), 'accepted');
    assert.equal(says(crowded(keptMax, ended), delta, another(delta)), 'gateway-full');
    assert.equal(says(crowded(keptMax, ended), alpha, another(alpha)), 'accepted');
  });
  test('of a gateway of many only above 64 (§15.1)', () => {
    const head = headOf(offering);
    let { capsules } = head.state;
    for (let index = 0; index < LIMITS.gatewayCapsulesMin - 1; index += 1)
      capsules = capsules.with(capsuleId(1_000 + index), capsuleOf(drawn));
    const seats = Array.from({ length: 1_024 }, () => alpha.node);
    const many = { ...head, state: { ...head.state, capsules, core: { ...head.state.core, seats } } };
    const chain = { ...offering, positions: [...offering.positions.slice(0, -1), many] };
    assert.equal(refusalOf(chain, submission), 'accepted');
    const full = { ...many, state: { ...many.state, capsules: capsules.with(capsuleId(9_000), capsuleOf(drawn)) } };
    assert.equal(refusalOf({ ...chain, positions: [...offering.positions.slice(0, -1), full] }, submission), 'gateway-full');
  });
});

describe('a receipt', () => {
  test('of the executor ends the capsule (§15)', () => {
    const done = extended(drawn, alpha, [actionOf(executorOf(drawn), receiptOf(drawn, { state: 'failed', reason: 'exit-status' }))]);
    const end = { state: 'failed', reason: 'exit-status', receipt: new Uint8Array(32).fill(4), height: headOf(done).height };
    assert.deepEqual(capsuleOf(done).end, end);
  });
  test('of anybody else is refused, the gateway included (§15)', () => {
    assert.equal(says(drawn, alpha, receiptOf(drawn)), 'not-the-executor');
    const other = [bravo, charlie].find((member) => member !== executorOf(drawn))!;
    assert.equal(says(drawn, other, receiptOf(drawn)), 'not-the-executor');
  });
  test('comes once, for a capsule that is known (§11.3)', () => {
    const receipt = actionOf(executorOf(drawn), receiptOf(drawn));
    assert.equal(refusalOf(extended(drawn, alpha, [receipt]), receipt), 'capsule-ended');
    assert.equal(says(drawn, bravo, receiptOf(drawn, { capsule: capsuleId(9) })), 'capsule-unknown');
  });
  test('of an attempt that was given up is refused (§15)', () => {
    const given = extended(drawn, delta, [givenUp(drawn)]);
    assert.equal(says(given, executorOf(drawn), receiptOf(drawn)), 'awaits-draw');
    assert.equal(says(extended(given, bravo), executorOf(drawn), receiptOf(drawn)), 'other-attempt');
    assert.equal(says(ordered, bravo, receiptOf(ordered, { attempt: 1 })), 'other-attempt');
  });
  test('says how a run ended (§7.2)', () =>
    assert.equal(says(drawn, executorOf(drawn), receiptOf(drawn, { state: 'running' })), 'not-an-end'));
});

describe('a cancellation', () => {
  const cancellation = { action: 'cancellation', capsule } as const;
  const cancelled = extended(drawn, alpha, [actionOf(alpha, cancellation)]);

  test('is the gateway’s and ends the capsule (§15)', () => {
    assert.equal(says(drawn, bravo, cancellation), 'not-the-gateway');
    assert.deepEqual(capsuleOf(cancelled).end, { state: 'cancelled', reason: 'cancelled-by-client', height: headOf(cancelled).height });
    assert.equal(says(cancelled, alpha, cancellation), 'capsule-ended');
  });
  test('of a capsule that waits for a box keeps blocks from drawing one (§15)', () => {
    const waiting = extended(ordered, delta, []);
    assert.equal(capsuleOf(waiting).attempts.length, 1);
    const gone = extended(offering, bravo, [submission, actionOf(alpha, cancellation)]);
    assert.deepEqual(capsuleOf(extended(gone, delta)).attempts, []);
  });
  test('leaves the executor the word on a run that had begun, once (§15)', () => {
    const receipt = actionOf(executorOf(drawn), receiptOf(drawn, { state: 'cancelled', reason: 'cancelled-by-client' }));
    const told = extended(cancelled, bravo, [receipt]);
    assert.ok(capsuleOf(told).end?.receipt);
    assert.equal(refusalOf(told, receipt), 'capsule-ended');
  });
});

describe('time', () => {
  const dated = extended(readyChain, bravo, [actionOf(alpha, submissionOf(1, { acceptedAtMs: nowMs, deadlineMs: nowMs + 60_000 }))]);

  test('beyond the deadline lets a capsule without a box expire, in chain time (§11.2, §15)', () => {
    const waiting = extended(dated, alpha, [], { timeMs: nowMs + 60_000 });
    assert.equal(capsuleOf(waiting).end, undefined);
    const late = extended(dated, alpha, [], { timeMs: nowMs + 60_001 });
    assert.deepEqual(capsuleOf(late).end, { state: 'expired', reason: 'deadline', height: headOf(late).height });
  });
  test('beyond the deadline leaves a run that has a box to its executor (§15)', () => {
    const run = extended(offering, bravo, [actionOf(alpha, submissionOf(1, { acceptedAtMs: nowMs, deadlineMs: nowMs + 60_000 }))]);
    const late = extended(extended(run, delta), bravo, [], { timeMs: nowMs + 120_000 });
    assert.equal(capsuleOf(late).end, undefined);
  });
  test('gives up at last what nobody ends (§10)', () => {
    const forgotten = extended(drawn, alpha, [], { timeMs: nowMs + LIMITS.chainCapsuleOpenMaxMs + 1 });
    assert.equal(capsuleOf(forgotten).end?.state, 'expired');
  });
  test('lets an ended capsule be forgotten, but never while its submission would be taken again (§11.3, §15)', () => {
    const cancellation = actionOf(alpha, { action: 'cancellation', capsule });
    const ended = extended(drawn, alpha, [cancellation]);
    const aged = grown(ended, LIMITS.chainCapsuleKeepHeights);
    assert.ok(headOf(aged).timeMs - nowMs < LIMITS.submissionAgeMaxMs);
    assert.equal(refusalOf(aged, submission), 'capsule-known');
    const soon = extended(ended, alpha, [], { timeMs: nowMs + LIMITS.submissionAgeMaxMs + 1 });
    assert.equal(refusalOf(soon, submission), 'capsule-known');
    const late = extended(aged, alpha, [], { timeMs: nowMs + LIMITS.submissionAgeMaxMs + 1 });
    assert.equal(capsuleOf(late), undefined);
    assert.equal(refusalOf(late, submission), 'submission-too-old');
    assert.equal(refusalOf(late, cancellation), 'capsule-unknown');
  });
});

describe('an offer of boxes', () => {
  test('takes the place of the last one, with a higher serial (§11.3)', () => {
    const again = extended(offering, alpha, [actionOf(bravo, boxesOf(2, 'other', 'third'))]);
    const mine = headOf(again)
      .state.boxes.values()
      .filter(({ node }) => hex(node) === hex(bravo.node));
    assert.deepEqual(mine.map(({ box }) => box.name).toArray(), ['other', 'third']);
    assert.equal(says(again, bravo, boxesOf(2, 'box')), 'serial-not-later');
    assert.equal(refusalOf(again, actionOf(bravo, boxesOf(1, 'box'))), 'serial-not-later');
  });
  test('names each box once, in order (§11.3)', () => {
    assert.equal(says(offering, bravo, boxesOf(2, 'b', 'a')), 'boxes-out-of-order');
    assert.equal(says(offering, bravo, boxesOf(2, 'a', 'a')), 'boxes-out-of-order');
  });
});

test('a pool judges by the time that the next block would have (§11.2)', () => {
  const later = nowMs + 120_000;
  const fresh = actionOf(alpha, submissionOf(7, { acceptedAtMs: later }));
  assert.equal(refusalOf(offering, fresh), 'submission-too-early');
  assert.equal(refusalOf(offering, fresh, later), 'accepted');
  assert.ok(epochStartMs < nowMs);
  assert.equal(reasonOf(ledger.draw(headOf(offering), alpha.node)), 'drawn');
  assert.notEqual(finalityOf(offering, 1).length, 0);
});
