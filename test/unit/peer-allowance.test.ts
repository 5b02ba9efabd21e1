/** What a device takes from one peer, before anything is read. Specification §14.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '#protocol/limits.ts';
import { PEER_LIMITS } from '../../device/limits.ts';
import { fullAllowance, isFlooding, judgeArrival, type Allowance } from '../../device/peer-allowance.ts';

test('a message larger than its kind can be is refused, one of that size is taken (§14.3)', () => {
  const full = fullAllowance(0);
  assert.equal(judgeArrival(full, 'block', LIMITS.blockBytesMax, 0).status, 'accepted');
  const verdict = judgeArrival(full, 'block', LIMITS.blockBytesMax + 1, 0);
  assert.deepEqual([verdict.status, 'reason' in verdict && verdict.reason], ['refused', 'too-large']);
});

test('so many messages are taken at once, and so many a second afterwards (§14.3)', () => {
  const { taken, allowance } = sendMany(fullAllowance(0), 10_000, 100, 0);
  assert.equal(taken, PEER_LIMITS.messageBurst);
  assert.equal(sendMany(allowance, 10_000, 100, 1_000).taken, PEER_LIMITS.messagesPerSecond);
});

test('so many bytes are taken at once, and so many a second afterwards (§14.3)', () => {
  const { taken, allowance } = sendMany(fullAllowance(0), 1_000, LIMITS.blockBytesMax, 0);
  assert.equal(taken, Math.floor(PEER_LIMITS.byteBurst / LIMITS.blockBytesMax));
  assert.equal(
    sendMany(allowance, 1_000, LIMITS.blockBytesMax, 1_000).taken,
    Math.floor(PEER_LIMITS.bytesPerSecond / LIMITS.blockBytesMax),
  );
});

test('a peer that goes on for long is flooding; one that keeps quiet for a while is not any more (§14.3)', () => {
  const { allowance } = sendMany(fullAllowance(0), PEER_LIMITS.messageBurst + PEER_LIMITS.droppedMax, 10, 0);
  assert.equal(isFlooding(allowance), true);
  const later = judgeArrival(allowance, 'ballot', 10, 60_000).allowance;
  assert.equal(isFlooding(later), false);
});

function sendMany(before: Allowance, count: number, bytes: number, atMs: number): { taken: number; allowance: Allowance } {
  let [allowance, taken] = [before, 0];
  for (let sent = 0; sent < count; sent += 1) {
    const verdict = judgeArrival(allowance, bytes > LIMITS.ballotBytesMax ? 'block' : 'ballot', bytes, atMs);
    allowance = verdict.allowance;
    if (verdict.status === 'accepted') taken += 1;
  }
  return { taken, allowance };
}
