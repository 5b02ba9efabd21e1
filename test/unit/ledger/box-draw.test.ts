/** Which boxes are drawn (§15.2): of members alike, whatever they say they have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxDraw, memberOrder } from '#protocol/chain/public-draw.ts';
import type { CapsuleRecord } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { TRUST_LEVELS, type TrustLevel } from '#protocol/trust-level.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import {
  actionOf,
  alpha,
  boxesOf,
  bravo,
  capsuleId,
  charlie,
  delta,
  extended,
  headOf,
  offersOf,
  readyChain,
  submissionOf,
} from './workshop.ts';

const capsules = Array.from({ length: 60 }, (_, index) => index + 1);

test('a member that offers 64 boxes is drawn no oftener, and the next attempt goes to another member (§15.2)', () => {
  const many = Array.from({ length: 64 }, (_, index) => `b${String(index).padStart(2, '0')}`);
  const offers = [...[alpha, bravo, charlie].map((member) => actionOf(member, boxesOf(1, 'box'))), actionOf(delta, boxesOf(1, ...many))];
  let chain = extended(readyChain, alpha, offers);
  const acceptedAtMs = headOf(chain).timeMs;
  chain = extended(
    chain,
    alpha,
    capsules.map((index) => actionOf(alpha, { ...submissionOf(index), acceptedAtMs })),
  );
  const memberOf = (index: number): string =>
    hex(headOf(chain).state.capsules.get(capsuleId(index))?.attempts.at(-1)?.node ?? assert.fail());
  for (const leader of [bravo, charlie, delta]) chain = extended(chain, leader); // one block ranks 2,048 boxes
  const atDelta = capsules.filter((index) => memberOf(index) === hex(delta.node));
  assert.ok(atDelta.length > 5 && atDelta.length < 25, `${atDelta.length} of 60 are with one of four members`);
  chain = extended(
    chain,
    alpha,
    atDelta.map((index) => actionOf(delta, { action: 'answer', capsule: capsuleId(index), attempt: 1, run: 'given-up' })),
  );
  for (const leader of [bravo, charlie, delta]) chain = extended(chain, leader);
  assert.deepEqual(
    atDelta.filter((index) => memberOf(index) === hex(delta.node)),
    [],
  );
});

test('a capsule for which its second block has no room keeps that draw, so that nobody waits for a better one (§15.2)', () => {
  const many = Array.from({ length: 64 }, (_, index) => `b${String(index).padStart(2, '0')}`);
  const offering = [bravo, charlie, delta];
  const offers = offering.map((member) => actionOf(member, boxesOf(1, ...(member === delta ? many : ['box']))));
  let chain = extended(readyChain, alpha, offers);
  const acceptedAtMs = headOf(chain).timeMs;
  const ordered = capsules.map((index) => actionOf(alpha, { ...submissionOf(index), acceptedAtMs }));
  chain = extended(extended(extended(chain, alpha, ordered), bravo), charlie);
  const [first, second] = chain.blocks.slice(-2).map(({ header }) => vrfOutput(stubCrypto, header.draw));
  const draw = boxDraw(first ?? assert.fail(), second ?? assert.fail());
  const recordOf = (index: number): CapsuleRecord => headOf(chain).state.capsules.get(capsuleId(index)) ?? assert.fail();
  const leftOut = capsules.filter((index) => recordOf(index).attempts.length === 0);
  assert.equal(leftOut.length, capsules.length - Math.floor(2_048 / (many.length + 2)));
  for (const index of leftOut) assert.equal(hex(recordOf(index).draw ?? assert.fail()), hex(draw));
  chain = extended(chain, alpha);
  const nodes = offering.map(({ node }) => node);
  for (const index of leftOut) {
    const { attempts, draw: kept } = recordOf(index);
    const [drawn] = memberOrder(draw, capsuleId(index), 1, nodes);
    assert.deepEqual([attempts.map(({ node }) => hex(node)), kept], [[hex(drawn ?? assert.fail())], undefined]);
  }
});

test('a capsule gets a box of its level or a higher one, and waits while none is offered (§15.2)', () => {
  const levels = { chip: 'tpm-measured', program: 'software-tpm', word: 'self-reported' } as const;
  let chain = extended(readyChain, alpha, [actionOf(delta, offersOf(1, levels)), actionOf(bravo, offersOf(1, { other: 'self-reported' }))]);
  const acceptedAtMs = headOf(chain).timeMs;
  const asking = (index: number, trust: TrustLevel) => actionOf(alpha, { ...submissionOf(index), trust, acceptedAtMs });
  const asked = capsules.slice(0, 30).map((index) => asking(index, TRUST_LEVELS[index % 3] ?? assert.fail()));
  chain = extended(extended(extended(chain, alpha, asked), bravo), charlie);
  const drawnFor = (trust: TrustLevel): (string | undefined)[] =>
    capsules
      .slice(0, 30)
      .filter((index) => TRUST_LEVELS[index % 3] === trust)
      .map((index) => headOf(chain).state.capsules.get(capsuleId(index))?.attempts[0]?.box);
  assert.deepEqual([...new Set(drawnFor('tpm-measured'))], ['chip']);
  assert.deepEqual([...new Set(drawnFor('software-tpm'))].toSorted(), ['chip', 'program']);
  assert.ok(drawnFor('self-reported').includes('other'));
  chain = extended(chain, alpha, [actionOf(delta, offersOf(2, { chip: 'self-reported' })), asking(31, 'software-tpm')]);
  for (const leader of [bravo, charlie, delta]) chain = extended(chain, leader);
  assert.deepEqual(headOf(chain).state.capsules.get(capsuleId(31))?.attempts, [], 'its box has lost its level');
  chain = extended(chain, alpha, [actionOf(delta, offersOf(3, { chip: 'software-tpm' }))]);
  for (const leader of [bravo, charlie, delta]) chain = extended(chain, leader);
  assert.equal(headOf(chain).state.capsules.get(capsuleId(31))?.attempts[0]?.box, 'chip');
});

test('capsules of one gateway do not keep those of another waiting: they take turns (§15.2)', () => {
  const many = Array.from({ length: 64 }, (_, index) => `b${String(index).padStart(2, '0')}`);
  let chain = extended(readyChain, alpha, [actionOf(delta, boxesOf(1, ...many))]);
  const acceptedAtMs = headOf(chain).timeMs;
  const ofAlpha = capsules.map((index) => actionOf(alpha, { ...submissionOf(index), acceptedAtMs }));
  chain = extended(chain, delta, ofAlpha);
  chain = extended(chain, delta, [actionOf(bravo, { ...submissionOf(1, {}, bravo), acceptedAtMs })]);
  chain = extended(chain, charlie);
  const attemptsOf = (id: string): number => headOf(chain).state.capsules.get(id)?.attempts.length ?? assert.fail();
  assert.equal(attemptsOf(capsuleId(1, bravo)), 1);
  assert.equal(capsules.filter((index) => attemptsOf(capsuleId(index)) === 1).length, 31, 'of 32 that fit');
});
