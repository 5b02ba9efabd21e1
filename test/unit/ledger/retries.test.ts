/** Further attempts: by the executor's word, or where it leaves the gateway's question unanswered (§15.5). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Action, ActionOf } from '#protocol/chain/transaction.ts';
import { LIMITS } from '#protocol/limits.ts';
import { withUpkeep } from '../../../device/ledger/capsule-upkeep.ts';
import { capsule, drawn, capsuleOf, executorOf, says, ledBy, givenUp, redrawn } from './capsule-workshop.ts';
import { actionOf, alpha, bravo, capsuleId, charlie, delta, extended, founders, headOf, refusalOf, type Chain } from './workshop.ts';

/** So many blocks later, a minute each, of members in turn. */
const quiet = (chain: Chain, blocks: number): Chain =>
  Array.from({ length: blocks }).reduce<Chain>(
    (longer, _, index) => extended(longer, founders[index % 4]!, [], { timeMs: headOf(longer).timeMs + 60_000 }),
    chain,
  );
const retry = (chain: Chain): Uint8Array => actionOf(alpha, { action: 'retry', capsule, attempt: capsuleOf(chain).attempts.length });

describe('a retry', () => {
  test('is the gateway’s, and for the last attempt (§15)', () => {
    assert.equal(says(drawn, bravo, { action: 'retry', capsule, attempt: 1 }), 'not-the-gateway');
    assert.equal(says(drawn, alpha, { action: 'retry', capsule, attempt: 2 }), 'other-attempt');
    assert.equal(says(drawn, alpha, { action: 'retry', capsule: capsuleId(9), attempt: 1 }), 'capsule-unknown');
  });
  test('alone gives no other box: the executor has six blocks and 15 s to answer that the run goes on (§15.5)', () => {
    const asked = extended(drawn, alpha, [retry(drawn)]);
    const question = headOf(asked).height;
    assert.deepEqual([capsuleOf(asked).awaitsDraw, capsuleOf(asked).asked?.height], ['no', question]);
    const answer = { action: 'answer', capsule, attempt: 1, run: 'goes-on', asked: question } as const;
    const answered = extended(asked, bravo, [actionOf(executorOf(asked), answer)]);
    assert.equal(capsuleOf(answered).asked, undefined);
    const later = quiet(answered, LIMITS.retryAnswerHeights + 2);
    assert.deepEqual([capsuleOf(later).attempts.length, capsuleOf(later).awaitsDraw], [1, 'no']);
    assert.equal(refusalOf(answered, retry(answered)), 'executor-answered');
    assert.equal(refusalOf(quiet(answered, LIMITS.retryAgainHeights), retry(answered)), 'accepted');
  });
  test('that nobody answers has another box drawn, after both (§15.5)', () => {
    const asked = extended(drawn, alpha, [retry(drawn)]);
    const { state, height, timeMs } = headOf(asked);
    const at = (heights: number, ms: number) =>
      withUpkeep(state, { height: height + heights, timeMs: timeMs + ms, leader: bravo.node, output: new Uint8Array(32) }).capsules.get(
        capsule,
      )!.awaitsDraw;
    const { retryAnswerHeights: heights, retryAnswerMs: ms } = LIMITS;
    assert.deepEqual([at(heights + 1, ms - 1), at(heights, ms * 100), at(heights + 1, ms)], ['no', 'no', 'yes']);
    const over = ledBy(quiet(asked, LIMITS.retryAnswerHeights), bravo, delta, charlie);
    assert.equal(capsuleOf(over).attempts.length, 2);
    assert.equal(
      says(over, executorOf(asked), { action: 'answer', capsule, attempt: 1, run: 'goes-on', asked: headOf(asked).height }),
      'other-attempt',
    );
  });
  test('counts at once where the chain shows that the box is gone (§15.5)', () => {
    const executor = executorOf(drawn);
    const offered = extended(drawn, alpha, [actionOf(executor, { action: 'boxes', serial: 2, boxes: [] })]);
    assert.equal(capsuleOf(extended(offered, delta, [retry(offered)])).awaitsDraw, 'yes');
    const left = extended(drawn, alpha, [actionOf(executor, { action: 'leave' })]);
    assert.equal(capsuleOf(extended(left, alpha, [retry(left)])).awaitsDraw, 'yes');
  });
  test('counts once (§11.3)', () => {
    assert.equal(refusalOf(extended(drawn, alpha, [retry(drawn)]), retry(drawn)), 'retry-known');
    const given = extended(drawn, delta, [givenUp(drawn)]);
    assert.equal(refusalOf(given, retry(drawn)), 'awaits-draw');
    assert.equal(refusalOf(extended(given, bravo), retry(drawn)), 'other-attempt');
  });
  test('of the third attempt that nobody answers ends the capsule (§15.5)', () => {
    const third = redrawn(redrawn(drawn));
    const over = quiet(extended(third, alpha, [retry(third)]), LIMITS.retryAnswerHeights + 1);
    assert.deepEqual(capsuleOf(over).end, { state: 'failed', reason: 'box-lost', height: headOf(over).height });
    assert.equal(refusalOf(over, retry(third)), 'capsule-ended');
  });
});

describe('an executor’s answer', () => {
  const answer = (run: ActionOf<'answer'>['run'], asked?: number): Action => ({
    ...{ action: 'answer', capsule, attempt: 1, run },
    ...(asked !== undefined && { asked }),
  });
  test('that it gave up has another box drawn at once, and after the third attempt ends the capsule (§15.5)', () => {
    assert.equal(capsuleOf(extended(drawn, alpha, [actionOf(executorOf(drawn), answer('given-up'))])).awaitsDraw, 'yes');
    const third = redrawn(redrawn(drawn));
    assert.equal(capsuleOf(extended(third, alpha, [givenUp(third)])).end?.reason, 'box-lost');
  });
  test('that the gateway gave no right files, or called the run off, ends the capsule: no other draw for that (§15.5)', () => {
    const endOf = (run: 'input-lacking' | 'cancelled') =>
      capsuleOf(extended(drawn, alpha, [actionOf(executorOf(drawn), answer(run))])).end?.state;
    assert.deepEqual([endOf('input-lacking'), endOf('cancelled')], ['failed', 'cancelled']);
  });
  test('is nobody else’s, and for one question: an old one can’t be said again (§15.5)', () => {
    assert.equal(says(drawn, alpha, answer('given-up')), 'not-the-executor');
    const asked = extended(drawn, alpha, [retry(drawn)]);
    const { height } = headOf(asked);
    assert.equal(says(drawn, executorOf(drawn), answer('goes-on', height)), 'not-asked');
    assert.equal(says(asked, executorOf(asked), answer('goes-on', height - 1)), 'not-asked');
    assert.equal(says(asked, executorOf(asked), answer('goes-on')), 'not-asked');
    assert.equal(says(asked, executorOf(asked), answer('goes-on', height)), 'accepted');
  });
});
